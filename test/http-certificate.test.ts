/** The files that companies hand out, as they are and as they should not be. */
import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'
import { failure } from '../src/errors.ts'
import { readAuthorities, readClientCertificate } from '../src/http-certificate.ts'
import { openNetwork } from '../src/http-network.ts'
import { redact } from '../src/log.ts'
import { failureOf } from './failure.ts'
import { makePki } from './pki.ts'

const pki = makePki()
afterAll(() => pki.remove())
const jane = pki.issue('jane', ['DNS:jane'])
const other = pki.issue('other', ['DNS:other'])
const late = pki.issue('late', ['DNS:late'], -1)
const secret = 'open sesame 7'
pki.openssl('ec', '-in', 'jane.key', '-aes256', '-passout', `pass:${secret}`, '-out', 'old.key')
pki.openssl('pkcs8', '-topk8', '-in', 'jane.key', '-v2', 'aes-256-cbc', '-passout', `pass:${secret}`, '-out', 'new.key')
pki.openssl('pkcs12', '-export', '-in', 'jane.pem', '-inkey', 'jane.key', '-passout', 'pass:', '-out', 'jane.p12')
pki.openssl('crl2pkcs7', '-nocrl', '-certfile', 'ca.pem', '-out', 'ca.p7b')
pki.openssl('crl2pkcs7', '-nocrl', '-certfile', 'ca.pem', '-outform', 'DER', '-out', 'der.p7b')

const nobody = (): Promise<string> => Promise.reject(failure('person', 'nobody is there'))
const read = (
  certificate: string,
  key?: string,
  ask: (question: string) => Promise<string> = nobody,
): Promise<{ chain: string; key: string }> => readClientCertificate({ certificate, key }, Date.now(), ask)

describe('--ca-file', () => {
  test('several in one file, with words around them and Windows line ends', () => {
    writeFileSync(
      pki.file('bundle.pem'),
      `# Root\r\n${readFileSync(pki.ca, 'utf8').replaceAll('\n', '\r\n')}\nsubject=CN = x\n${jane.pair.cert}`,
    )
    expect(readAuthorities(pki.file('bundle.pem'), '--ca-file FILE')).toHaveLength(2)
  })

  test('they are trusted beside the others', () => {
    const { authorities } = openNetwork({ caFile: pki.ca }, {}).way('https://idp.test/')
    expect(authorities?.length).toBeGreaterThan(rootCertificates.length)
    expect(openNetwork({}, {}).way('https://idp.test/').authorities).toBeUndefined()
  })

  const wrong: [file: string, make: () => void, message: RegExp, hint: string][] = [
    ['nothing.pem', () => {}, /^there is no file /, '--ca-file FILE'],
    [
      'empty.pem',
      () => writeFileSync(pki.file('empty.pem'), ''),
      /has no certificate in it$/,
      '--ca-file FILE wants PEM',
    ],
    [
      'broken.pem',
      () => writeFileSync(pki.file('broken.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'),
      /cannot be read as a certificate$/,
      '--ca-file FILE wants PEM',
    ],
    ['ca.p7b', () => {}, /is a PKCS#7 container$/, 'openssl pkcs7 -print_certs -in '],
    ['der.p7b', () => {}, /cannot be read as a certificate$/, 'openssl pkcs7 -print_certs -in '],
    ['jane.p12', () => {}, /cannot be read as a certificate$/, 'openssl pkcs12 -in '],
    ['.', () => {}, /^cannot read .*: illegal operation on a directory/, ''],
  ]
  for (const [file, make, message, hint] of wrong) {
    test(file, async () => {
      make()
      const failed = await failureOf(() => readAuthorities(pki.file(file), '--ca-file FILE'))
      expect(failed.kind).toBe('config')
      expect(failed.message).toMatch(message)
      expect(failed.hint ?? '').toContain(hint)
    })
  }
})

describe('--client-cert', () => {
  test('with its key beside it, or in the same file, with all of the chain', async () => {
    const { chain, key } = await read(jane.cert, jane.key)
    expect(chain.match(/BEGIN CERTIFICATE/g)).toHaveLength(1)
    expect(key).toStartWith('-----BEGIN PRIVATE KEY-----')
    expect(redact(key)).not.toContain(key)
    writeFileSync(pki.file('all.pem'), jane.pair.cert + readFileSync(pki.ca, 'utf8') + jane.pair.key, { mode: 0o600 })
    const all = await read(pki.file('all.pem'))
    expect([all.chain.match(/BEGIN CERTIFICATE/g)?.length, all.key]).toEqual([2, key])
  })

  for (const file of ['old.key', 'new.key']) {
    test(`a key with a passphrase, ${file}: asked for until it opens, three times at most`, async () => {
      const asked: string[] = []
      const answers = ['', 'wrong passphrase', secret]
      const ask = async (question: string): Promise<string> => {
        asked.push(question)
        return answers.shift() ?? 'wrong passphrase'
      }
      const { key } = await read(jane.cert, pki.file(file), ask)
      expect(key).toStartWith('-----BEGIN PRIVATE KEY-----')
      expect(asked).toEqual([
        `Passphrase of ${pki.file(file)}`,
        ...Array(2).fill(`That was not it. Passphrase of ${pki.file(file)}`),
      ])
      const failed = await failureOf(() => read(jane.cert, pki.file(file), ask))
      expect([failed.kind, failed.code, asked.length]).toEqual(['refused', 'key-locked', 6])
      expect(redact(secret)).toBe('*****')
    })
  }

  test('nobody is asked in the background, and once is enough for a process', async () => {
    const network = openNetwork({ clientCert: jane.cert, clientKey: pki.file('new.key') }, {})
    const failed = await failureOf(() => network.withCertificate(nobody))
    expect(failed).toMatchObject({ kind: 'person', code: 'key-locked', hint: 'cloudtoken' })
    const open = await network.withCertificate(async () => secret)
    expect(open.way('https://idp.test/').certificate).toBeDefined()
    expect(open.way('http://idp.test/').certificate).toBeUndefined()
    expect(network.way('https://sts.test/').certificate).toBeUndefined()
    expect(await network.withCertificate(nobody)).toBe(open)
  })

  const wrong: [name: string, cert: string, key: string | undefined, message: RegExp, hint: string][] = [
    ['no key at all', jane.cert, undefined, /has no private key in it$/, '--client-key FILE'],
    ['a certificate as the key', jane.cert, pki.ca, /has no private key in it$/, '--client-key FILE wants PEM'],
    ['the key of another', jane.cert, other.key, /is not the one of the certificate in/, '--client-cert FILE'],
    ['out of date', late.cert, late.key, /^the client certificate .* ended on \d{4}-\d\d-\d\d$/, 'get a new one'],
    ['PKCS#12', pki.file('jane.p12'), undefined, /cannot be read as a certificate$/, '-out client.pem'],
    ['no file', pki.file('none.pem'), undefined, /^there is no file /, '--client-cert FILE'],
  ]
  for (const [name, cert, key, message, hint] of wrong) {
    test(name, async () => {
      const failed = await failureOf(() => read(cert, key))
      expect(failed.kind).toBe('config')
      expect(failed.message).toMatch(message)
      expect(failed.hint).toContain(hint)
    })
  }

  test('a key that others may read is not taken', async () => {
    const open = pki.issue('open', ['DNS:open'])
    chmodSync(open.key, 0o644)
    expect((await failureOf(() => read(open.cert, open.key))).hint).toBe(`chmod go-rwx ${open.key}`)
  })

  test('a key without its certificate', async () => {
    const failed = await failureOf(() => openNetwork({ clientKey: jane.key }, {}).withCertificate(nobody))
    expect(failed).toMatchObject({ kind: 'config', hint: '--client-cert FILE' })
  })
})
