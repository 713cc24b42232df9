/**
 * Signs as minisign does (`minisign -S -l`), with a key that minisign made without a password (`minisign -G -W`). The same
 * key and message give the same bytes.
 */
import { Buffer } from 'node:buffer'
import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export interface ReleaseKey {
  /** 8 bytes that tell keys apart. */
  readonly number: Buffer
  readonly secret: Buffer
  /** One line of base64, as `minisign -P` takes it. */
  readonly publicKey: string
}

/** DER of an Ed25519 private key without its 32 bytes (RFC 8410). */
const pkcs8Head = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Reads the file of a secret key; what is locked with a password is refused. */
export function readKey(text: string): ReleaseKey {
  const bytes = Buffer.from(text.trim().split('\n').at(-1) ?? '', 'base64')
  if (bytes.length !== 158 || bytes.toString('latin1', 0, 2) !== 'Ed') throw new Error('that is no key of minisign')
  if (bytes.readUInt16LE(2) !== 0) throw new Error('the key is locked with a password: make one by minisign -G -W')
  return keyOf(bytes.subarray(54, 62), bytes.subarray(62, 94), bytes.subarray(94, 126))
}

/** A key for tests. */
export function makeKey(): ReleaseKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const secret = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  return keyOf(randomBytes(8), secret, publicKey.export({ format: 'der', type: 'spki' }).subarray(-32))
}

function keyOf(number: Buffer, secret: Buffer, open: Buffer): ReleaseKey {
  return { number, secret, publicKey: Buffer.concat([Buffer.from('Ed'), number, open]).toString('base64') }
}

/** The text of a `.minisig` file; `comment` is signed too. */
export function signatureOf(message: Uint8Array, key: ReleaseKey, comment: string): string {
  const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8Head, key.secret]), format: 'der', type: 'pkcs8' })
  const mark = sign(null, message, privateKey)
  const seal = sign(null, Buffer.concat([mark, Buffer.from(comment)]), privateKey)
  const line = Buffer.concat([Buffer.from('Ed'), key.number, mark]).toString('base64')
  return [
    `untrusted comment: verify with minisign -P ${key.publicKey}`,
    line,
    `trusted comment: ${comment}`,
    seal.toString('base64'),
    '',
  ].join('\n')
}
