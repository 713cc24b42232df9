/**
 * Form data on the wire: the encoding algorithms of the URL and HTML standards, in any charset that a page may declare.
 */
import { Buffer } from 'node:buffer'
import { canonicalCharset } from './http-charset.ts'

export interface Entry {
  readonly name: string
  readonly value: string
  /** A file control: always empty here, and sent as an empty file. */
  readonly file?: boolean
}

/** `application/x-www-form-urlencoded`; line ends become CRLF, what the charset lacks a numeric character reference. */
export function urlEncode(entries: readonly Entry[], charset: string): string {
  const encode = encoder(charset)
  const escape = (text: string): string => {
    let out = ''
    for (const byte of encode(withCrlf(text))) {
      const character = String.fromCharCode(byte)
      if (/[A-Za-z0-9*._-]/.test(character)) out += character
      else out += byte === 0x20 ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    }
    return out
  }
  return entries.map(entry => `${escape(entry.name)}=${escape(entry.value)}`).join('&')
}

/** `multipart/form-data` (RFC 7578) with a boundary that no part contains. */
export function multipartEncode(entries: readonly Entry[], charset: string): { boundary: string; body: Uint8Array } {
  const encode = encoder(charset)
  const escape = (name: string): string =>
    withCrlf(name).replace(/\r/g, '%0D').replace(/\n/g, '%0A').replaceAll('"', '%22')
  const boundary = `----cloudtoken${crypto.randomUUID().replaceAll('-', '')}`
  const parts = entries.map(({ name, value, file }) => {
    const extra = file ? '; filename=""\r\nContent-Type: application/octet-stream' : ''
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${escape(name)}"${extra}\r\n\r\n`
    return encode(`${head}${withCrlf(value)}\r\n`)
  })
  return { boundary, body: Buffer.concat([...parts, encode(`--${boundary}--\r\n`)]) }
}

function withCrlf(text: string): string {
  return text.replace(/\r\n|\r|\n/g, '\r\n')
}

function encoder(charset: string): (text: string) => Uint8Array {
  const canonical = canonicalCharset(charset) ?? 'utf-8'
  const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
  // UTF-16 pages submit UTF-8 by the standard; ISO-2022-JP has states, and no log-in page has been seen with it.
  if (/^(?:utf-|iso-2022-jp|replacement|x-user-defined)/.test(canonical)) return utf8
  const bytes = legacyTable(canonical)
  return text => {
    const out: number[] = []
    for (const character of text) {
      const known = bytes.get(character)
      if (known) out.push(...known)
      else out.push(...utf8(`&#${character.codePointAt(0)};`))
    }
    return Uint8Array.from(out)
  }
}

const tables = new Map<string, ReadonlyMap<string, readonly number[]>>()

/** The platform only decodes legacy charsets, so the table is its decoder turned round: one byte, then two. */
function legacyTable(charset: string): ReadonlyMap<string, readonly number[]> {
  const ready = tables.get(charset)
  if (ready) return ready
  const table = new Map<string, readonly number[]>()
  const decoder = new TextDecoder(charset, { fatal: true })
  const add = (bytes: readonly number[]): boolean => {
    try {
      const text = decoder.decode(Uint8Array.from(bytes))
      if ([...text].length === 1 && !table.has(text)) table.set(text, bytes)
      return true
    } catch {
      return false
    }
  }
  for (let lead = 0; lead < 0x100; lead += 1) {
    if (add([lead]) || lead < 0x81) continue
    for (let trail = 0x40; trail < 0xff; trail += 1) add([lead, trail])
  }
  tables.set(charset, table)
  return table
}
