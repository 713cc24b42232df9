import { Buffer } from 'node:buffer'
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { makeKey, signatureOf } from '../scripts/release-sign.ts'
import { verifySignature } from '../src/signature.ts'

const key = makeKey()
const message = Buffer.from('abc  file\n')
const good = signatureOf(message, key, 'cloudtoken 1.2.3')

test('a good signature tells its comment', () => {
  expect(verifySignature(message, good, key.publicKey)).toBe('cloudtoken 1.2.3')
  // The whole public key file, as minisign writes it.
  expect(verifySignature(message, good, `untrusted comment: x\n${key.publicKey}\n`)).toBe('cloudtoken 1.2.3')
  expect(key.publicKey).toStartWith('RW')
})

/** Made by minisign 0.11 from Debian: `minisign -G -W`, `minisign -S -l -t 'cloudtoken test'`. */
test('those of minisign itself', () => {
  const signature = [
    'untrusted comment: signature from minisign secret key',
    'RWSdYMMp9q06kFFNoAhRDMCribSoMaQP1v2ccEPIfCMUaCe8E42qVTgpP+WUbIi5E0j5AGJIECF8Dz9I9R8G0eWER5rzGLu/1wM=',
    'trusted comment: cloudtoken test',
    '3VuDNIpJvBm69Sgn4iBjU9iH8k9fP60xxHsKs/8phdDdCLKqJ10FvDIHf16SPHEj9XegHxBsHNvOGhid+wDNBw==',
  ].join('\n')
  expect(
    verifySignature(Buffer.from('hello\n'), signature, 'RWSdYMMp9q06kAjcJdCuY0HLYxeRTlogJDj3fyVxi8P6L4W3GR2yhqis'),
  ).toBe('cloudtoken test')
})

describe('refuses', () => {
  test.each([
    ['another message', Buffer.from('abd  file\n'), good],
    ['another comment', message, good.replace('1.2.3', '1.2.4')],
    ['another key', message, signatureOf(message, makeKey(), 'cloudtoken 1.2.3')],
    ['another key with the same number', message, signatureOf(message, { ...makeKey(), number: key.number }, 'x')],
    ['nothing', message, ''],
    ['a page', message, '<html>\nnot found\n</html>\n\n'],
    ['a hashed signature', message, good.replace(/^RW/m, 'RU')],
  ])('%s', (_, bytes, signature) => {
    expect(() => verifySignature(bytes, signature, key.publicKey)).toThrow('the signature of the release')
  })

  test('a key that is none', () => {
    for (const none of ['', 'RWabc', `${key.publicKey}AAAA`]) {
      expect(() => verifySignature(message, good, none)).toThrow('not a public key')
    }
  })

  test('whatever has one character changed in what is signed', () => {
    const lines = good.split('\n')
    const signed = [1, 2, 3]
    fc.assert(
      fc.property(fc.constantFrom(...signed), fc.nat(), fc.constantFrom(...'ABab01+/'), (row, at, letter) => {
        const line = lines[row] ?? ''
        const place = at % line.replace(/=*$/, '').length
        if (line[place] === letter) return
        const changed = line.slice(0, place) + letter + line.slice(place + 1)
        // The last character of base64 may carry bits that mean nothing.
        if (row !== 2 && Buffer.from(changed, 'base64').equals(Buffer.from(line, 'base64'))) return
        const text = lines.map((old, index) => (index === row ? changed : old)).join('\n')
        expect(() => verifySignature(message, text, key.publicKey)).toThrow()
      }),
    )
  })
})
