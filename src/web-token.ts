/**
 * What an OIDC token says of itself. Its signature is for AWS to check; here it serves messages and early failures.
 */
import { Buffer } from 'node:buffer'
import { readFields } from './json.ts'

export interface WebToken {
  readonly issuer?: string
  readonly subject?: string
  /** One or several. */
  readonly audience?: string
  /** Milliseconds since the epoch. */
  readonly expires?: number
}

/** RFC 7519: three parts in base64url. */
export function isWebToken(text: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)
}

/** Claims that are there, fit to be shown; nothing for a token that cannot be read. */
export function readClaims(token: string): WebToken {
  const { iss, sub, aud, exp } = readFields(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
  const [issuer, subject] = [shown(iss), shown(sub)]
  const audience = shown(Array.isArray(aud) ? aud.join(' ') : aud)
  return {
    ...(issuer && { issuer }),
    ...(subject && { subject }),
    ...(audience && { audience }),
    ...(typeof exp === 'number' && { expires: exp * 1000 }),
  }
}

function shown(value: unknown): string | undefined {
  return typeof value === 'string' ? value.replace(/\p{Control}+/gu, ' ').slice(0, 300) : undefined
}
