/**
 * Entra ID: what every provider promises, and its own pages, factors and refusals.
 */
import { describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { inflateRawSync } from 'node:zlib'
import { entra } from '../src/provider-entra.ts'
import { testContext, type TestContext, type TestContextOptions } from './context.ts'
import { responsePage, samlResponse, serve } from './fake-idp.ts'
import { startEntra } from './idp-entra.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { visits } from './walk.ts'

const domain = 'corp.example'
const atHome = { ...entra, authenticate: (context: TestContext['context']) => entra.authenticate(within(context)) }
providerCase('E02 E05 E10 E13 entra', atHome, () => startEntra())

const withProof =
  (authMethodId: string, ...ends: readonly object[]) =>
  () =>
    startEntra({ proofs: [{ authMethodId, isDefault: true }], ends })
const waiting = Array.from({ length: 200 }, () => ({ Retry: true }))
factorCase('E06 E07 entra', atHome, {
  push: {
    given: withProof('PhoneAppNotification', { Retry: true }),
    refused: withProof('PhoneAppNotification', { ResultValue: 'PhoneAppDenied' }),
    silent: withProof('PhoneAppNotification', ...waiting),
  },
  code: withProof('PhoneAppOTP', { ErrCode: 500_121 }),
})

/** The suite knows `jane`; here that is an address. */
function within<C extends TestContext['context']>(context: C): C {
  return { ...context, settings: { ...context.settings, domain } }
}

const { signIn, succeeds } = visits(entra, startEntra, { domain })

describe('entra pages', () => {
  for (const [name, tail] of [
    ['a line break', '\n'],
    ['nothing', ''],
    ['more script on the same line', 'if (window.x) { y({"a":1}); }'],
  ] as const) {
    test(`E01: settings followed by ${name}`, () => succeeds({ tail }))
  }

  test('E03: the token goes under the name that the page gives it', () => succeeds({ tokenName: 'ft' }))

  test('E04: an organisation that signs in at its AD FS is followed there, once approved', async () => {
    const { idp, made } = await succeeds(
      { federated: true },
      { answers: [['sends the sign-in on to localhost', true]] },
    )
    expect(idp.paths).not.toContain('POST /tenant/login')
    expect(made.asked).toHaveLength(1)
    const refused = await signIn({ federated: true }, { answers: [['sends the sign-in on', false]] })
    expect([refused.error, refused.idp.posts()]).toEqual([expect.objectContaining({ code: 'foreign-host' }), 0])
  })

  test('E09: a second factor may be registered later, while there is time', async () => {
    const after = {
      pgid: 'ConvergedProofUpRedirect',
      urlSkipMfaRegistration: '/skip',
      iRemainingDaysToSkipMfaRegistration: 12,
    }
    const { made } = await succeeds({ after })
    expect(made.told).toEqual([expect.stringContaining('within 12 days')])
    const stop = await signIn({ after: { pgid: 'ConvergedProofUpRedirect' } })
    expect(stop.error).toMatchObject({ kind: 'person', message: expect.stringContaining('register') })
  })

  test('E11: another page is named, and a browser offered', async () => {
    const { error } = await signIn({ first: { pgid: 'ConvergedPasskey' } })
    expect(error).toMatchObject({
      kind: 'person',
      code: 'mfa-unsupported',
      message: expect.stringContaining('ConvergedPasskey'),
      hint: expect.stringContaining('browser'),
    })
  })

  test('E11: an account without a password is sent none', async () => {
    const { error, idp } = await signIn({ credentials: { HasPassword: false } })
    expect(error).toMatchObject({ code: 'mfa-unsupported', message: expect.stringContaining('passkey') })
    expect(idp.posts()).toBe(0)
  })

  test('E12: a loop ends, told of or not', async () => {
    const { error } = await signIn({ first: { pgid: 'ConvergedError', sErrorCode: '50196', sErrTxt: 'Loop.' } })
    expect(error).toMatchObject({ kind: 'network', message: expect.stringContaining('circles (AADSTS50196: Loop.)') })
    const again = await signIn({ after: { pgid: 'ConvergedProofUpRedirect', urlSkipMfaRegistration: '/tenant/saml2' } })
    expect(again.error).toMatchObject({ kind: 'network', message: expect.stringContaining('round in circles') })
    expect(again.idp.posts()).toBe(1)
  })

  for (const [number, kind, code, words] of [
    ['53000', 'refused', 'no-access', 'lets in only devices that meet the rules'],
    ['53001', 'refused', 'no-access', 'joined to your organisation'],
    ['53003', 'refused', 'no-access', 'conditional-access rule'],
    ['50105', 'refused', 'no-access', 'not assigned to the app'],
    ['50057', 'refused', 'account-disabled', 'disabled'],
    ['50055', 'refused', 'password-expired', 'expired'],
    ['50034', 'refused', 'username-refused', 'user name'],
    ['50079', 'person', 'mfa-unsupported', 'register a second factor'],
    ['700016', 'config', 'sp-unknown', 'does not know the app'],
    ['99999', 'network', 'idp-error', 'AADSTS99999'],
  ] as const) {
    test(`refusal ${number} in plain words`, async () => {
      const { error } = await signIn({
        after: { pgid: 'ConvergedError', sErrorCode: number, sErrTxt: 'Text <b>x</b>' },
      })
      expect(error).toMatchObject({ kind, code, message: expect.stringContaining(words) })
    })
  }
})

describe('entra second factors', () => {
  const push = { authMethodId: 'PhoneAppNotification', display: '+X XXXXXXXX42' }
  const otp = { authMethodId: 'PhoneAppOTP', display: 'Authenticator' }
  const retry = { Success: false, Retry: true }

  test('E06: a push is waited for; a number is shown where there is one', async () => {
    const plain = await succeeds({ proofs: [push], ends: [retry, retry] })
    expect(plain.made.told).toEqual([expect.stringContaining('approve the sign-in: Authenticator app')])
    expect([plain.idp.factors.length, plain.made.waited()]).toEqual([4, 6000])
    const number = await succeeds({ proofs: [push], entropy: 57, ends: [retry, retry] })
    expect(number.made.told.at(-1)).toBe('Number to match: 57')
  })

  for (const [end, code] of [
    [{ ResultValue: 'PhoneAppDenied', ErrCode: 500121 }, 'mfa-refused'],
    [{ ResultValue: 'PhoneAppNoResponse', ErrCode: 500121 }, 'mfa-timeout'],
  ] as const) {
    test(`E06: a push that ends with ${end.ResultValue}`, async () => {
      expect((await signIn({ proofs: [push], ends: [retry, end] })).error).toMatchObject({ kind: 'refused', code })
    })
  }

  test('E07: a wrong code is asked for again, the password not', async () => {
    const { idp, made } = await succeeds(
      { proofs: [otp], ends: [{ ErrCode: 500121, Message: 'Wrong code.' }] },
      {
        answers: [
          ['code of the Authenticator app: Authenticator', '111111'],
          ['code of the Authenticator app', '123456'],
        ],
      },
    )
    expect(idp.factors).toEqual(['PhoneAppOTP', 'EndAuth 111111', 'EndAuth 123456'])
    expect(made.told).toEqual([expect.stringContaining('refused the one-time code: Wrong code.')])
  })

  test('E08: the default of several, or the configured one, or the one for a code that is there', async () => {
    const proofs = [{ ...otp }, { ...push, isDefault: true }, { authMethodId: 'FidoKey' }]
    const begun = async (context?: TestContextOptions): Promise<string | undefined> =>
      (await succeeds({ proofs }, context)).idp.factors[0]
    expect(await begun()).toBe('PhoneAppNotification')
    expect(await begun({ settings: { mfaMethod: 'PhoneAppOTP', mfaCode: '1' } })).toBe('PhoneAppOTP')
    expect(await begun({ settings: { mfaCode: '123456' } })).toBe('PhoneAppOTP')
    const menu =
      'code of the Authenticator app: Authenticator, Authenticator app: +X XXXXXXXX42, security key or passkey'
    expect(
      await begun({
        settings: { mfaMethod: 'ask' },
        answers: [
          [menu, 'code of the Authenticator app: Authenticator'],
          ['code of', '1'],
        ],
      }),
    ).toBe('PhoneAppOTP')
  })

  test('a method by the name of something that every object has is one that nobody knows', async () => {
    const { error } = await signIn({ proofs: [{ authMethodId: 'constructor', isDefault: true }] })
    expect(error).toMatchObject({ kind: 'person', code: 'mfa-unsupported' })
  })

  test('SMS and calls', async () => {
    const sms = await succeeds({ proofs: [{ authMethodId: 'OneWaySMS' }] }, { answers: [['code by SMS', '1']] })
    expect(sms.idp.factors).toEqual(['OneWaySMS', 'EndAuth 1'])
    const call = await succeeds({ proofs: [{ authMethodId: 'TwoWayVoiceMobile', display: '42' }] })
    expect(call.made.told).toEqual([expect.stringContaining('answer the call: phone call: 42')])
  })

  test('nothing but a key needs a browser; in the background nothing is begun', async () => {
    const key = await signIn({ proofs: [{ authMethodId: 'FidoKey', isDefault: true }] })
    expect(key.error).toMatchObject({ kind: 'person', code: 'mfa-unsupported' })
    const silent = await signIn({ proofs: [push] }, { mode: 'refresh' })
    expect(silent.error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
    expect([...key.idp.factors, ...silent.idp.factors]).toEqual([])
  })
})

describe('entra addresses', () => {
  test('a tenant and the identifier of the app make the request of AWS', async () => {
    const requests: URL[] = []
    const server = await serve('127.0.0.1', ({ path }, origin) => {
      requests.push(new URL(path, origin))
      return { body: responsePage() }
    })
    const { context } = await testContext({ settings: { url: `${server.origin}/tenant-1`, appId: 'urn:x?a=1&b' } })
    const assertion = await entra.authenticate(context).finally(() => server.stop())
    expect(assertion).toEqual({ kind: 'saml', response: samlResponse() })
    const xml = inflateRawSync(Buffer.from(requests[0]?.searchParams.get('SAMLRequest') ?? '', 'base64')).toString()
    expect(requests.map(({ pathname }) => pathname)).toEqual(['/tenant-1/saml2'])
    expect(xml).toContain('>urn:x?a=1&amp;b</Issuer>')
  })

  test('an address without an app says what is missing', async () => {
    for (const url of ['https://login.microsoftonline.com/tenant-1/saml2', 'https://myapps.microsoft.com/']) {
      const { context } = await testContext({ settings: { url } })
      const error = await entra.authenticate(context).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ kind: 'config', code: 'app-missing' })
    }
  })
})
