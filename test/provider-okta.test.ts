/**
 * Okta: what every provider promises, and its own states, factors and engines.
 */
import { describe, expect, test } from 'bun:test'
import { readConfig, resolveSettings } from '../src/config.ts'
import { isFailure } from '../src/errors.ts'
import { coreOptions } from '../src/options.ts'
import { okta, oktaEntry } from '../src/provider-okta.ts'
import { testContext, testSettings, type TestContext, type TestContextOptions } from './context.ts'
import { page, samlResponse } from './fake-idp.ts'
import { startDuo } from './idp-duo.ts'
import { jsonReply, oktaForm, startOkta, type OktaFactor, type OktaOptions, type SimulatedOkta } from './idp-okta.ts'
import { factorCase, providerCase } from './provider.case.ts'

providerCase('O01-O02 okta', okta, () => startOkta())

const withPush =
  (...results: string[]) =>
  () =>
    startOkta({ factors: [{ id: 'opf1', factorType: 'push', provider: 'OKTA', results }] })
factorCase('O04 O05 okta', okta, {
  push: {
    given: withPush('WAITING', 'SUCCESS'),
    refused: withPush('WAITING', 'REJECTED'),
    silent: withPush('WAITING'),
  },
  code: () => startOkta({ factors: [{ id: 'sms1', factorType: 'sms', provider: 'OKTA' }] }),
})

interface Outcome {
  readonly made: TestContext
  readonly error: unknown
  readonly idp: SimulatedOkta
}

/** The second sign-in is in the background, with the cookies and files of the first. */
async function signIn(options: OktaOptions, context: TestContextOptions = {}, again?: OktaAgain): Promise<Outcome> {
  const idp = await startOkta(options)
  const attempt = async (more: TestContextOptions): Promise<{ made: TestContext; error: unknown }> => {
    const settings = { url: idp.url, ...context.settings }
    const made = await testContext({ password: 'correct horse', ...more, settings })
    const error = await okta.authenticate(made.context).then(
      assertion => expect(assertion).toEqual({ kind: 'saml', response: samlResponse() }),
      (thrown: unknown) => thrown,
    )
    expect(idp.problems).toEqual([])
    if (error !== undefined && !isFailure(error)) throw error
    return { made, error }
  }
  try {
    const first = await attempt(context)
    if (!again) return { ...first, idp }
    if (first.error !== undefined) throw first.error
    again.before?.(idp)
    return { ...(await attempt({ earlier: first.made, mode: 'refresh' })), idp }
  } finally {
    await idp.stop()
  }
}

interface OktaAgain {
  readonly before?: (idp: SimulatedOkta) => void
}

async function succeeds(...args: Parameters<typeof signIn>): Promise<Outcome> {
  const outcome = await signIn(...args)
  if (outcome.error !== undefined) throw outcome.error
  return outcome
}

const push: OktaFactor = { id: 'opf1', factorType: 'push', provider: 'OKTA', profile: { name: 'Pixel' } }
const sms: OktaFactor = { id: 'sms1', factorType: 'sms', provider: 'OKTA', profile: { phoneNumber: '+1 XXX-4242' } }
const totp = (id: string, provider: string): OktaFactor => ({ id, factorType: 'token:software:totp', provider })
const key: OktaFactor = { id: 'fwf1', factorType: 'webauthn', provider: 'FIDO', profile: { authenticatorName: 'Blue' } }

describe('okta factors', () => {
  test('O03: the list shows labels, and marks what needs a browser', async () => {
    const odd = { id: 'odd1', factorType: 'smoke:signal', provider: 'OKTA' }
    const factors = [key, totp('tot1', 'GOOGLE'), totp('tot2', 'OKTA'), sms, push, odd]
    const list =
      'security key or passkey: Blue (needs a browser), Google Authenticator code, Okta Verify code, code by SMS: +1 XXX-4242, Okta Verify push: Pixel, unknown factor smoke:signal (needs a browser)'
    const { idp, made } = await succeeds(
      { factors },
      {
        answers: [
          [list, 'Okta Verify code'],
          ['Okta Verify code', '123456'],
        ],
      },
    )
    expect(idp.verified).toEqual([
      { id: 'tot2', query: '?rememberDevice=false', body: { stateToken: '00a-b_c', passCode: '123456' } },
    ])
    expect(made.files.get('sign-in.json')).toContain('"Okta Verify code"')
  })

  test('O03: a factor that needs a browser says so when it is chosen, and when there is no other', async () => {
    const chosen = await signIn({ factors: [key, push] }, { settings: { mfaMethod: 'webauthn' } })
    expect(chosen.error).toMatchObject({ kind: 'person', code: 'mfa-unsupported' })
    const only = await signIn({ factors: [key, { id: 'duo1', factorType: 'web', provider: 'DUO' }] })
    expect(only.error).toMatchObject({
      code: 'mfa-unsupported',
      message: expect.stringContaining('Blue (needs a browser), Duo in its retired frame (needs a browser)'),
      hint: expect.stringContaining('--browser'),
    })
    expect([...chosen.idp.verified, ...only.idp.verified]).toEqual([])
  })

  test('O04: a push is waited for, and its number shown', async () => {
    const factors = [{ ...push, number: 17, results: ['WAITING', 'WAITING', 'SUCCESS'] }, key]
    const { made, idp } = await succeeds({ factors })
    expect(made.told).toEqual([expect.stringContaining('Okta Verify push: Pixel'), 'Number to match: 17'])
    expect([idp.verified.length, made.waited()]).toEqual([3, 4000])
  })

  for (const [result, code] of [
    ['REJECTED', 'mfa-refused'],
    ['TIMEOUT', 'mfa-timeout'],
    ['WAITING', 'mfa-timeout'],
    ['CANCELLED', 'mfa-refused'],
  ] as const) {
    test(`O04: a push that ends ${result}`, async () => {
      const { error } = await signIn({ factors: [{ ...push, results: ['WAITING', result] }] })
      expect(error).toMatchObject({ kind: 'refused', code })
    })
  }

  for (const factorType of ['sms', 'call', 'email']) {
    test(`O05: ${factorType} is sent once, a wrong code asked for again`, async () => {
      const { idp, made } = await succeeds(
        { factors: [{ ...sms, factorType }] },
        {
          answers: [
            ['code by', '000000'],
            ['code by', '123456'],
          ],
        },
      )
      expect(idp.verified.map(({ body }) => body['passCode'])).toEqual([undefined, '000000', '123456'])
      expect(made.told).toEqual([
        expect.stringContaining('is on its way'),
        expect.stringContaining('refused the one-time code: Invalid Passcode/Answer'),
      ])
    })
  }

  test('O05: three wrong codes are enough', async () => {
    const { error, idp } = await signIn(
      { factors: [totp('tot1', 'OKTA')] },
      { answers: ['111111', '222222', '333333'].map(code => ['Okta Verify', code] as const) },
    )
    expect(error).toMatchObject({ code: 'mfa-refused' })
    expect(idp.verified).toHaveLength(3)
  })

  test('O06: two pushes of one provider are told apart by their device', async () => {
    const factors = [push, { ...push, id: 'opf2', profile: { name: 'Tablet' } }]
    const asked = await succeeds(
      { factors },
      { answers: [['Pixel, Okta Verify push: Tablet', 'Okta Verify push: Tablet']] },
    )
    expect(asked.idp.verified.map(({ id }) => id)).toEqual(['opf2'])
    const named = await succeeds({ factors }, { settings: { mfaMethod: 'opf2' } })
    expect(named.idp.verified.map(({ id }) => id)).toEqual(['opf2'])
  })

  test('a security question is asked in its own words and answered unseen', async () => {
    const question = { id: 'ufs1', factorType: 'question', profile: { questionText: 'First pet?' } }
    const { idp } = await succeeds({ factors: [question] }, { answers: [['First pet? (', '123456']] })
    expect(idp.verified[0]?.body).toEqual({ stateToken: '00a-b_c', answer: '123456' })
  })

  test('tokens of others, and --mfa-code', async () => {
    for (const [factorType, provider] of [
      ['token:hardware', 'YUBICO'],
      ['token', 'RSA'],
      ['token', 'SYMANTEC'],
    ] as const) {
      const factors = [push, { id: 'tok1', factorType, provider }]
      const { idp } = await succeeds({ factors }, { settings: { mfaCode: '123456' } })
      expect(idp.verified.map(({ id }) => id)).toEqual(['tok1'])
    }
  })

  test('the device is remembered where the policy allows it, by a name that is random', async () => {
    const factors = [{ ...push, results: ['SUCCESS'] }]
    const one = await succeeds({ factors, allowRememberDevice: true })
    const two = await succeeds({ factors })
    expect([one.idp.verified[0]?.query, two.idp.verified[0]?.query]).toEqual([
      '?rememberDevice=true',
      '?rememberDevice=false',
    ])
    const devices = [...one.idp.devices, ...two.idp.devices]
    expect(new Set(devices).size).toBe(2)
    expect(devices.every(device => /^[\da-f-]{36}$/.test(device))).toBe(true)
    expect(one.made.files.get('sign-in.json')).toContain(devices[0] ?? '-')
  })

  test('in the background no push is sent', async () => {
    const factors = [{ ...push, results: ['SUCCESS'] }]
    const { error, idp } = await signIn({ factors }, {}, { before: it => it.endSessions() })
    expect(error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
    expect(idp.verified).toHaveLength(1)
  })
})

describe('okta states', () => {
  for (const [status, kind, code] of [
    ['LOCKED_OUT', 'refused', 'account-locked'],
    ['PASSWORD_EXPIRED', 'refused', 'password-expired'],
    ['MFA_ENROLL', 'person', 'mfa-unsupported'],
    ['RECOVERY', 'person', 'mfa-unsupported'],
  ] as const) {
    test(`O07: ${status}`, async () => {
      const { error, idp } = await signIn({ status })
      expect(error).toMatchObject({ kind, code })
      expect(idp.posts()).toBe(1)
    })
  }

  test('O07: a password that is about to expire is no failure', async () => {
    const { made } = await succeeds({ status: 'PASSWORD_WARN' })
    expect(made.told).toEqual([expect.stringContaining('expires soon')])
  })

  for (const [name, stepUp] of [
    ['O08: a variable', (token: string) => `var stateToken = '${token.replaceAll('-', String.raw`\x2D`)}';`],
    ['O09: an object', (token: string) => `var data = {"a":1,"stateToken":"${token}","b":2};`],
  ] as const) {
    test(`${name} with the token of a step-up`, async () => {
      const { idp } = await succeeds({
        factors: [{ ...push, results: ['SUCCESS'] }],
        stepUp: token => page('ORG - Extra Verification', `<script>${stepUp(token)}</script>`),
      })
      expect([idp.posts(), idp.verified.length]).toEqual([1, 1])
    })
  }

  test('O10: a password that is asked for again is given once', async () => {
    const { idp } = await succeeds({ verify: true })
    expect(idp.posts()).toBe(1)
  })

  test('O11: a living session is enough, also for a step-up', async () => {
    const quiet = await succeeds({}, {}, {})
    expect([quiet.idp.posts(), quiet.made.passwords()]).toEqual([1, 0])
    const stepUp = (token: string): string =>
      page('ORG - Extra Verification', `<script>var stateToken = '${token}'</script>`)
    const loud = await succeeds({ stepUp }, {}, {})
    expect([loud.idp.posts(), loud.made.passwords()]).toEqual([1, 0])
  })

  test('O14: the app of IAM Identity Center is told from the one for roles', () => {
    const entry = (url: string, appId?: string): string => oktaEntry({ ...testSettings({ url }), appId }).href
    expect(() => entry('https://org.okta.com/home/amazon_aws_sso/0oa1/2')).toThrow('IAM Identity Center')
    expect(() => entry('https://org.okta.com/')).toThrow('not of its app for AWS')
    expect(entry('org.okta.com', '0oa1')).toBe('https://org.okta.com/home/amazon_aws/0oa1/272')
  })

  test('O15: what the app says in the place of a response', async () => {
    const { error } = await signIn({
      app: () => page('ORG - Error', '<div class="error-content"><p>Your access was removed on Monday.</p></div>'),
    })
    expect(error).toMatchObject({ message: expect.stringContaining('Your access was removed on Monday.') })
  })

  test('O16: Duo, by way of its own pages, ends with a cookie and no token', async () => {
    const duo = await startDuo({ kind: 'universal' })
    try {
      const next = (origin: string): string => {
        const query = { redirect_uri: `${origin}/login/duo/callback`, state: 'duo-state' }
        return `${duo.origin}/oauth/v1/authorize?${new URLSearchParams(query).toString()}`
      }
      const factors = [
        { id: 'cp1', factorType: 'claims_provider', provider: 'CUSTOM', vendorName: 'Duo Security', next },
      ]
      const { made } = await succeeds(
        { factors },
        { settings: { mfaMethod: 'push' }, answers: [['Choose the second factor', 'Duo Push: iPhone (XXX-XXX-1111)']] },
      )
      expect(duo.problems).toEqual([])
      expect(made.asked.length).toBeLessThan(2)
    } finally {
      await duo.stop()
    }
  })

  test('O17: a response that is percent-encoded in its field', async () => {
    const encoded = oktaForm.replace(
      /(name="SAMLResponse" value=")[^"]*/,
      (_, name: string) => name + encodeURIComponent(samlResponse()),
    )
    await succeeds({ app: () => encoded })
  })

  test('too many requests', async () => {
    const refuse = jsonReply({ errorCode: 'E0000047', errorSummary: 'API call exceeded rate limit' }, 429)
    expect((await signIn({ refuse })).error).toMatchObject({ kind: 'network', code: 'idp-error' })
  })
})

describe('okta Identity Engine', () => {
  const settings = { clientId: '0oaCLIENT' }

  test('O12: the device code is shown, its interval honoured, the tokens exchanged', async () => {
    const polls = ['authorization_pending', 'slow_down', 'authorization_pending']
    const { made, idp } = await succeeds({ pipeline: 'idx', polls }, { settings })
    expect(made.told).toEqual([expect.stringMatching(/activate\?user_code=ABCD-EFGH in a browser .* ABCD-EFGH$/)])
    expect([made.waited(), made.passwords(), idp.posts()]).toEqual([4 * 5000 + 2 * 5000, 0, 0])
    expect(made.logged.join('\n')).not.toMatch(/web-sso-token|access-token-1|id-token-1/)
  })

  test('O12: its session is used again; without it a person is needed', async () => {
    expect((await succeeds({ pipeline: 'idx' }, { settings }, {})).made.told).toEqual([])
    const ended = await signIn({ pipeline: 'idx' }, { settings }, { before: idp => idp.endSessions() })
    expect(ended.error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
  })

  for (const [poll, code] of [
    ['expired_token', 'mfa-timeout'],
    ['access_denied', 'mfa-refused'],
  ] as const) {
    test(`O12: ${poll}`, async () => {
      expect((await signIn({ pipeline: 'idx', polls: [poll] }, { settings })).error).toMatchObject({ code })
    })
  }

  test('O13: policies that differ are explained', async () => {
    const error_description = 'The assurance requirements are not met by the subject_token.'
    const exchange = jsonReply({ error: 'invalid_grant', error_description }, 400)
    expect((await signIn({ pipeline: 'idx', exchange }, { settings })).error).toMatchObject({
      kind: 'refused',
      code: 'no-access',
      message: expect.stringContaining('assurance requirements'),
      hint: expect.stringContaining('same authentication policy'),
    })
  })

  test('a client that is not known', async () => {
    const { error } = await signIn({ pipeline: 'idx' }, { settings: { clientId: 'other' } })
    expect(error).toMatchObject({ kind: 'config', message: expect.stringContaining('No such client.') })
  })

  test('without a client the classic API is tried, and its refusal says what is missing', async () => {
    await succeeds({ pipeline: 'idx' })
    const refuse = jsonReply({ errorCode: 'E0000011', errorSummary: 'Invalid token provided' }, 401)
    expect((await signIn({ pipeline: 'idx', refuse })).error).toMatchObject({
      kind: 'person',
      code: 'mfa-unsupported',
      hint: expect.stringContaining('--client-id'),
    })
  })
})

test('the names of the original still stand for the settings', () => {
  const read = (value: unknown): object =>
    resolveSettings(coreOptions, {}, { config: readConfig(value, 'config.yaml'), plugins: ['okta'] })
  expect(read({ okta_url: 'https://org.okta.com/home/amazon_aws/0oa1/272' })).toMatchObject({
    url: 'https://org.okta.com/home/amazon_aws/0oa1/272',
  })
  const v2 = { okta_domain: 'org.okta.com', aws_app_id: '0oa1', client_id: '0oa2' }
  expect(read({ defaults: { okta: v2 } })).toMatchObject({ url: 'org.okta.com', appId: '0oa1', clientId: '0oa2' })
})
