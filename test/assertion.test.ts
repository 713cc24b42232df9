import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { checkFresh, checkStatus, parseRolePair, readAssertion, timeSpan } from '../src/assertion.ts'
import {
  encode,
  providerArn,
  roleArn,
  roleValue,
  samlResponse,
  samlXml,
  assertionXml,
  type SamlOptions,
} from './saml.ts'
import { failureIn } from './failure.ts'

const read = (options: SamlOptions = {}) => readAssertion(samlResponse(options))
const names = (options: SamlOptions) => read(options).roles.map(role => role.roleArn.split('/').at(-1) ?? '')

describe('a response', () => {
  test('as AWS documents it', () => {
    expect(read({ attributes: { SessionDuration: '28800' } })).toEqual({
      response: samlResponse({ attributes: { SessionDuration: '28800' } }),
      status: { success: true, codes: ['Success'] },
      roles: [{ roleArn: roleArn('Admin'), providerArn: providerArn() }],
      roleAttribute: 'present',
      warnings: [],
      sessionDuration: 28_800,
      roleSessionName: 'ada@example.com',
      nameId: 'ada',
      issuer: 'https://idp.example.com/metadata',
      destination: 'https://signin.aws.amazon.com/saml',
      issueInstant: new Date('2026-03-01T10:00:00Z'),
      notBefore: new Date('2026-03-01T09:59:30Z'),
      notOnOrAfter: new Date('2026-03-01T10:05:00Z'),
      sessionNotOnOrAfter: new Date('2026-03-01T18:00:00Z'),
      encrypted: false,
    })
  })

  test('R06 the prefix does not matter', () => {
    const { response: _, ...plain } = read()
    for (const [prefix, protocolPrefix] of [
      ['saml2', 'saml2p:'],
      ['', 'samlp:'],
      ['q1', 'ns0:'],
      ['', ''],
    ] as const) {
      const { response: __, ...other } = read({ prefix, protocolPrefix })
      expect(other).toEqual(plain)
    }
  })

  test('R13 the recipient stands in for a missing destination', () => {
    const recipient = 'https://eu-west-1.signin.aws.amazon.com/saml'
    expect(read({ destination: undefined, recipient }).destination).toBe(recipient)
    expect(read({ destination: undefined, recipient: undefined })).not.toHaveProperty('destination')
  })

  test('R15 an encrypted assertion is told from one without roles', () => {
    const sealed = read({ body: '<saml:EncryptedAssertion xmlns:saml="s"><x/></saml:EncryptedAssertion>' })
    expect([sealed.encrypted, sealed.roleAttribute, sealed.roles.length]).toEqual([true, 'missing', 0])
  })

  test('R19 names beyond ASCII are kept', () => {
    const found = read({ attributes: { RoleSessionName: 'Zoë Ångström' }, nameId: '日本 & co'.replace('&', '&amp;') })
    expect([found.roleSessionName, found.nameId]).toEqual(['Zoë Ångström', '日本 & co'])
  })

  test('a bare assertion shows its roles', () => {
    expect(readAssertion(encode(assertionXml())).roles).toHaveLength(1)
  })

  test('the earliest end counts', () => {
    const found = read({ notOnOrAfter: '2026-03-01T10:09:00Z', confirmUntil: '2026-03-01T10:01:00Z' })
    expect(found.notOnOrAfter).toEqual(new Date('2026-03-01T10:01:00Z'))
  })
})

describe('base64', () => {
  const plain = samlResponse()

  test('R20 line breaks and blanks are dropped', () => {
    const folded = plain.replace(/.{76}/g, '$&\r\n')
    expect(readAssertion(` ${folded}\n`).response).toBe(plain)
  })

  test('percent-encoded text is decoded', () => {
    const encoded = encodeURIComponent(plain.replace(/.{76}/g, '$&\r\n'))
    expect(encoded).toContain('%')
    expect(readAssertion(encoded).response).toBe(plain)
  })

  test.each([
    ['empty', ' \n', 'it is empty'],
    ['not base64', 'SAML?', 'it is not base64'],
    ['percent signs and still not base64', '%3Cxml%3E', 'it is not base64'],
    ['not XML', encode('hello'), 'text outside the root'],
    ['HTML', encode('<!DOCTYPE html><html><body>hi</body></html>'), 'a document type is not allowed'],
    ['another root', encode('<saml:Issuer xmlns:saml="x"/>'), 'its root is Issuer'],
    [
      'an entity of its own',
      encode(`<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>${samlXml({ prolog: '' })}`),
      'a document type',
    ],
    ['cut off', encode(samlXml().slice(0, -17)), 'cut off'],
    ['Latin-1', Buffer.from(samlXml({ nameId: 'Zoë' }), 'latin1').toString('base64'), 'it is not UTF-8'],
    ['random bytes', Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3]).toString('base64'), 'it is not UTF-8'],
  ])('R16 %s is a clean error', (_, text, reason) => {
    const error = failureIn(() => readAssertion(text))
    expect([error.kind, error.code]).toEqual(['network', 'assertion-unreadable'])
    expect(error.message).toStartWith('the SAML response cannot be read: ')
    expect(error.message).toContain(reason)
  })
})

describe('roles', () => {
  test('R01 provider and role in either order', () => {
    const swapped = `${providerArn()},${roleArn('B')}`
    expect(read({ roles: [roleValue('A'), swapped, roleValue('C')] }).roles).toEqual(
      ['A', 'B', 'C'].map(name => ({ roleArn: roleArn(name), providerArn: providerArn() })),
    )
  })

  test('R02 white space around and between', () => {
    const roles = [`\n\t\t${roleValue('A')}\n\t`, `${roleArn('B')} ,\n ${providerArn()}`, `&#x9;${roleValue('C')}&#xA;`]
    expect(names({ roles })).toEqual(['A', 'B', 'C'])
  })

  test('R03 what is odd is left out, with a warning each', () => {
    const bad = [
      `${roleValue('X')},word`,
      'oops,ohno',
      '',
      providerArn(),
      roleArn('Y'),
      `${roleValue('Z')},${roleArn('Z')}`,
    ]
    const found = read({ roles: [roleValue('A'), ...bad, `${roleValue('B')},`] })
    expect(found.roles.map(role => role.roleArn)).toEqual([roleArn('A'), roleArn('B')])
    expect(found.warnings).toHaveLength(bad.length)
    expect(found.warnings.every(warning => warning.startsWith('not a role with its provider'))).toBe(true)
  })

  test('R04 missing, empty and bad are three things', () => {
    expect(read({ withoutRoles: true }).roleAttribute).toBe('missing')
    expect(read({ roles: [] }).roleAttribute).toBe('empty')
    expect(read({ roles: ['  '] }).roleAttribute).toBe('empty')
    expect(read({ roles: ['oops'] }).roleAttribute).toBe('present')
  })

  test('R05 several attributes of the name are one', () => {
    expect(names({ roles: [[roleValue('A')], [roleValue('B'), roleValue('C')]] })).toEqual(['A', 'B', 'C'])
  })

  test('R07 other partitions, a region in the ARN, halves that do not fit: STS decides', () => {
    const pairs = [
      ['arn:aws-cn:iam::1:role/A', 'arn:aws-cn:iam::1:saml-provider/p'],
      ['arn:aws-us-gov:iam:us-gov-west-1:1:role/A', 'arn:aws-us-gov:iam:us-gov-west-1:1:saml-provider/p'],
      ['arn:aws-eusc:iam::1:role/A', 'arn:aws-eusc:iam::1:saml-provider/p'],
      ['arn:aws-iso-b:iam::1:role/A', 'arn:aws-iso-b:iam::1:saml-provider/p'],
      ['arn:aws:iam::1:role/A', 'arn:aws-cn:iam::2:saml-provider/p'],
    ] as const
    const found = read({ roles: pairs.map(pair => pair.join(',')) })
    expect(found.roles).toEqual(pairs.map(([role, provider]) => ({ roleArn: role, providerArn: provider })))
  })

  test('R08 a comma in the name survives, in either order', () => {
    for (const value of [`${roleArn('a,b')},${providerArn()}`, `${providerArn()}, ${roleArn('a,b')}`]) {
      expect(parseRolePair(value)).toEqual({ roleArn: roleArn('a,b'), providerArn: providerArn() })
    }
  })

  test('R11 account ids stay text', () => {
    expect(read({ roles: [roleValue('A', '000123456')] }).roles[0]?.roleArn).toBe(roleArn('A', '000123456'))
  })

  test('R12 comments, CDATA and entities inside a value', () => {
    const roles = [
      roleValue('A').replace('123', '1<!-- x -->23'),
      `<![CDATA[${roleValue('B')}]]>`,
      roleValue('C').replace('arn', '&#97;rn').replace(',', '&#x2c;'),
    ]
    expect(names({ roles })).toEqual(['A', 'B', 'C'])
  })

  test('other attributes that hold ARNs are not roles', () => {
    expect(
      names({ roles: [roleValue('A')], attributes: { 'PrincipalTag:x': roleValue('B'), Roles: roleValue('C') } }),
    ).toEqual(['A'])
  })

  test('a warning shows foreign text on one line, without control characters, cut', () => {
    const [warning = ''] = read({ roles: [`oops\n\u202e${'x'.repeat(500)}`] }).warnings
    expect(warning).toMatch(/^not a role with its provider, left out: oops x+…$/)
    expect(warning.length).toBeLessThan(200)
  })

  test('R10 thousands of roles', () => {
    const roles = Array.from({ length: 5000 }, (_, index) => roleValue(`R${index}`, String(100_000_000_000 + index)))
    expect(read({ roles }).roles).toHaveLength(5000)
  })
})

describe('status', () => {
  const failed = (outer: string, inner: string, message = ''): string =>
    `<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:${outer}">` +
    `<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:${inner}"/></samlp:StatusCode>${message}`

  test('R14 the message of the identity provider is passed on', () => {
    const status = failed(
      'Responder',
      'AuthnFailed',
      '<samlp:StatusMessage>locked\u001b by admin</samlp:StatusMessage>'.replace('\u001b', '\u0085'),
    )
    const error = failureIn(() => checkStatus(read({ status, body: '' })))
    expect([error.kind, error.code]).toEqual(['refused', 'saml-status'])
    expect(error.message).toBe('the identity provider answered with a failure: locked by admin (AuthnFailed)')
    expect(error.hint).toContain('password')
  })

  test('R14 without a message the code has to do', () => {
    const error = failureIn(() => checkStatus(read({ status: failed('Responder', 'NoPassive'), body: '' })))
    expect(error.message).toBe('the identity provider answered with a failure: NoPassive')
    expect(error.hint).toContain('has ended')
  })

  test.each(['constructor', 'toString', '__proto__'])('a code that every object knows is no hint: %s', code => {
    const error = failureIn(() => checkStatus(read({ status: failed('Responder', code), body: '' })))
    expect(error.hint).toStartWith('sign in again')
  })

  test('success passes, with a code inside too', () => {
    expect(() => checkStatus(read())).not.toThrow()
    expect(() => checkStatus(read({ status: failed('Success', 'Whatever') }))).not.toThrow()
  })

  test('a status without a code is no success', () => {
    expect(() => checkStatus(read({ status: '<x/>' }))).toThrow('no status')
  })
})

describe('times', () => {
  const at = (text: string): number => Date.parse(text)

  test('a fresh one passes', () => {
    expect(() => checkFresh(read(), at('2026-03-01T10:00:05Z'))).not.toThrow()
  })

  test('R17 not valid before in two minutes: the clock', () => {
    const error = failureIn(() => checkFresh(read({ notBefore: '2026-03-01T10:02:00Z' }), at('2026-03-01T10:00:00Z')))
    expect([error.kind, error.code]).toEqual(['sts', 'clock-skew'])
    expect(error.message).toContain('only in 2 minutes')
  })

  test('R17 over: expired', () => {
    const error = failureIn(() => checkFresh(read(), at('2026-03-01T10:15:00Z')))
    expect([error.kind, error.code]).toEqual(['sts', 'assertion-expired'])
    expect(error.message).toBe('the assertion expired 10 minutes ago')
  })

  test('R17 five minutes after its issue it is over, whatever it says itself', () => {
    const late = { notOnOrAfter: '2026-03-01T20:00:00Z', confirmUntil: '2026-03-01T20:00:00Z' }
    expect(() => checkFresh(read(late), at('2026-03-01T10:04:59Z'), 0)).not.toThrow()
    expect(() => checkFresh(read(late), at('2026-03-01T10:05:00Z'), 0)).toThrow('expired')
  })

  test('clocks may be a little apart, by as much as the caller says', () => {
    const found = read({ notBefore: '2026-03-01T10:00:00Z' })
    expect(() => checkFresh(found, at('2026-03-01T09:59:10Z'))).not.toThrow()
    expect(() => checkFresh(found, at('2026-03-01T09:59:10Z'), 10_000)).toThrow('clock')
    expect(() => checkFresh(found, at('2026-03-01T10:05:50Z'))).not.toThrow()
    expect(() => checkFresh(found, at('2026-03-01T10:05:50Z'), 10_000)).toThrow('expired')
  })

  test('R17 times that contradict each other are ignored, with a warning', () => {
    const found = read({ notBefore: '2100-01-01T00:00:00Z', notOnOrAfter: '2011-01-01T00:00:00Z' })
    expect(found.warnings).toEqual(['the assertion ends before it begins; its times are ignored'])
    expect(() => checkFresh(found, at('2026-03-01T10:00:00Z'))).not.toThrow()
  })

  test('R17 a time that is none is ignored, with a warning', () => {
    const found = read({ notBefore: 'This-is-invalid', sessionNotOnOrAfter: '', issueInstant: 'soon' })
    expect(found.warnings).toEqual([
      'NotBefore of Conditions is no time, ignored: This-is-invalid',
      'IssueInstant of Response is no time, ignored: soon',
      'SessionNotOnOrAfter of AuthnStatement is no time, ignored: ',
    ])
    expect(() => checkFresh(found, at('2026-03-01T10:00:00Z'))).not.toThrow()
  })

  test.each(['abc', '100', '99999', '-3600', '3600.5', '1e4', '9'.repeat(400)])(
    'R18 SessionDuration %.20s is ignored',
    text => {
      const found = read({ attributes: { SessionDuration: text } })
      expect(found).not.toHaveProperty('sessionDuration')
      expect(found.warnings).toHaveLength(1)
    },
  )

  test.each(['900', '3600', ' 43200 '])('R18 SessionDuration %j is used', text => {
    expect(read({ attributes: { SessionDuration: text } }).sessionDuration).toBe(Number(text))
  })

  test('spans in words', () => {
    const spans = [0, 1000, 59_000, 119_000, 120_000, -600_000, 7_100_000, 7_200_000, 5 * 86_400_000].map(timeSpan)
    expect(spans).toEqual([
      '0 seconds',
      '1 second',
      '59 seconds',
      '119 seconds',
      '2 minutes',
      '10 minutes',
      '118 minutes',
      '2 hours',
      '5 days',
    ])
  })
})
