/**
 * IMDSv2 session tokens without a store: expiry and a MAC are in the token, so that a token outlives a restart
 * of the daemon as long as the key does, and no number of tokens costs memory.
 *
 * Layout, 40 bytes, shown as 56 characters of base64url with padding:
 * 4 mark (which makes it start with `AQAEA`, as on EC2) · 6 expiry in ms · 6 nonce · 24 of HMAC-SHA256 over these.
 */
import { Buffer } from 'node:buffer'
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { failure } from './errors.ts'

export interface Tokens {
  /** `seconds`: 1 to 21600, which the caller checks. */
  issue(seconds: number): string
  /** Whole seconds left, rounded up; `undefined` for a token that has ended or was not issued under this key. */
  remaining(token: string): number | undefined
}

/** `key`: 32 random bytes or more, kept by the caller. `now`: milliseconds since the epoch. */
export function createTokens(key: Uint8Array, now: () => number = Date.now): Tokens {
  if (key.length < 32) throw failure('config', 'the key of the metadata tokens has fewer than 32 bytes')
  // A copy: what the caller does with its buffer is no concern of ours.
  const secret = Buffer.from(key)
  const verified = new Map<string, number>()
  return {
    issue: seconds => {
      const head = Buffer.alloc(headLength)
      mark.copy(head)
      head.writeUIntBE(now() + seconds * 1000, mark.length, 6)
      randomBytes(6).copy(head, mark.length + 6)
      return encode(Buffer.concat([head, sign(secret, head)]))
    },
    remaining: token => {
      const expiry = verified.get(token) ?? remember(verified, token, verify(secret, token))
      if (expiry === undefined) return undefined
      const left = Math.ceil((expiry - now()) / 1000)
      return left > 0 ? left : undefined
    },
  }
}

const mark = Buffer.from([1, 0, 4, 0])
const headLength = mark.length + 6 + 6
const tokenLength = 40
/** Clients keep a token for minutes or hours; checking the same one again should cost nothing. */
const most = 256

function sign(key: Buffer, head: Buffer): Buffer {
  return createHmac('sha256', key)
    .update(head)
    .digest()
    .subarray(0, tokenLength - headLength)
}

/** The expiry in ms of a token that is ours. */
function verify(key: Buffer, token: string): number | undefined {
  if (token.length !== 56) return undefined
  const bytes = Buffer.from(token, 'base64url')
  // Decoding is lenient; one spelling is enough.
  if (bytes.length !== tokenLength || encode(bytes) !== token) return undefined
  const head = bytes.subarray(0, headLength)
  if (!timingSafeEqual(sign(key, head), bytes.subarray(headLength)) || !head.subarray(0, 4).equals(mark))
    return undefined
  return head.readUIntBE(mark.length, 6)
}

function encode(bytes: Buffer): string {
  return `${bytes.toString('base64url')}==`
}

function remember(verified: Map<string, number>, token: string, expiry: number | undefined): number | undefined {
  if (expiry === undefined) return undefined
  if (verified.size >= most) {
    const [oldest] = verified.keys()
    if (oldest !== undefined) verified.delete(oldest)
  }
  verified.set(token, expiry)
  return expiry
}
