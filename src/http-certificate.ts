/**
 * Certificates and keys in files, as companies hand them out: PEM, and authorities also as bare DER.
 */
import type { Buffer } from 'node:buffer'
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { failure, type Failure } from './errors.ts'
import { checkPrivate, readBytes } from './files.ts'
import { keepSecret } from './log.ts'
import type { Connection } from './runtime-fetch.ts'

export type ClientCertificate = NonNullable<Connection['certificate']>

export interface CertificateFiles {
  /** PEM: the certificate and what is between it and its authority; the key, too, where it has no file of its own. */
  readonly certificate: string
  readonly key: string | undefined
}

const pemCertificate =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g
const pemKey = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[^-]+(?:-[^-]+)*-----END (?:[A-Z]+ )*PRIVATE KEY-----/
const maxTries = 3
const certificateSetting = '--client-cert FILE'
const keySetting = '--client-key FILE'

/**
 * Authorities to trust, each as PEM. Fails with `config`, and says how to make of the file what is wanted.
 *
 * @param setting how a file is named here, such as `--ca-file FILE`
 */
export function readAuthorities(file: string, setting: string): string[] {
  const found = certificatesOf(file, setting)
  if (found.length === 0) throw unreadable(file, setting, 'has no certificate in it')
  return found
}

/**
 * What is shown to servers that ask who is calling. `ask` is asked for the passphrase of an encrypted key, and rejects where
 * nobody can answer. Fails with `config`, or with `refused` after three wrong passphrases.
 */
export async function readClientCertificate(
  files: CertificateFiles,
  now: number,
  ask: (question: string) => Promise<string>,
): Promise<ClientCertificate> {
  const [first, ...chain] = certificatesOf(files.certificate, certificateSetting)
  if (first === undefined) throw unreadable(files.certificate, certificateSetting, 'has no certificate in it')
  const keyFile = files.key ?? files.certificate
  const pem = pemKey.exec(bytesOf(keyFile, keySetting).toString('latin1'))?.[0]
  if (pem === undefined) {
    if (files.key !== undefined) throw unreadable(keyFile, keySetting, 'has no private key in it')
    throw failure('config', `${keyFile} has no private key in it`, { code: 'client-cert', hint: keySetting })
  }
  const certificate = new X509Certificate(first)
  const end = Date.parse(certificate.validTo)
  if (end < now) {
    const message = `the client certificate ${files.certificate} ended on ${new Date(end).toISOString().slice(0, 10)}`
    throw failure('config', message, { code: 'client-cert', hint: 'get a new one from whoever gave it to you' })
  }
  const key = await openKey(pem, keyFile, ask)
  if (!certificate.checkPrivateKey(key)) {
    const message = `the key in ${keyFile} is not the one of the certificate in ${files.certificate}`
    throw failure('config', message, { code: 'client-cert', hint: `${certificateSetting} ${keySetting}` })
  }
  const plain = key.export({ type: 'pkcs8', format: 'pem' })
  keepSecret(plain)
  return { chain: [first, ...chain].join('\n'), key: plain }
}

async function openKey(pem: string, file: string, ask: (question: string) => Promise<string>): Promise<KeyObject> {
  if (!/ENCRYPTED/.test(pem)) {
    checkPrivate(file, 0o077)
    return readKey(pem, file)
  }
  for (let tries = 1; ; tries += 1) {
    const passphrase = await ask(`${tries === 1 ? '' : 'That was not it. '}Passphrase of ${file}`)
    keepSecret(passphrase)
    const key = passphrase === '' ? undefined : unlocked(pem, passphrase)
    if (key) return key
    if (tries === maxTries)
      throw failure('refused', `three passphrases did not open ${file}`, { code: 'key-locked', hint: 'cloudtoken' })
  }
}

/** The runtimes name a wrong passphrase in many ways; a key that is broken counts as one, too. */
function unlocked(pem: string, passphrase: string): KeyObject | undefined {
  try {
    return createPrivateKey({ key: pem, passphrase })
  } catch {
    return undefined
  }
}

function readKey(pem: string, file: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw failure('config', `the key in ${file} cannot be read`, { code: 'client-cert', cause })
  }
}

function certificatesOf(file: string, setting: string): string[] {
  const bytes = bytesOf(file, setting)
  const text = bytes.toString('latin1')
  try {
    const blocks = text.match(pemCertificate)
    if (blocks) return blocks.map(block => new X509Certificate(block.replaceAll('TRUSTED ', '')).toString())
    // A sequence of DER: a bare certificate, or one of the containers.
    if (bytes[0] === 0x30) return [new X509Certificate(bytes).toString()]
  } catch (cause) {
    throw unreadable(file, setting, 'cannot be read as a certificate', cause)
  }
  if (/-----BEGIN PKCS7-----/.test(text)) throw unreadable(file, setting, 'is a PKCS#7 container')
  return []
}

function bytesOf(file: string, setting: string): Buffer {
  const bytes = readBytes(file)
  if (bytes) return bytes
  throw failure('config', `there is no file ${file}`, { code: 'no-file', hint: setting })
}

/** Containers of Windows are what a person has most often instead. */
function unreadable(file: string, setting: string, what: string, cause?: unknown): Failure {
  const out = setting === certificateSetting ? 'client.pem' : 'ca.pem'
  const pkcs12 = `openssl pkcs12 -in ${file} -out ${out}`
  const hint =
    /\.p7[bc]$/i.test(file) || what.includes('PKCS#7')
      ? `openssl pkcs7 -print_certs -in ${file} -out ${out}, then ${setting.replace('FILE', out)}`
      : `${setting} wants PEM; of a .p12 or .pfx make it with: ${pkcs12}`
  return failure('config', `${file} ${what}`, { code: 'client-cert', hint, cause })
}
