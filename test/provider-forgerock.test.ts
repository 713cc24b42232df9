/**
 * ForgeRock and OpenAM: what every provider promises, and their callbacks.
 */
import { describe, expect, test } from 'bun:test'
import { forgerock } from '../src/provider-forgerock.ts'
import { testContext, testSettings } from './context.ts'
import { samlResponse, type Reply } from './fake-idp.ts'
import {
  buttons,
  choice,
  hidden,
  name,
  say,
  secret,
  startForgeRock,
  unauthorized,
  wait,
  type Callback,
  type ForgeRockOptions,
  type Stage,
} from './idp-forgerock.ts'
import { jsonReply } from './idp-okta.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { signInAt } from './walk.ts'

providerCase('forgerock', forgerock, () => startForgeRock())
providerCase('forgerock, user name and password apart', forgerock, () => startForgeRock({ first: 'apart' }))
providerCase('forgerock, a journey that asks again', forgerock, () => startForgeRock({ again: true }))
providerCase('forgerock behind the platform’s page', forgerock, () => startForgeRock({ platform: true }))
providerCase('openam, whose script sets the cookie', forgerock, () => startForgeRock({ byScript: 'amlbcookie-x' }))

/** `verdicts` by turn; the last one stays. */
const pushStage = (...verdicts: readonly ('passed' | 'again' | Reply)[]): Stage => ({
  callbacks: [wait(), buttons(['Use another factor'], 100)],
  judge: (_, turn) => verdicts[Math.min(turn, verdicts.length) - 1] ?? 'again',
})
const codeStage: Stage = {
  callbacks: [name('Enter verification code'), buttons(['Submit', 'Cancel'])],
  judge: ([code]) => (code === '123456' ? 'passed' : 'again'),
}

factorCase('N15 forgerock', forgerock, {
  push: {
    given: () => startForgeRock({ stages: [pushStage('again', 'again', 'passed')] }),
    refused: () => startForgeRock({ stages: [pushStage('again', unauthorized('Login failure'))] }),
    silent: () => startForgeRock({ stages: [pushStage('again')] }),
  },
  code: () => startForgeRock({ stages: [codeStage] }),
})

const signIn = signInAt(forgerock, startForgeRock)

describe('the entry', () => {
  const entryOf = (url: string): string | undefined => forgerock.entry?.(testSettings({ url }))
  const service = (base: string, alias: string): string =>
    `${base}/idpssoinit?metaAlias=${alias}&spEntityID=urn:amazon:webservices`

  test('the realm comes from the address, whichever it is', () => {
    for (const [url, expected] of [
      ['https://am.example.com/am/json/realms/alpha', service('https://am.example.com/am', '/alpha/saml-idp')],
      [
        'https://am.example.com/am/json/realms/root/realms/a/realms/b/authenticate',
        service('https://am.example.com/am', '/a/b/saml-idp'),
      ],
      ['https://am.example.com/am/XUI/?realm=/alpha#login/', service('https://am.example.com/am', '/alpha/saml-idp')],
      ['https://sso.example.com/openam/XUI/#login/alpha', service('https://sso.example.com/openam', '/alpha/saml-idp')],
      ['https://sso.example.com/openam/UI/Login?realm=%2F', service('https://sso.example.com/openam', '/saml-idp')],
    ] as const) {
      expect(entryOf(url)).toBe(expected)
    }
  })

  test('a whole address stays as it is', () => {
    const whole =
      'https://am.example.com/am/saml2/jsp/idpSSOInit.jsp?metaAlias=/alpha/aws&spEntityID=urn:amazon:webservices:govcloud'
    expect(entryOf(whole)).toBe(whole)
  })

  test('an address without a realm is a fault of the configuration', () => {
    expect(() => entryOf('https://am.example.com/am/XUI/')).toThrow('does not say which realm')
  })
})

describe('callbacks', () => {
  test('N15: a choice, then a push with a number', async () => {
    const methods: Stage = {
      callbacks: [choice('Second factor', 'Push to your phone', 'Code of an app')],
      judge: ([chosen]) => (chosen === 0 ? 'passed' : 'again'),
    }
    const push: Stage = {
      callbacks: [hidden('pushChallengeNumber', '44'), say('Select this number on your phone'), wait('')],
      judge: ([value], turn) => (value !== 'pushChallengeNumber' ? jsonReply({}, 500) : turn < 3 ? 'again' : 'passed'),
    }
    const answers = [['Push to your phone, Code of an app', 'Push to your phone']] as const
    const { error, made } = await signIn({ stages: [methods, push] }, { answers })
    expect(error).toBeUndefined()
    expect(made.told.slice(0, 2)).toEqual([expect.stringContaining('Select this number'), 'Number to match: 44'])
    expect(made.waited()).toBe(24_000)
    const settings = { mfaMethod: 'push' }
    const named = await signIn({ stages: [methods, push] }, { settings })
    expect([named.error, named.made.asked]).toEqual([undefined, []])
    const background = await signIn({ stages: [methods, push] }, { settings, mode: 'refresh' })
    expect(background.error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
    expect(background.idp.values).toEqual([])
  })

  test('a server in a hurry is asked twice a second, not more', async () => {
    const hurry: Stage = { callbacks: [wait('', '1')], judge: (_, turn) => (turn < 4 ? 'again' : 'passed') }
    expect((await signIn({ stages: [hurry] })).made.waited()).toBe(2000)
  })

  test('N15: a push that ends in 400 is an end, not a failure', async () => {
    const idp = await startForgeRock({ stages: [pushStage('again', 'passed')] })
    const made = await testContext({ password: 'correct horse', settings: { url: idp.url } })
    const { http } = made.context
    let lost = false
    // The answer that says so gets lost, and the question comes once more.
    const request: typeof http.request = async asked => {
      const response = await http.request(asked)
      if (lost || !response.text.includes('"tokenId"')) return response
      lost = true
      return { ...response, status: 400, text: '{"code":400,"reason":"Bad Request"}' }
    }
    const outcome = await forgerock.authenticate({ ...made.context, http: { ...http, request } })
    await idp.stop()
    expect([lost, idp.problems, outcome]).toEqual([true, [], { kind: 'saml', response: samlResponse() }])
  })

  test('N15: outcomes of a push are told apart', async () => {
    for (const [message, code] of [
      ['Login failure', 'mfa-refused'],
      ['Push notification timed out', 'mfa-timeout'],
      ['Your account has been locked.', 'account-locked'],
    ] as const) {
      expect((await signIn({ stages: [pushStage(unauthorized(message))] })).error).toMatchObject({
        kind: 'refused',
        code,
      })
    }
  })

  test('N15: a code in a field for passwords; wrong, then right, with the button that goes on', async () => {
    const hotp: Stage = {
      callbacks: [secret('One Time Password'), buttons(['Request OTP', 'Submit OTP'], 0, 1)],
      judge: ([code, button]) => (code === '123456' && button === 1 ? 'passed' : 'again'),
    }
    const answers = ['000000', '123456'].map(code => ['One Time Password', code] as const)
    const { error, idp, made } = await signIn({ stages: [hotp] }, { answers })
    expect(error).toBeUndefined()
    expect([idp.values, idp.posts()]).toEqual([
      [
        ['000000', 1],
        ['123456', 1],
      ],
      1,
    ])
    expect(made.told).toEqual([expect.stringContaining('Not right, try again')])
  })

  test('N15: 401 after a code is the code', async () => {
    const stages = [{ ...codeStage, judge: () => unauthorized('Authentication Failed') }]
    const { error, idp } = await signIn({ stages }, { settings: { mfaCode: '000000' } })
    expect(error).toMatchObject({ kind: 'refused', code: 'mfa-refused' })
    expect(idp.values).toHaveLength(1)
  })

  test('a code that leads back to the beginning was refused; the password is not sent again', async () => {
    const stages = [{ ...codeStage, judge: () => 'restart' as const }]
    const { error, idp } = await signIn({ stages }, { settings: { mfaCode: '000000' } })
    expect(error).toMatchObject({ kind: 'refused', code: 'mfa-refused' })
    expect([idp.values.length, idp.posts()]).toEqual([1, 1])
  })

  test('a question in another language behind the password never gets the password', async () => {
    const stages: readonly Stage[] = [
      { callbacks: [secret('Merkwort')], judge: ([word]) => (word === 'Rosenrot' ? 'passed' : 'again') },
    ]
    const { error, idp } = await signIn({ stages }, { answers: [['Merkwort', 'Rosenrot']] })
    expect([error, idp.values]).toEqual([undefined, [['Rosenrot']]])
  })

  test('a confirmation alone is a question; hidden values and scripts go back as they came', async () => {
    const stages: readonly Stage[] = [
      {
        callbacks: [say('var x = 1', '4'), hidden('clientScriptOutputData', 'clientScriptOutputData')],
        judge: values => (values[0] === 'clientScriptOutputData' ? 'passed' : jsonReply({}, 500)),
      },
      {
        callbacks: [say('Your password will expire in 3 days'), buttons(['Change now', 'Later'])],
        judge: ([button]) => (button === 1 ? 'passed' : jsonReply({}, 500)),
      },
    ]
    const { error, made } = await signIn({ stages }, { answers: [['Change now, Later', 'Later']] })
    expect(error).toBeUndefined()
    expect(made.told).toEqual([expect.stringContaining('Your password will expire in 3 days')])
  })

  const only = (...callbacks: readonly Callback[]): ForgeRockOptions => ({
    stages: [{ callbacks, judge: () => 'passed' }],
  })
  for (const [options, code, words] of [
    [
      only(secret('Old Password'), secret('New Password'), secret('Confirm Password')),
      'password-expired',
      'password changed',
    ],
    [only({ type: 'ValidatedCreatePasswordCallback' }), 'password-expired', 'password changed'],
    [only({ type: 'ReCaptchaCallback' }), 'captcha', 'captcha'],
    [only({ type: 'TermsAndConditionsCallback' }), 'action-required', 'terms'],
    [only({ type: 'StringAttributeInputCallback' }), 'action-required', 'profile'],
    [only({ type: 'SuspendedTextOutputCallback' }), 'action-required', 'e-mail'],
    [only({ type: 'RedirectCallback' }), 'mfa-unsupported', 'another identity provider'],
    [only({ type: 'DeviceProfileCallback' }), 'mfa-unsupported', 'look at the device'],
    [
      only(say('navigator.credentials.get(options)', '4'), hidden('webAuthnOutcome', '')),
      'mfa-unsupported',
      'security key',
    ],
    [only({ type: 'X509CertificateCallback' }), 'mfa-unsupported', 'needs a browser: X509CertificateCallback'],
  ] as const) {
    test(`${options.stages?.[0]?.callbacks.at(-1)?.type}: ${words}`, async () => {
      const { error, idp } = await signIn(options)
      expect(error).toMatchObject({ code, message: expect.stringContaining(words) })
      expect([idp.values, idp.posts()]).toEqual([[], 1])
    })
  }
})

describe('refusals', () => {
  test('a warning that the account will be locked is a wrong password; one that it is, is not', async () => {
    const warning = 'Warning: You will be locked out after 1 more failure(s).'
    const wrong = await signIn({ refusal: warning }, { password: 'wrong horse' })
    expect(wrong.error).toMatchObject({ code: 'password-refused', message: expect.stringContaining(warning) })
    const expired = await signIn({ refusal: 'Your password has expired.' }, { password: 'wrong horse' })
    expect(expired.error).toMatchObject({ kind: 'refused', code: 'password-expired' })
  })

  test('a session that the service does not take is no reason to sign in again', async () => {
    const { error, idp } = await signIn({ closed: true })
    expect(error).toMatchObject({ kind: 'refused', code: 'no-access' })
    expect(idp.posts()).toBe(1)
  })

  test('--auth-source names the journey', async () => {
    const { error } = await signIn(
      { service: 'mfa_push_authentication' },
      { settings: { authSource: 'mfa_push_authentication' } },
    )
    expect(error).toBeUndefined()
  })

  test('where the password alone makes a phone ring, the background does not send it', async () => {
    const idp = await startForgeRock({ stages: [pushStage('passed')] })
    const all = { password: 'correct horse', settings: { url: idp.url } }
    const first = await testContext(all)
    await forgerock.authenticate(first.context)
    idp.endSessions()
    const second = await testContext({ ...all, earlier: first, mode: 'refresh' })
    const error = await forgerock.authenticate(second.context).catch((thrown: unknown) => thrown)
    await idp.stop()
    expect(error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
    expect([idp.problems, idp.posts()]).toEqual([[], 1])
  })
})
