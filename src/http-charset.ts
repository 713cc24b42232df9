/**
 * Which charset a page is written in: byte order mark, Content-Type, meta element, XML declaration, else UTF-8.
 */

/** The name of the Encoding standard in lower case, `iso-8859-1` being `windows-1252`; `undefined` for an unknown label. */
export function canonicalCharset(label: string): string | undefined {
  try {
    return new TextDecoder(label.trim()).encoding
  } catch {
    return undefined
  }
}

/** Looks at the first 4 kB only. */
export function charsetOf(headers: Headers, bytes: Uint8Array): string {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8'
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be'
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le'
  const header = /charset\s*=\s*["']?([^\s"';,]+)/i.exec(headers.get('content-type') ?? '')?.[1]
  const declared = header === undefined ? undefined : canonicalCharset(header)
  return declared ?? declaredInside(bytes) ?? 'utf-8'
}

/** Decodes and drops the byte order mark; bytes that do not fit become U+FFFD. */
export function decode(bytes: Uint8Array, charset: string): string {
  return new TextDecoder(charset).decode(bytes)
}

function declaredInside(bytes: Uint8Array): string | undefined {
  const head = new TextDecoder('windows-1252').decode(bytes.subarray(0, 4096)).replace(/<!--[^]*?-->/g, '')
  const meta = /<meta\s[^>]*?charset\s*=\s*["']?\s*([^\s"'/>;]+)/i.exec(head)?.[1]
  const prolog = /^\s*<\?xml\s[^>]*?encoding\s*=\s*["']([^"']+)/i.exec(head)?.[1]
  const charset = canonicalCharset(meta ?? prolog ?? '')
  // ASCII was readable so far, so it cannot be UTF-16 whatever it says.
  return charset?.startsWith('utf-16') ? 'utf-8' : charset
}
