import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { parseRolePair, readAssertion } from '../src/assertion.ts'
import { isFailure } from '../src/errors.ts'
import { encode, samlResponse, samlXml } from './saml.ts'

const segment = fc.stringMatching(/^[\w+=,.@-]{1,20}$/)
const role = fc
  .tuple(
    fc.stringMatching(/^\d{9,12}$/),
    fc.array(segment, { minLength: 1, maxLength: 3 }),
    fc.stringMatching(/^[\w.-]{1,20}$/),
  )
  .map(([account, path, provider]) => ({
    roleArn: `arn:aws:iam::${account}:role/${path.join('/')}`,
    providerArn: `arn:aws:iam::${account}:saml-provider/${provider}`,
  }))
  // At the very end a comma counts as one too many.
  .filter(({ roleArn }) => !roleArn.endsWith(','))
const blank = fc.stringMatching(/^[ \t\n]{0,3}$/)

describe('a role value', () => {
  test('reads the same in either order, with blanks and a comma too many', () => {
    fc.assert(
      fc.property(
        role,
        fc.boolean(),
        blank,
        blank,
        blank,
        fc.constantFrom('', ',', ' ,'),
        (pair, swap, a, b, c, end) => {
          const [first, second] = swap ? [pair.providerArn, pair.roleArn] : [pair.roleArn, pair.providerArn]
          expect(parseRolePair(`${a}${first}${b},${c}${second}${a}${end}`)).toEqual(pair)
        },
      ),
    )
  })

  test('anything else is nothing, never an exception', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), text => expect(parseRolePair(text)).toBeUndefined()))
  })

  test('a row of commas and blanks takes no quadratic time', () => {
    const long = 500_000
    expect(parseRolePair(`${','.repeat(long)}x`)).toBeUndefined()
    expect(parseRolePair(`arn:aws:iam::1:role/a${' '.repeat(long)}x`)).toBeUndefined()
    expect(parseRolePair(`arn:aws:iam::1:role/a,${' ,'.repeat(long)}`)).toBeUndefined()
  })
})

describe('a response', () => {
  test('keeps every role whatever the entities, comments and white space', () => {
    const spell = fc.constantFrom<(text: string) => string>(
      text => text,
      text => text.replace(/[:,/]/g, character => `&#${character.charCodeAt(0)};`),
      text => text.replace('iam', 'i<!-- - -->am'),
      text => `\n  ${text}\n`,
      text => `<![CDATA[${text}]]>`,
      text => `${text.slice(0, 9)}<![CDATA[${text.slice(9)}]]>`,
    )
    fc.assert(
      fc.property(
        fc.array(fc.tuple(role, spell), { maxLength: 8 }),
        fc.constantFrom('saml', '', 'q1'),
        (list, prefix) => {
          const roles = list.map(([pair, how]) => how(`${pair.roleArn},${pair.providerArn}`))
          expect(readAssertion(samlResponse({ roles, prefix })).roles).toEqual(list.map(([pair]) => pair))
        },
      ),
    )
  })

  test('line breaks anywhere in the base64 change nothing', () => {
    const plain = samlResponse()
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.constantFrom('\n', '\r\n', ' ', '\t'), (width, end) => {
        const folded = plain.replace(new RegExp(`.{${width}}`, 'g'), `$&${end}`)
        expect(readAssertion(folded).response).toBe(plain)
      }),
    )
  })

  test('R16 damaged anywhere, it is read or refused with a failure', () => {
    const xml = samlXml()
    fc.assert(
      fc.property(fc.nat(xml.length), fc.nat(30), fc.string({ unit: 'binary', maxLength: 5 }), (at, count, junk) => {
        try {
          readAssertion(encode(xml.slice(0, at) + junk + xml.slice(at + count)))
        } catch (error) {
          expect(isFailure(error)).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('R16 any bytes and any text are survived', () => {
    const tried = (text: string): void => {
      try {
        readAssertion(text)
      } catch (error) {
        expect(isFailure(error)).toBe(true)
      }
    }
    fc.assert(fc.property(fc.uint8Array(), bytes => tried(Buffer.from(bytes).toString('base64'))))
    fc.assert(fc.property(fc.string({ unit: 'binary' }), tried))
  })
})
