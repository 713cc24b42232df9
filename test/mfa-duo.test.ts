/**
 * Duo, generation by generation, behind an identity provider that does nothing but send there and take back.
 */
import { expect, test } from 'bun:test'
import { isFailure } from '../src/errors.ts'
import { form } from '../src/provider-form.ts'
import { testContext, type TestContext, type TestContextOptions } from './context.ts'
import { page, redirect, responsePage, samlResponse, withFakeIdp, type Step } from './fake-idp.ts'
import { phones, rightPasscode, startDuo, type DuoOptions, type SimulatedDuo } from './idp-duo.ts'

interface Outcome {
  readonly made: TestContext
  readonly duo: SimulatedDuo
  /** `undefined` after a success. */
  readonly error: unknown
}

const universal = (duo: SimulatedDuo): Step => ({
  on: '/start',
  reply: (_, origin) =>
    redirect(`${duo.origin}/oauth/v1/authorize?state=s1&redirect_uri=${encodeURIComponent(`${origin}/callback`)}`),
})
const back: Step = { on: '/callback?code=duo-code&state=s1', reply: responsePage() }

async function signIn(
  options: DuoOptions,
  context: TestContextOptions,
  script: (duo: SimulatedDuo) => readonly Step[],
): Promise<Outcome> {
  const duo = await startDuo(options)
  try {
    return await withFakeIdp(script(duo), async idp => {
      const settings = { url: `${idp.origin}/start`, ...context.settings }
      const made = await testContext({ ...context, settings })
      const error = await form.authenticate(made.context).then(
        assertion => {
          expect(assertion).toEqual({ kind: 'saml', response: samlResponse() })
          return undefined
        },
        (thrown: unknown) => thrown,
      )
      // A request that did not fit explains whatever else went wrong.
      expect(duo.problems).toEqual([])
      if (error !== undefined && !isFailure(error)) throw error
      return { made, duo, error }
    })
  } finally {
    await duo.stop()
  }
}

const passes = async (options: DuoOptions, context: TestContextOptions = {}): Promise<Outcome> => {
  const outcome = await signIn(options, context, duo => [universal(duo), back])
  if (outcome.error !== undefined) throw outcome.error
  return outcome
}
const stops = async (options: DuoOptions, context: TestContextOptions = {}): Promise<Outcome> => {
  const outcome = await signIn(options, context, duo => [universal(duo)])
  expect(outcome.error).toBeDefined()
  return outcome
}

const v4 = { kind: 'universal' } as const
const push = {
  settings: { mfaMethod: 'push' },
  answers: [['second factor', 'Duo Push: iPhone (XXX-XXX-1111)']],
} as const

test('D04 D09 D12 universal: one device, one factor, and back with the code', async () => {
  const { made, duo } = await passes(v4, { answers: [['second factor', 'Duo Phone call: Desk (XXX-XXX-2222)']] })
  expect(made.asked[0]).toEndWith(
    [
      'Duo Push: iPhone (XXX-XXX-1111), Duo Phone call: iPhone (XXX-XXX-1111), Duo Phone call: Desk (XXX-XXX-2222)',
      'Duo Push: Old (XXX-XXX-3333), Duo Phone call: Old (XXX-XXX-3333), Duo Passcode',
    ].join(', '),
  )
  expect(duo.prompts).toEqual([
    { sid: 'sid-1', device: 'phone2', factor: 'Phone Call', _xsrf: 'x-2', postAuthDestination: 'OIDC_EXIT' },
  ])
  expect(made.told).toHaveLength(1)
})

test('the method and the device are remembered, and can be asked for anew', async () => {
  const duo = await startDuo(v4)
  const steps = [universal(duo), back]
  await withFakeIdp([...steps, ...steps, ...steps], async idp => {
    const url = `${idp.origin}/start`
    const first = await testContext({ ...push, settings: { url } })
    await form.authenticate(first.context)
    const second = await testContext({ settings: { url }, earlier: first })
    await form.authenticate(second.context)
    expect([second.asked, second.told[0]]).toEqual([[], expect.stringContaining('--mfa-method ask')])
    const third = await testContext({
      settings: { url, mfaMethod: 'ask' },
      earlier: first,
      answers: [['second factor', 'Duo Push: Old (XXX-XXX-3333)']],
    })
    await form.authenticate(third.context)
  })
  await duo.stop()
  expect([duo.problems, duo.prompts.map(({ device }) => device)]).toEqual([[], ['phone1', 'phone1', 'phone3']])
})

test('D05 a refused prompt is told and not repeated', async () => {
  for (const refusal of [{ message: 'Please select an authentication method.' }, { message_enum: 57 }]) {
    const body = JSON.stringify({ stat: 'FAIL', ...refusal })
    const { error, duo } = await stops(
      { ...v4, refuse: { headers: { 'content-type': 'application/json' }, body } },
      push,
    )
    expect(error).toMatchObject({
      kind: 'network',
      message: expect.stringContaining(String(Object.values(refusal)[0])),
    })
    expect(duo.prompts).toHaveLength(1)
  }
})

test('D06 a verified push: the number once', async () => {
  const number = { status_code: 'pushed', risk_based_factor_selection_data: { step_up_code: '917' } }
  const { made } = await passes({ ...v4, statuses: [number, number, number, { status_code: 'allow' }] }, push)
  expect(made.told.filter(text => text === 'Number to match: 917')).toHaveLength(1)
})

test('D07 denied, timed out at Duo, and never answered', async () => {
  for (const [status, code] of [
    [{ status_code: 'deny', result: 'FAILURE', status: 'Login request denied.' }, 'mfa-refused'],
    [{ status_code: 'timeout', result: 'FAILURE', status: 'Login timed out.' }, 'mfa-timeout'],
    [{ status_code: 'pushed' }, 'mfa-timeout'],
  ] as const) {
    const { error, duo } = await stops({ ...v4, statuses: [{ status_code: 'pushed' }, status] }, push)
    expect(error).toMatchObject({ kind: 'refused', code })
    expect(duo.paths.length).toBeLessThan(130)
  }
})

test('D08 a passcode, wrong and then right, belongs to no device', async () => {
  const { made, duo } = await passes(v4, {
    settings: { mfaMethod: 'passcode' },
    answers: [
      ['Duo passcode', '000000'],
      ['Duo passcode', '000000'],
      ['Duo passcode', rightPasscode],
    ],
  })
  expect(duo.prompts.map(({ device, passcode }) => [device, passcode])).toEqual([
    ['None', '000000'],
    ['None', rightPasscode],
  ])
  expect(made.told.join()).toContain('Incorrect passcode.')
})

test('D08 three wrong passcodes are the end, in both prompts', async () => {
  const answers = ['000001', '000002', '000003', '000004'].map(code => ['Duo passcode', code] as const)
  for (const options of [v4, app]) {
    const { error, duo } = await stops(options, { settings: { mfaMethod: 'passcode' }, answers })
    expect(error).toMatchObject({ kind: 'refused', code: 'mfa-refused' })
    expect(duo.prompts).toHaveLength(3)
  }
})

test('a passcode is not carried to another host by a redirect', async () => {
  const refuse = { status: 307, headers: { location: 'http://localhost:9/elsewhere' } }
  for (const options of [v4, app]) {
    const { error } = await stops({ ...options, refuse }, { settings: { mfaCode: '123456' } })
    expect(error).toMatchObject({ kind: 'network', code: 'redirect' })
  }
})

test('devices without end cost no more than their size', async () => {
  const names = Array.from({ length: 40_000 }, (_, index) => `phone${index}`)
  const options = names.map(name => `<option value=${name}>`).join('')
  const blocks = names.map(name => `<br data-device-index=${name}>`).join('')
  const body = `<form id=login-form action=/frame/prompt><input type=hidden name=sid value=s><select name=device>${options}</select>${blocks}</form>`
  const { error } = await signIn({ kind: 'frame' }, {}, () => [{ on: '/start', reply: page('Duo', body) }])
  expect(error).toMatchObject({ code: 'mfa-unsupported' })
})

test('only a passkey: in plain words', async () => {
  const devices =
    '<select name="device"><option value="WAKEY" name="webauthn">Security Key</option></select><input type="hidden" name="factor" value="WebAuthn Credential">'
  const { error } = await stops({ ...v4, devices })
  expect(error).toMatchObject({ kind: 'person', code: 'mfa-unsupported', message: expect.stringContaining('passkey') })
})

test('D11 a prompt that moved away', async () => {
  const { error } = await stops({ ...v4, refuse: { status: 405, body: 'Method Not Allowed' } }, push)
  expect(error).toMatchObject({ kind: 'person', code: 'mfa-unsupported', message: expect.stringContaining('browser') })
})

const factors = [
  { factor_type: 'duo_push', device_info: { pkey: 'PK1', name: 'iPhone', end_of_number: '1111' } },
  { factor_type: 'phone_call', phone_info: { pkey: 'PK2', name: 'Desk', end_of_number: 2222 } },
  { factor_type: 'mobile_otp', device_info: { pkey: 'PK1' } },
  { factor_type: 'mobile_otp', device_info: { pkey: 'PK3' } },
  { factor_type: 'passkey', device_info: {} },
]
const app = { kind: 'app', factors } as const

test('D10 the single page: push with a number, its status an object, the way back a path', async () => {
  const statuses = [{ result: { status_code: 'pushed' } }, { result: { status_code: 'allow', result: 'SUCCESS' } }]
  const { made, duo } = await passes({ ...app, statuses, relative: true }, { settings: { mfaMethod: 'push' } })
  expect(made.told).toContain('Number to match: 482')
  expect(duo.prompts).toEqual([{ authkey: 'AUTH1', pkey: 'PK1' }])
})

test('D10 the single page: a call, its status a text, the way back a whole address', async () => {
  const { made, duo } = await passes(
    { ...app, statuses: [{ result: 'RINGING' }, { result: 'SUCCESS' }] },
    { answers: [['second factor', 'Duo Phone call: Desk …2222']] },
  )
  expect(made.asked[0]).toEndWith('Duo Push: iPhone …1111, Duo Phone call: Desk …2222, Duo Passcode')
  expect(duo.prompts).toEqual([{ authkey: 'AUTH1', pkey: 'PK2' }])
})

test('D10 the single page: passcodes, denials, and a passkey alone', async () => {
  const codes = await passes(app, { settings: { mfaCode: '000000' }, answers: [['Duo passcode', rightPasscode]] })
  expect(codes.duo.prompts.map(({ mobile_otp }) => mobile_otp)).toEqual(['000000', rightPasscode])
  const settings = { mfaMethod: 'push' }
  for (const word of ['DENY', 'FRAUD', 'ERROR']) {
    expect((await stops({ ...app, statuses: [{ result: { result: word } }] }, { settings })).error).toMatchObject({
      code: 'mfa-refused',
    })
  }
  expect((await stops({ ...app, factors: factors.slice(4) })).error).toMatchObject({ code: 'mfa-unsupported' })
})

const request = 'TX|abc|1:APP|def|2'
const framed = (duo: SimulatedDuo, inside: string): string => inside.replaceAll('HOST', new URL(duo.origin).host)
/** As AD FS has it: fields beside a form without an action. */
const beside = `<input type="hidden" name="duo_host" value="HOST"><input type="hidden" name="duo_sig_request" value="${request}"><input type="hidden" name="AuthMethod" value="DuoAdfsAdapter"><form method="post" id="duo_form"><input type="hidden" name="Context" value="c1"></form>`
const answered: Step = {
  on: 'POST /start',
  body: 'Context=c1&AuthMethod=DuoAdfsAdapter&sig_response=AUTH%7Ccookie%3AAPP%7Cdef%7C2',
  reply: responsePage(),
}
const frame = (
  options: Partial<DuoOptions>,
  context: TestContextOptions = {},
  steps: readonly Step[] = [],
): Promise<Outcome> =>
  signIn({ kind: 'frame', ...options }, context, duo => [
    { on: '/start', reply: page('Sign In', framed(duo, beside)) },
    ...steps,
  ])

test('D02 A22 the frame: a new session on the way, and the answer goes to the form', async () => {
  const statuses = [{ status_code: 'pushed' }, { result: 'SUCCESS', sid: 'sid-2', result_url: '/frame/result/t-1' }]
  const { error, duo } = await frame({ statuses }, push, [answered])
  expect(error).toBeUndefined()
  expect(duo.prompts).toMatchObject([{ device: 'phone1', factor: 'Duo Push' }])
})

test.each(['http://[', 'https://evil.test/frame/result', '//evil.test/'])(
  'the answer of the frame is fetched from Duo alone, not from %s',
  async result_url => {
    const { error } = await frame({ statuses: [{ result: 'SUCCESS', result_url }] }, push)
    expect(error).toMatchObject({ kind: 'network', code: 'idp-error', message: expect.stringContaining('leads on to') })
  },
)

test('D01 the frame: an answer that is there at once, and an empty one', async () => {
  const body = (value: string): string =>
    page('Duo', `<form><input type="hidden" name="js_cookie" value="${value}"></form>`)
  expect((await frame({ frame: body('AUTH|cookie') }, {}, [answered])).error).toBeUndefined()
  expect((await frame({ frame: body('') })).error).toMatchObject({ code: 'mfa-refused' })
})

test('D03 pages that look at the machine are named', async () => {
  for (const [id, words] of [
    ['client_cert_form', 'certificate'],
    ['endpoint-health-form', 'Duo Desktop'],
  ] as const) {
    const body = page(
      'Duo',
      `<form id=${id} method=post><input type=hidden name=sid value=a&#x7c;b&#x3d;><input type=hidden name=_xsrf value=x></form>`,
    )
    expect((await frame({ frame: body })).error).toMatchObject({
      kind: 'person',
      code: 'mfa-unsupported',
      message: expect.stringContaining(words),
    })
  }
})

test('A22 AD FS: a form to Duo, and the form with which Duo sends back', async () => {
  const duo = await startDuo(v4)
  const there = page(
    'Sign In',
    `<form method="post" id="adfs_form" action="/to-duo"><input type="hidden" name="adfs_context" value="c1"><input type="hidden" name="adfs_auth_method" value="DuoAdfsAdapter"></form>`,
  )
  const home = page(
    '',
    `<form method="post" class="adfs_form" action="/adfs/ls/"><input type="hidden" name="duo_code" value="dc"><input type="hidden" name="state" value="s1"><input type="hidden" name="context" value="c1"><input type="hidden" name="authMethod" value="DuoAdfsAdapter"></form>`,
  )
  const script: Step[] = [
    { on: '/start', reply: there },
    { ...universal(duo), on: 'POST /to-duo', body: 'adfs_context=c1&adfs_auth_method=DuoAdfsAdapter' },
    { ...back, reply: home },
    { on: 'POST /adfs/ls/', body: 'duo_code=dc&state=s1&context=c1&authMethod=DuoAdfsAdapter', reply: responsePage() },
  ]
  await withFakeIdp(script, async idp => {
    const { context } = await testContext({ ...push, settings: { url: `${idp.origin}/start` } })
    await form.authenticate(context)
  })
  await duo.stop()
  expect(duo.problems).toEqual([])
})

test('in the background nothing is sent to Duo but what a browser sends by itself', async () => {
  for (const options of [v4, app]) {
    const { error, duo } = await stops(options, { mode: 'refresh' })
    expect(error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
    expect(duo.prompts).toEqual([])
  }
})

test('a passcode goes to Duo, or to this machine, and nowhere else', async () => {
  const { duoCode } = await import('../src/mfa-duo-wait.ts')
  const { context } = await testContext({ settings: { mfaCode: '123456' } })
  const asked = duoCode(context, 'https://duosecurity.com.example/frame', []).catch((error: unknown) => error)
  expect(await asked).toMatchObject({ code: 'foreign-host' })
  expect(await duoCode(context, 'https://api-1.duosecurity.com/frame', [])).toBe('123456')
  expect(phones).toContain('phone1')
})
