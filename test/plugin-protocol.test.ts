/** Protocol 1: the published schema and the reader of the host say the same, and what the host writes fits the schema. */
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { messageOf } from '../src/errors.ts'
import { readDescription, readMessage } from '../src/plugin-protocol.ts'

const schema = JSON.parse(readFileSync(join(import.meta.dirname, '../docs/plugin-protocol.schema.json'), 'utf8'))
const ajv = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false })
ajv.addSchema(schema, 'protocol')
const fits = (part: string, value: unknown): boolean => ajv.validate(`protocol#/$defs/${part}`, value)

const reads = (value: unknown): boolean => {
  try {
    readMessage(JSON.stringify(value))
    return true
  } catch {
    return false
  }
}
const describes = (value: unknown): boolean => {
  try {
    readDescription(JSON.stringify(value), 'x')
    return true
  } catch {
    return false
  }
}

const role = 'arn:aws:iam::123456789012:role/Admin'
const keys = { AccessKeyId: 'A', SecretAccessKey: 's', Token: 't', Expiration: '2040-01-01T00:00:00Z', LastRole: role }
const good: readonly object[] = [
  { type: 'ask', kind: 'text', message: 'Name', initial: 'charlie' },
  { type: 'ask', kind: 'secret', message: 'Code' },
  { type: 'ask', kind: 'password', message: 'Password', refused: true },
  { type: 'ask', kind: 'confirm', message: 'Really?', initial: false },
  {
    type: 'ask',
    kind: 'choose',
    message: 'Which?',
    choices: [{ label: 'One', value: 1, hint: 'the first' }, { label: 'Two' }],
  },
  { type: 'tell', message: 'Open https://idp.example\nand type ABCD' },
  { type: 'result' },
  { type: 'result', data: { a: [1] } },
  { type: 'result', assertion: { kind: 'saml', response: 'PHhtbD4=' } },
  { type: 'result', assertion: { kind: 'oidc', token: 'a.b.c', role } },
  { type: 'result', assertion: { kind: 'credentials', credentials: keys } },
  { type: 'error', message: 'no', hint: 'try again', kind: 'refused', code: 'x' },
  { type: 'error', message: 'no' },
  { type: 'something of protocol 2', message: 1 },
]
const descriptions: readonly object[] = [
  { protocol: 1, kind: 'stage', summary: 'a check' },
  {
    protocol: 1,
    kind: 'provider',
    summary: 'a sign-in',
    help: 'One\nTwo',
    options: {
      'vpn-host': {
        type: 'string',
        summary: 'where',
        alias: ['V', 'vpn'],
        value: 'HOST',
        values: ['a', 'b'],
        default: 'a',
      },
      level: { type: 'integer', summary: 'how much', range: [1, 5], default: 2 },
      list: { type: 'string', summary: 'several', repeat: true },
      pin: { type: 'string', summary: 'secret', secret: true },
      loud: { type: 'boolean', summary: 'loud', default: false },
    },
  },
]

describe('schema and reader', () => {
  test('take what is good', () => {
    for (const message of good)
      expect([message, fits('fromPlugin', message), reads(message)]).toEqual([message, true, true])
    for (const each of descriptions) expect([fits('description', each), describes(each)]).toEqual([true, true])
  })

  /** One place somewhere inside is removed or becomes something else. */
  const spoiled = (value: unknown, path: number[], other: unknown): unknown => {
    if (typeof value !== 'object' || value === null || path.length === 0) return other
    const entries = Object.entries(value)
    const [step = 0, ...rest] = path
    const [key] = entries[step % Math.max(1, entries.length)] ?? []
    if (key === undefined) return other
    const inner = spoiled(Reflect.get(value, key), rest, other)
    if (Array.isArray(value)) return value.map((each, index) => (String(index) === key ? inner : each))
    const copy = { ...value }
    if (inner === undefined) Reflect.deleteProperty(copy, key)
    else Object.assign(copy, { [key]: inner })
    return copy
  }
  const others = fc.constantFrom<unknown>(
    undefined,
    null,
    0,
    3.5,
    '',
    ' ',
    '\u0007',
    'x',
    'no-x',
    'PHg=',
    true,
    false,
    [],
    {},
    [{}],
    ['x', 'y'],
    [1, 2],
  )
  const broken = (from: readonly object[]): fc.Arbitrary<unknown> =>
    fc
      .tuple(fc.constantFrom(...from), fc.array(fc.nat(20), { minLength: 1, maxLength: 4 }), others)
      .map(([value, path, other]) => spoiled(value, path, other))

  test('agree on every spoiled message', () => {
    fc.assert(
      fc.property(broken(good), message => {
        fc.pre(message !== undefined)
        expect([message, reads(message)]).toEqual([message, fits('fromPlugin', message)])
      }),
      { numRuns: 3000 },
    )
  })

  test('agree on every spoiled description', () => {
    fc.assert(
      fc.property(broken(descriptions), value => {
        fc.pre(value !== undefined)
        expect([value, describes(value)]).toEqual([value, fits('description', value)])
      }),
      { numRuns: 3000 },
    )
  })

  test('what they do not know is ignored', () => {
    expect(readMessage('{"type":"grease","message":7}')).toBeUndefined()
    expect(readMessage('{"type":"tell","message":"hi","later":[1]}')).toEqual({ type: 'tell', message: 'hi' })
  })

  test('a line says what is wrong with it, and never what is in it', () => {
    const wrong = (line: string): string => {
      try {
        readMessage(line)
        return ''
      } catch (error) {
        return messageOf(error)
      }
    }
    expect(wrong('hunter2')).toBe('a line that is not JSON')
    expect(wrong('["hunter2"]')).toBe('a line that is not a JSON object')
    expect(wrong('{"password":"hunter2"}')).toBe('a message without a type')
    for (const value of good) {
      const text = JSON.stringify({ ...value, message: undefined, assertion: { kind: 'saml', response: 'hunter2!' } })
      expect(wrong(text)).not.toContain('hunter2')
    }
  })

  test('control characters, which could rewrite the terminal, become blanks', () => {
    expect(readMessage('{"type":"tell","message":"a\\u001b[2Jb\\r\\nc"}')).toEqual({
      type: 'tell',
      message: 'a [2Jb \nc',
    })
    expect(readMessage('{"type":"error","message":"a\\u001b]0;x\\u0007b\\nc"}')).toMatchObject({
      message: 'a ]0;x b c',
    })
  })
})

test('what could not be written to the next plugin is refused', () => {
  const nested = (depth: number): string => `{"type":"result","data":${'['.repeat(depth)}${']'.repeat(depth)}}`
  expect(readMessage(nested(100))).toMatchObject({ type: 'result' })
  for (const depth of [101, 400_000])
    expect(() => readMessage(nested(depth))).toThrow('data that is nested more than 100 times')
})
