/**
 * Signatures of minisign over small files: Ed25519, with a comment that is signed as well.
 * Format: https://jedisct1.github.io/minisign/ ; only unhashed signatures (`Ed`, `minisign -S -l`), which need no BLAKE2.
 */
import { Buffer } from 'node:buffer'
import { createPublicKey, verify } from 'node:crypto'
import { failure } from './errors.ts'

/** `Ed` and the number of the key stand before key and signature. */
const algorithm = 'Ed'
const numberEnd = 10

/** DER of an Ed25519 public key without its 32 bytes (RFC 8410). */
const spkiHead = Buffer.from('302a300506032b6570032100', 'hex')

/** The trusted comment of a good signature; fails with kind `refused` for any other. `key` is one line of base64. */
export function verifySignature(message: Uint8Array, signature: string, key: string): string {
  const publicKey = decode(key.trim().split('\n').at(-1) ?? '', 42)
  if (!publicKey) throw failure('usage', 'that is not a public key of minisign', { hint: 'it begins with RW' })
  const [, line = '', comment = '', global = ''] = signature.split(/\r?\n/)
  const signed = decode(line, 74)
  const sealed = Buffer.from(global, 'base64')
  const trusted = /^trusted comment: (.*)$/.exec(comment)?.[1]
  if (!signed || sealed.length !== 64 || trusted === undefined) throw refused('is not one of minisign')
  if (!signed.subarray(0, numberEnd).equals(publicKey.subarray(0, numberEnd))) throw refused('is by another key')
  const ed25519 = createPublicKey({
    key: Buffer.concat([spkiHead, publicKey.subarray(numberEnd)]),
    format: 'der',
    type: 'spki',
  })
  const mark = signed.subarray(numberEnd)
  const good =
    verify(null, message, ed25519, mark) && verify(null, Buffer.concat([mark, Buffer.from(trusted)]), ed25519, sealed)
  if (!good) throw refused('does not fit')
  return trusted
}

function decode(line: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(line.trim(), 'base64')
  return bytes.length === length && bytes.toString('latin1', 0, 2) === algorithm ? bytes : undefined
}

function refused(why: string): Error {
  return failure('refused', `the signature of the release ${why}; nothing was changed`, { code: 'signature' })
}
