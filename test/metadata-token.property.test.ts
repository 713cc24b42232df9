import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { createTokens } from '../src/metadata-token.ts'
import { testKey } from './metadata-server.ts'

const start = Date.parse('2026-01-02T03:04:05.678Z')

describe('tokens', () => {
  test('good for exactly their time, under their key, and in no other spelling', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 21_600 }),
        fc.uint8Array({ minLength: 32, maxLength: 64 }),
        (seconds, key) => {
          let now = start
          const tokens = createTokens(key, () => now)
          const token = tokens.issue(seconds)
          expect(token).toMatch(/^AQAEA[A-Za-z0-9_-]{49}==$/)
          // A second reader has no memory of it.
          const restarted = createTokens(key, () => now)
          expect(restarted.remaining(token)).toBe(seconds)
          now = start + 1
          expect(tokens.remaining(token)).toBe(seconds)
          now = start + seconds * 1000 - 1
          expect([tokens.remaining(token), restarted.remaining(token)]).toEqual([1, 1])
          now = start + seconds * 1000
          expect([tokens.remaining(token), restarted.remaining(token)]).toEqual([undefined, undefined])
        },
      ),
    )
  })

  test('no other text is a token', () => {
    const tokens = createTokens(testKey, () => start)
    const token = tokens.issue(21_600)
    fc.assert(fc.property(fc.string(), text => tokens.remaining(text) === undefined))
    const letter = fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/')
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 55 }), letter, (index, change) => {
        const forged = token.slice(0, index) + change + token.slice(index + 1)
        return forged === token || tokens.remaining(forged) === undefined
      }),
      { numRuns: 2000 },
    )
  })

  test('a later end cannot be written into a token', () => {
    const tokens = createTokens(testKey, () => start)
    const bytes = Buffer.from(tokens.issue(1), 'base64url')
    bytes.writeUIntBE(start + 21_600_000, 4, 6)
    expect(tokens.remaining(`${bytes.toString('base64url')}==`)).toBeUndefined()
  })

  test('another key, and the same key changed after its use', () => {
    const key = Uint8Array.from(testKey)
    const tokens = createTokens(key, () => start)
    const token = tokens.issue(60)
    key.fill(0)
    expect(tokens.remaining(token)).toBe(60)
    expect(createTokens(key, () => start).remaining(token)).toBeUndefined()
    expect(createTokens(testKey, () => start).remaining(token)).toBe(60)
  })

  test('thousands of them are all different and all stay good', () => {
    const tokens = createTokens(testKey, () => start)
    const issued = Array.from({ length: 3000 }, () => tokens.issue(60))
    expect(new Set(issued).size).toBe(3000)
    expect(issued.every(token => tokens.remaining(token) === 60)).toBeTrue()
  })

  test('a short key is refused', () => {
    expect(() => createTokens(new Uint8Array(31))).toThrow(expect.objectContaining({ kind: 'config' }))
  })
})
