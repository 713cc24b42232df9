import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { fromTokens, toTokens } from '../src/tokens.ts'

test('any JSON gives a whole set or nothing', () => {
  const keys = [
    'AccessKeyId',
    'SecretAccessKey',
    'Token',
    'LastRole',
    'Expiration',
    'LastUpdated',
    'Issuer',
    'SAMLProvider',
  ]
  const value = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.constant('arn:aws:iam::1:role/a'),
    fc.constant('2026-03-01T10:00:00Z'),
    fc.constant(null),
  )
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), value, { minKeys: 6 }), object => {
      const credentials = fromTokens(JSON.stringify(object))
      if (!credentials) return
      // What was accepted can be written and read again.
      expect(fromTokens(JSON.stringify(toTokens(credentials)))).toEqual(credentials)
      expect(JSON.stringify(toTokens(credentials))).not.toMatch(/\\[nrtu]/)
    }),
    { numRuns: 2000 },
  )
})

test('any text is survived', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), text => expect(fromTokens(text)).toBeUndefined()))
  fc.assert(fc.property(fc.json(), text => expect(fromTokens(text)).toBeUndefined()))
})
