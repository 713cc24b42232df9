/**
 * OneLogin's API on loopback: a token, an assertion, a second factor.
 */
import { Buffer } from 'node:buffer'
import { expect, test } from 'bun:test'
import { isFailure } from '../src/errors.ts'
import { onelogin } from '../src/provider-onelogin.ts'
import { testContext, type TestContext, type TestContextOptions } from './context.ts'
import { samlResponse, serve, type Reply, type Seen } from './fake-idp.ts'
import { jsonReply } from './idp-okta.ts'

interface Options {
  readonly devices?: readonly string[]
  /** Questions after a push before it is answered. */
  readonly pending?: number
  readonly data?: unknown
  readonly assertion?: Reply
  readonly denied?: boolean
}

interface Outcome {
  readonly made: TestContext
  readonly error: unknown
  /** Paths and, of verifications, what they asked for. */
  readonly calls: readonly string[]
}

async function signIn(options: Options, context: TestContextOptions = {}): Promise<Outcome> {
  const calls: string[] = []
  const problems: string[] = []
  let pending = options.pending ?? 0
  let begun = false
  const broken = (what: string): Reply => {
    problems.push(what)
    return jsonReply({ message: what }, 400)
  }
  const done = (): Reply => jsonReply({ message: 'Success', data: options.data ?? samlResponse() })

  function verify(body: Readonly<Record<string, unknown>>): Reply {
    const { device_id: id, otp_token: code, do_not_notify: quiet } = body
    calls.push(`verify ${String(id)} ${String(code ?? '-')} ${String(quiet)}`)
    if (body['state_token'] !== 'state-1' || body['app_id'] !== '4242') return broken('state')
    const type = options.devices?.[Number(id) - 1] ?? ''
    if (!begun && (type === 'OneLogin Protect' || type === 'OneLogin SMS')) {
      begun = true
      return code === undefined && quiet === false ? jsonReply({ message: 'Success' }) : broken('begin')
    }
    if (quiet !== true) return broken('notified twice')
    if (type === 'OneLogin Protect') {
      pending -= 1
      if (pending >= 0) return jsonReply({ message: 'Authentication pending on OL Protect' })
      return options.denied ? jsonReply({ message: 'Authentication denied' }, 401) : done()
    }
    return code === '123456' ? done() : jsonReply({ message: 'Failed authentication with this factor' }, 401)
  }

  function answer({ method, path, headers, body }: Seen): Reply {
    if (method !== 'POST' || headers['content-type'] !== 'application/json') return broken(`${method} ${path}`)
    const sent = JSON.parse(body) as Record<string, unknown>
    if (path === '/auth/oauth2/v2/token') {
      calls.push('token')
      const basic = `Basic ${Buffer.from('client:client-secret').toString('base64')}`
      if (sent['grant_type'] !== 'client_credentials') return broken('grant')
      if (headers.authorization !== basic) return jsonReply({ status: { message: 'Authentication Failure' } }, 401)
      return jsonReply({ access_token: 'api-token-1' })
    }
    if (headers.authorization !== 'bearer: api-token-1') return broken('bearer')
    if (path === '/api/2/saml_assertion/verify_factor') return verify(sent)
    if (path !== '/api/2/saml_assertion') return broken(path)
    calls.push('assertion')
    if (options.assertion) return options.assertion
    if (sent['app_id'] !== '4242' || sent['subdomain'] !== '127') return broken('app')
    if (sent['username_or_email'] !== 'jane' || sent['password'] !== 'correct horse') {
      return jsonReply({ message: 'Authentication Failed: Invalid user credentials', statusCode: 401 }, 401)
    }
    if (!options.devices) return done()
    return jsonReply({
      message: 'MFA is required for this user',
      state_token: 'state-1',
      devices: options.devices.map((device_type, index) => ({ device_id: index + 1, device_type })),
      callback_url: 'https://elsewhere.example/api/2/saml_assertion/verify_factor',
    })
  }

  const idp = await serve('127.0.0.1', answer)
  try {
    const client = { appId: '4242', clientId: 'client', clientSecret: 'client-secret' }
    const settings = { url: idp.origin, ...client, ...context.settings }
    const made = await testContext({ password: 'correct horse', ...context, settings })
    const error = await onelogin.authenticate(made.context).then(
      assertion => expect(assertion).toEqual({ kind: 'saml', response: samlResponse() }),
      (thrown: unknown) => thrown,
    )
    expect(problems).toEqual([])
    if (error !== undefined && !isFailure(error)) throw error
    made.context.log.debug('client-secret api-token-1 correct horse')
    expect(JSON.stringify([made.logged, made.told, String(error)])).not.toMatch(/client-secret|api-token|correct horse/)
    return { made, error, calls }
  } finally {
    await idp.stop()
  }
}

test('N11: the assertion is the text in data', async () => {
  const { error, calls } = await signIn({})
  expect([error, calls]).toEqual([undefined, ['token', 'assertion']])
})

test('N11: a list in data is no assertion', async () => {
  expect((await signIn({ data: [samlResponse()] })).error).toMatchObject({ kind: 'network', code: 'saml-missing' })
})

test('N11: one of two devices, a push that is waited for', async () => {
  const { error, calls, made } = await signIn(
    { devices: ['Google Authenticator', 'OneLogin Protect', 'Duo Duo Security'], pending: 3 },
    {
      answers: [['Google Authenticator, OneLogin Protect, Duo Duo Security (needs a browser)', 'OneLogin Protect']],
    },
  )
  expect(error).toBeUndefined()
  expect(calls.slice(2)).toEqual(['verify 2 - false', ...Array<string>(4).fill('verify 2 - true')])
  expect(made.told).toEqual([expect.stringContaining('approve the push: OneLogin Protect')])
})

test('N11: a push that is denied', async () => {
  const { error } = await signIn({ devices: ['OneLogin Protect'], pending: 1, denied: true })
  expect(error).toMatchObject({ kind: 'refused', code: 'mfa-refused' })
})

test('N11: a code by SMS is sent once, a wrong one asked for again', async () => {
  const answers = ['000000', '123456'].map(code => ['OneLogin SMS', code] as const)
  const { error, calls } = await signIn({ devices: ['OneLogin SMS'] }, { answers })
  expect(error).toBeUndefined()
  expect(calls.slice(2)).toEqual(['verify 1 - false', 'verify 1 000000 true', 'verify 1 123456 true'])
})

test('a code of an app comes from --mfa-code; a browser is named where there is nothing else', async () => {
  const devices = ['OneLogin Protect', 'Google Authenticator']
  expect((await signIn({ devices }, { settings: { mfaCode: '123456' } })).calls.at(-1)).toBe('verify 2 123456 true')
  expect((await signIn({ devices: ['Duo Duo Security'] })).error).toMatchObject({ code: 'mfa-unsupported' })
})

test('a wrong password, a locked account, a wrong client, an app that is missing', async () => {
  const wrong = await signIn({}, { password: 'wrong horse' })
  expect(wrong.error).toMatchObject({ kind: 'refused', code: 'password-refused' })
  expect(wrong.calls).toEqual(['token', 'assertion'])
  const locked = jsonReply({ message: 'Authentication Failed: User is locked. Access is unauthorized' }, 401)
  expect((await signIn({ assertion: locked })).error).toMatchObject({ code: 'account-locked' })
  const client = await signIn({}, { settings: { clientSecret: 'other' } })
  expect(client.error).toMatchObject({ kind: 'config', code: 'client-refused' })
  expect(client.calls).toEqual(['token'])
  const missing = await signIn({}, { settings: { appId: undefined } })
  expect(missing.error).toMatchObject({ kind: 'config', hint: expect.stringContaining('--app-id') })
})

test('in the background a stored password is enough, a second factor is not', async () => {
  expect((await signIn({}, { mode: 'refresh' })).error).toBeUndefined()
  const { error, calls } = await signIn({ devices: ['OneLogin Protect'] }, { mode: 'refresh' })
  expect(error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
  expect(calls).toEqual(['token', 'assertion'])
})
