/**
 * A SAMLResponse that was fetched elsewhere, with a browser for instance: from a file, or from stdin.
 */
import { Buffer } from 'node:buffer'
import process from 'node:process'
import { failure } from './errors.ts'
import { readText } from './files.ts'
import { readSamlResponse } from './form-saml.ts'
import type { Provider, ProviderContext } from './provider.ts'

export const samlResponse: Provider = {
  name: 'saml-response',
  summary: 'a SAMLResponse from a file or from stdin',
  async authenticate(context) {
    const { from, text } = await read(context)
    return { kind: 'saml', response: toBase64(text, from) }
  },
}

async function read({ settings, mode }: ProviderContext): Promise<{ from: string; text: string }> {
  const file = settings.samlResponse
  const hint = 'cloudtoken --saml-response FILE'
  if (!file) throw failure('config', 'the file with the SAMLResponse is missing', { hint, code: 'saml-missing' })
  if (file !== '-') {
    const text = readText(file)
    if (text === undefined) throw failure('config', `there is no file ${file}`, { hint, code: 'saml-missing' })
    return { from: file, text }
  }
  if (mode === 'refresh') {
    throw failure('person', 'the SAMLResponse came from stdin and is used up', { hint, code: 'idp-session-ended' })
  }
  let text = ''
  process.stdin.setEncoding('utf8')
  for await (const chunk of process.stdin) text += String(chunk)
  return { from: 'stdin', text }
}

/**
 * Base64 with or without white space, percent-encoded, as a form field `SAMLResponse=…`, or the XML itself. `from` and
 * `hint` are for the failure, `saml-invalid`.
 */
export function toBase64(
  text: string,
  from: string,
  hint = 'copy the whole value of the form field SAMLResponse',
): string {
  const bad = (what: string): Error => failure('config', `${from} ${what}`, { code: 'saml-invalid', hint })
  const body = text.replace(/^\uFEFF/, '').trim()
  if (body === '') throw bad('is empty')
  const xml = body.startsWith('<')
  const field = /^(?:.*&)?SAMLResponse=([^&]*)/s.exec(body)?.[1] ?? body
  const read = readSamlResponse(xml ? Buffer.from(body).toString('base64') : field)
  if (read) return read.base64
  if (xml) throw bad('is XML, but not a whole SAML Response')
  if (!/^[A-Za-z0-9+/=%\s]+$/.test(field)) throw bad('is neither base64 nor XML')
  throw bad('is base64, but not of a whole SAML Response')
}
