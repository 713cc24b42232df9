import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createHttp } from '../src/http.ts'
import { createLog, redact } from '../src/log.ts'
import {
  assumeRoleWithSaml,
  callerIdentity,
  checkDuration,
  isExpiredAssertion,
  type AssumeRoleWithSaml,
} from '../src/sts.ts'
import { failureOf } from './failure.ts'
import { assumed, identity, startFakeSts, stsError, success, type FakeSts } from './fake-sts.ts'
import { providerArn, roleArn, samlResponse } from './saml.ts'

const now = Date.parse('2026-03-01T10:00:00Z')
const date = { date: 'Sun, 01 Mar 2026 10:00:00 GMT' }
const response = samlResponse()
const role = { roleArn: roleArn('Admin'), providerArn: providerArn() }

let sts: FakeSts
let said: string

beforeEach(async () => {
  sts = await startFakeSts()
  said = ''
})
afterEach(() => sts.stop())

const log = createLog({ stderr: text => (said += text) })

function assume(options: Partial<AssumeRoleWithSaml> = {}) {
  return assumeRoleWithSaml({ role, response, env: sts.env, http: createHttp(), now: () => now, log, ...options })
}

const durations = (): string[] => sts.requests.map(({ parameters }) => parameters['DurationSeconds'] ?? '')

describe('AssumeRoleWithSAML', () => {
  test('asks as AWS documents it, and keeps the answer', async () => {
    sts.queue('AssumeRoleWithSAML', assumed())
    expect(await assume()).toEqual({
      accessKeyId: 'ASIAFAKEFAKEFAKEFAKE',
      secretAccessKey: 'fake/secret+key',
      sessionToken: 'fake-session-token==',
      expiration: new Date('2026-03-01T11:00:00Z'),
      issued: new Date(now),
      roleArn: role.roleArn,
      accountId: '123456789012',
      samlProvider: role.providerArn,
      issuer: 'https://idp.example.com/metadata',
      assumedRoleArn: 'arn:aws:sts::123456789012:assumed-role/Admin/ada@example.com',
    })
    expect(sts.requests[0]?.parameters).toEqual({
      Action: 'AssumeRoleWithSAML',
      Version: '2011-06-15',
      RoleArn: role.roleArn,
      PrincipalArn: role.providerArn,
      SAMLAssertion: response,
      DurationSeconds: '3600',
    })
    expect(said).toBe('')
  })

  test('T08 the end is what STS says, without the fraction, never later', async () => {
    sts.queue('AssumeRoleWithSAML', assumed({ expiration: '2026-03-01T10:20:59.999Z' }))
    expect((await assume({ durationSeconds: 43_200 })).expiration).toEqual(new Date('2026-03-01T10:20:59Z'))
  })

  test('the duration: what the person says, what the assertion says, an hour', async () => {
    sts.queue('AssumeRoleWithSAML', assumed(), assumed(), assumed())
    await assume({ durationSeconds: 900, suggestedSeconds: 28_800 })
    await assume({ suggestedSeconds: 28_800 })
    await assume()
    expect(durations()).toEqual(['900', '28800', '3600'])
  })

  test('T10 one response serves several roles', async () => {
    sts.queue('AssumeRoleWithSAML', assumed(), assumed({ role: 'B' }), assumed({ role: 'C' }))
    for (const name of ['Admin', 'B', 'C']) {
      const credentials = await assume({ role: { ...role, roleArn: roleArn(name) } })
      expect(credentials.roleArn).toBe(roleArn(name))
      expect(credentials.assumedRoleArn).toContain(`/${name}/`)
    }
  })

  test('R20 90,000 characters pass, 120,000 are refused before the call', async () => {
    sts.queue('AssumeRoleWithSAML', assumed())
    await assume({ response: 'A'.repeat(90_000) })
    expect(sts.requests[0]?.parameters['SAMLAssertion']).toHaveLength(90_000)
    const error = await failureOf(assume({ response: 'A'.repeat(120_000) }))
    expect([error.kind, error.code]).toEqual(['sts', 'assertion-too-large'])
    expect(error.message).toContain('120000 characters')
  })

  test('the new secrets are starred from then on', async () => {
    const fresh = assumed()
    sts.queue('AssumeRoleWithSAML', { ...fresh, body: fresh.body.replace('fake/secret+key', 'neverShownSecret') })
    await assume()
    expect(redact('x neverShownSecret fake-session-token== y')).toBe('x ***** ***** y')
  })

  test.each([
    ['without credentials', success('AssumeRoleWithSAML', '<Issuer>x</Issuer>')],
    ['without an end', { ...assumed(), body: assumed().body.replace(/<Expiration>.*<\/Expiration>/, '') }],
    ['without a token', { ...assumed(), body: assumed().body.replace(/<SessionToken>.*<\/SessionToken>/, '') }],
    ['with a key of two lines', { ...assumed(), body: assumed().body.replace('fake/secret+key', 'fake&#10;key') }],
    ['with an end that is no time', assumed({ expiration: 'tomorrow' })],
    ['that is a page', { status: 200, body: '<!DOCTYPE html><html><body>Please sign in</body></html>' }],
    ['that is empty', { status: 200, body: '' }],
  ])('an answer %s is no set of credentials', async (_, reply) => {
    sts.queue('AssumeRoleWithSAML', reply)
    const error = await failureOf(assume())
    expect([error.kind, error.code]).toEqual(['network', 'sts-unreadable'])
  })
})

describe('duration', () => {
  const exceeds = stsError(
    'ValidationError',
    'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
  )
  const atMost = (limit: number) =>
    stsError(
      'ValidationError',
      "1 validation error detected: Value '43200' at 'durationSeconds' failed to satisfy constraint: " +
        `Member must have value less than or equal to ${limit}`,
    )

  test('T02 too long for the role: an hour instead, with a warning', async () => {
    sts.queue('AssumeRoleWithSAML', exceeds, assumed())
    await assume({ durationSeconds: 43_200 })
    expect(durations()).toEqual(['43200', '3600'])
    expect(said).toBe(
      'cloudtoken: warning: Admin does not allow sessions of 43200 seconds; asking for 3600\n' +
        'cloudtoken: hint: --session-duration 3600\n',
    )
  })

  test('T03 the limit that STS names', async () => {
    sts.queue('AssumeRoleWithSAML', atMost(7200), assumed())
    await assume({ durationSeconds: 43_200 })
    expect(durations()).toEqual(['43200', '7200'])
  })

  test('T03 and an hour where that is still too long', async () => {
    sts.queue('AssumeRoleWithSAML', atMost(7200), exceeds, assumed())
    await assume({ durationSeconds: 43_200 })
    expect(durations()).toEqual(['43200', '7200', '3600'])
  })

  test('what only the assertion suggested is no warning', async () => {
    sts.queue('AssumeRoleWithSAML', exceeds, assumed())
    await assume({ suggestedSeconds: 28_800 })
    expect(durations()).toEqual(['28800', '3600'])
    expect(said).not.toContain('warning')
  })

  test('an hour that is refused is not asked for again', async () => {
    sts.queue('AssumeRoleWithSAML', exceeds)
    const error = await failureOf(assume())
    expect([error.kind, error.code]).toEqual(['sts', 'ValidationError'])
    expect(error.hint).toContain('--session-duration')
  })

  test('another validation error has nothing to do with it', async () => {
    sts.queue('AssumeRoleWithSAML', stsError('ValidationError', 'Request ARN is invalid'))
    const error = await failureOf(assume({ durationSeconds: 43_200 }))
    expect(error.message).toBe('STS does not accept the request: Request ARN is invalid')
    expect(error.hint).toContain('ARNs')
  })

  test.each([899, 43_201, 0, -1, 3600.5, Number.NaN])('T04 %p is refused before the call', async seconds => {
    const error = await failureOf(assume({ durationSeconds: seconds }))
    expect(error.kind).toBe('usage')
    expect(error.message).toContain('900 to 43200')
  })

  test('T04 the ends of the range are fine', () => {
    expect([900, 43_200, undefined].map(checkDuration)).toEqual([900, 43_200, undefined])
  })
})

describe('refusals', () => {
  const table: readonly [code: string, status: number, message: string, says: string, hint: string][] = [
    ['AccessDenied', 403, 'Not authorized to perform sts:AssumeRoleWithSAML', role.roleArn, 'trust policy'],
    ['InvalidIdentityToken', 400, 'Specified provider does not exist', role.providerArn, 'metadata'],
    ['IDPRejectedClaim', 403, 'rejected', 'withdrew', 'locked or disabled'],
    ['ExpiredTokenException', 400, 'Token must be redeemed within 5 minutes of issuance', 'too old', 'sign in again'],
    ['RegionDisabledException', 403, 'STS is not activated in this region', 'us-east-1', '--region'],
    ['MalformedPolicyDocument', 400, 'bad', 'too large or malformed', 'PrincipalTag'],
    ['PackedPolicyTooLarge', 400, '120%', '120%', 'PrincipalTag'],
    ['InvalidClientTokenId', 403, 'invalid', 'does not know', 'partition'],
    ['SomethingNew', 400, 'never seen', 'never seen (SomethingNew)', 'documentation'],
  ]

  test.each(table)('T05 T06 T07 %s', async (code, status, message, says, hint) => {
    sts.queue('AssumeRoleWithSAML', stsError(code, message, status, date))
    const error = await failureOf(assume())
    expect([error.kind, error.code]).toEqual(['sts', code])
    expect(error.message).toContain(says)
    expect(error.hint).toContain(hint)
    expect(isExpiredAssertion(error)).toBe(code === 'ExpiredTokenException')
  })

  test('R21 a role of IAM Identity Center is the reason itself', async () => {
    sts.queue('AssumeRoleWithSAML', stsError('AccessDenied', 'Not authorized to perform sts:AssumeRoleWithSAML', 403))
    const error = await failureOf(
      assume({ role: { ...role, roleArn: roleArn('AWSReservedSSO_Ops_0123456789abcdef') } }),
    )
    expect(error.hint).toContain('cannot be assumed with SAML')
  })

  test.each([
    [10, 'fast'],
    [-10, 'slow'],
  ])('T13 a clock %d minutes off is named', async (minutes, word) => {
    sts.queue(
      'AssumeRoleWithSAML',
      stsError('ExpiredTokenException', 'Token must be redeemed within 5 minutes', 400, date),
    )
    const error = await failureOf(assume({ now: () => now + minutes * 60_000 }))
    expect(error.code).toBe('ExpiredTokenException')
    expect(error.message).toContain(`this machine's clock is 10 minutes ${word}`)
    expect(error.hint).toContain('set the clock')
  })

  test('T13 on success it is a warning; a minute is nothing', async () => {
    sts.queue('AssumeRoleWithSAML', { ...assumed(), headers: date }, { ...assumed(), headers: date })
    await assume({ now: () => now + 60_000 })
    expect(said).toBe('')
    await assume({ now: () => now - 600_000 })
    expect(said).toStartWith("cloudtoken: warning: this machine's clock is 10 minutes slow")
  })

  test('no error shows the assertion or spans lines', async () => {
    sts.queue('AssumeRoleWithSAML', stsError('ValidationError', `bad\n\u0085thing ${'x'.repeat(2000)}`))
    const error = await failureOf(assume())
    expect(error.message).not.toContain(response)
    expect(error.message).toMatch(/^\P{Control}{1,600}$/u)
  })
})

describe('network', () => {
  test('T11 two failures of STS and a broken connection are retried', async () => {
    const broken = stsError('InternalFailure', 'oops', 500)
    sts.queue('AssumeRoleWithSAML', broken, broken, 'reset', assumed())
    expect((await assume()).accessKeyId).toBe('ASIAFAKEFAKEFAKEFAKE')
    expect(sts.requests).toHaveLength(4)
  })

  test('T11 but not for ever', async () => {
    const broken = stsError('ServiceUnavailable', 'no', 503)
    sts.queue('AssumeRoleWithSAML', broken, broken, broken, broken)
    const error = await failureOf(assume())
    expect([error.kind, error.code]).toEqual(['network', 'ServiceUnavailable'])
    expect(error.message).toContain('HTTP 503')
  })

  test('too many requests are tried again, later', async () => {
    sts.queue('AssumeRoleWithSAML', stsError('Throttling', 'Rate exceeded'), assumed())
    await assume()
    expect(sts.requests).toHaveLength(2)
  })

  test('a refusal is not retried', async () => {
    sts.queue('AssumeRoleWithSAML', stsError('AccessDenied', 'no', 403))
    await failureOf(assume())
    expect(sts.requests).toHaveLength(1)
  })

  test('nobody there', async () => {
    const gone = await startFakeSts()
    await gone.stop()
    const error = await failureOf(assume({ env: gone.env }))
    expect(error.kind).toBe('network')
    expect(error.message).toContain(new URL(gone.url).host)
  })

  test('no answer in time is not asked again', async () => {
    sts.queue('AssumeRoleWithSAML', 'hang')
    const error = await failureOf(assume({ http: createHttp({ timeoutMs: 100 }) }))
    expect([error.kind, error.code]).toEqual(['network', 'timeout'])
    expect(sts.requests).toHaveLength(1)
  })

  test('giving up is at once', async () => {
    sts.queue('AssumeRoleWithSAML', 'hang')
    const controller = new AbortController()
    const work = assume({ signal: controller.signal })
    while (sts.requests.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
    controller.abort(new Error('stopped'))
    expect(String(await work.catch((error: unknown) => error))).toBe('Error: stopped')
    expect(String(await assume({ signal: controller.signal }).catch((error: unknown) => error))).toBe('Error: stopped')
    expect(sts.requests).toHaveLength(1)
  })
})

describe('where it goes', () => {
  /** Answers nothing, and remembers the address. */
  async function target(options: Partial<AssumeRoleWithSaml>): Promise<string> {
    let url = ''
    const http = {
      request: (request: { url: string }) => {
        url = request.url
        return Promise.reject(new Error('seen'))
      },
    }
    await assume({ env: {}, http, ...options }).catch(() => {})
    return url
  }
  const cn = { roleArn: 'arn:aws-cn:iam::1:role/A', providerArn: 'arn:aws-cn:iam::1:saml-provider/p' }
  const eusc = { roleArn: 'arn:aws-eusc:iam::1:role/A', providerArn: 'arn:aws-eusc:iam::1:saml-provider/p' }

  test('R07 to the endpoint of the role, not of a setting', async () => {
    expect(await target({})).toBe('https://sts.us-east-1.amazonaws.com/')
    expect(await target({ region: 'eu-west-1' })).toBe('https://sts.eu-west-1.amazonaws.com/')
    expect(await target({ role: cn })).toBe('https://sts.cn-north-1.amazonaws.com.cn/')
    expect(await target({ role: cn, region: 'eu-west-1' })).toBe('https://sts.cn-north-1.amazonaws.com.cn/')
    expect(await target({ role: eusc })).toBe('https://sts.eusc-de-east-1.amazonaws.eu/')
  })

  test('AWS_ENDPOINT_URL_STS replaces it, AWS_ENDPOINT_URL and AWS_REGION do not', async () => {
    expect(await target({ env: { AWS_ENDPOINT_URL_STS: 'https://sts.example.com/base' } })).toBe(
      'https://sts.example.com/base/',
    )
    const others = {
      AWS_ENDPOINT_URL: 'https://other.example.com',
      AWS_REGION: 'eu-west-1',
      AWS_DEFAULT_REGION: 'eu-west-1',
    }
    expect(await target({ env: others })).toBe('https://sts.us-east-1.amazonaws.com/')
    const ignored = { AWS_ENDPOINT_URL_STS: 'https://sts.example.com', AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: 'true' }
    expect(await target({ env: ignored })).toBe('https://sts.us-east-1.amazonaws.com/')
  })

  test('an endpoint that is no URL, a region that is none, a partition that is new', async () => {
    expect((await failureOf(assume({ env: { AWS_ENDPOINT_URL_STS: 'localhost' } }))).kind).toBe('config')
    expect((await failureOf(assume({ env: { AWS_ENDPOINT_URL_STS: 'file:///x' } }))).kind).toBe('config')
    expect((await failureOf(assume({ env: {}, region: 'nowhere' }))).kind).toBe('usage')
    const moon = { roleArn: 'arn:aws-moon:iam::1:role/A', providerArn: 'arn:aws-moon:iam::1:saml-provider/p' }
    const error = await failureOf(assume({ env: {}, role: moon }))
    expect([error.code, error.hint?.includes('AWS_ENDPOINT_URL_STS')]).toEqual(['partition-unknown', true])
    sts.queue('AssumeRoleWithSAML', assumed())
    expect((await assume({ role: moon })).roleArn).toBe(moon.roleArn)
  })
})

describe('GetCallerIdentity', () => {
  const credentials = {
    accessKeyId: 'ASIAFAKEFAKEFAKEFAKE',
    secretAccessKey: 'fake/secret+key',
    sessionToken: 'fake-session-token==',
    expiration: new Date(now + 3_600_000),
    issued: new Date(now),
    roleArn: role.roleArn,
    accountId: '123456789012',
  }
  const who = () => callerIdentity(credentials, { env: sts.env, http: createHttp(), now: () => now, log })

  test('is signed with the credentials', async () => {
    const arn = 'arn:aws:sts::123456789012:assumed-role/Admin/ada@example.com'
    sts.queue('GetCallerIdentity', identity(arn))
    expect(await who()).toEqual({ account: '123456789012', arn, userId: 'AROAFAKE:ada' })
    const headers = sts.requests[0]?.headers
    expect(headers?.['authorization']).toMatch(
      /^AWS4-HMAC-SHA256 Credential=ASIAFAKEFAKEFAKEFAKE\/\d{8}\/us-east-1\/sts\//,
    )
    expect(headers?.['x-amz-security-token']).toBe('fake-session-token==')
  })

  test('expired and unknown credentials', async () => {
    sts.queue(
      'GetCallerIdentity',
      stsError('ExpiredToken', 'The security token included in the request is expired', 403),
    )
    expect((await failureOf(who())).message).toBe('the credentials have expired')
    sts.queue('GetCallerIdentity', stsError('InvalidClientTokenId', 'The security token is invalid.', 403))
    expect((await failureOf(who())).message).toBe('AWS does not know these credentials')
  })
})
