import { describe, expect, test } from 'bun:test'
import { awsTime, fromTokens, parseTime, toTokens } from '../src/tokens.ts'
import type { Credentials } from '../src/types.ts'

const credentials: Credentials = {
  accessKeyId: 'ASIAFAKEFAKEFAKEFAKE',
  secretAccessKey: 'se/cr+et',
  sessionToken: 'token==',
  expiration: new Date('2026-03-01T11:00:00Z'),
  issued: new Date('2026-03-01T10:00:00Z'),
  roleArn: 'arn:aws:iam::012345678901:role/team/Admin',
  accountId: '012345678901',
  samlProvider: 'arn:aws:iam::012345678901:saml-provider/corp',
  issuer: 'https://idp.example.com/metadata',
}

describe('toTokens', () => {
  test('writes the eleven keys', () => {
    expect(toTokens(credentials)).toEqual({
      AccessKeyId: 'ASIAFAKEFAKEFAKEFAKE',
      AccountId: '012345678901',
      Code: 'Success',
      Expiration: '2026-03-01T11:00:00Z',
      Issuer: 'https://idp.example.com/metadata',
      LastRole: 'arn:aws:iam::012345678901:role/team/Admin',
      LastUpdated: '2026-03-01T10:00:00Z',
      SAMLProvider: 'arn:aws:iam::012345678901:saml-provider/corp',
      SecretAccessKey: 'se/cr+et',
      Token: 'token==',
      Type: 'AWS-HMAC',
    })
  })

  test('reads back what it wrote', () => {
    expect(fromTokens(JSON.stringify(toTokens(credentials)))).toEqual(credentials)
  })

  test('has all keys without SAML too, and leaves them out again', () => {
    const { samlProvider: _, issuer: __, ...bare } = credentials
    expect(Object.keys(toTokens(bare))).toHaveLength(11)
    expect(fromTokens(JSON.stringify(toTokens(bare)))).toEqual(bare)
  })
})

describe('awsTime', () => {
  test('drops the fraction and never rounds up', () => {
    expect(awsTime(new Date('2026-03-01T10:59:59.999Z'))).toBe('2026-03-01T10:59:59Z')
  })
})

describe('parseTime', () => {
  test.each([
    ['2026-03-01T10:00:00Z', '2026-03-01T10:00:00.000Z'],
    ['2026-03-01T10:00:00', '2026-03-01T10:00:00.000Z'],
    [' 2026-03-01T10:00:00.1234567Z\n', '2026-03-01T10:00:00.123Z'],
    ['2026-03-01T10:00:00+02:00', '2026-03-01T08:00:00.000Z'],
  ])('%j', (text, iso) => expect(parseTime(text)?.toISOString()).toBe(iso))

  test.each([
    '',
    'This-is-invalid',
    '2026-03-01',
    '1',
    '2026-13-01T10:00:00Z',
    '2026-03-01T25:00:00Z',
    'Sun Mar 1 2026',
  ])('%j is no time', text => expect(parseTime(text)).toBeUndefined())
})

describe('fromTokens', () => {
  const good = toTokens(credentials)
  const odd: readonly [string, unknown][] = [
    ['nothing', undefined],
    ['null', null],
    ['a list', [good]],
    ['a string', 'x'],
    ['no key', { ...good, AccessKeyId: '' }],
    ['a number as secret', { ...good, SecretAccessKey: 1 }],
    ['a line end in the token', { ...good, Token: 'a\nb' }],
    ['a blank in the key', { ...good, AccessKeyId: 'AS IA' }],
    ['no expiration', { ...good, Expiration: undefined }],
    ['an expiration that is no time', { ...good, Expiration: 'tomorrow' }],
    ['a role that is none', { ...good, LastRole: 'Admin' }],
    ['a role with a line end', { ...good, LastRole: `${good.LastRole}\n[default]` }],
  ]
  test.each(odd)('%s is undefined', (_, value) => expect(fromTokens(JSON.stringify(value) ?? '')).toBeUndefined())

  test.each(['', '{', '{"AccessKeyId":', '\0', '{}'])('%j is undefined', text =>
    expect(fromTokens(text)).toBeUndefined(),
  )

  test('an unknown key, or the prototype, does no harm', () => {
    const text = JSON.stringify(good).replace('{', '{"__proto__":{"AccessKeyId":"x"},"Extra":1,')
    expect(fromTokens(text)).toEqual(credentials)
  })

  test('the account comes from the role, whatever the file says', () => {
    expect(fromTokens(JSON.stringify({ ...good, AccountId: '9' }))?.accountId).toBe('012345678901')
  })
})
