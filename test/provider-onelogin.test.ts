/**
 * OneLogin: its second factors as every provider has them, and its API.
 */
import { expect, test } from 'bun:test'
import { onelogin } from '../src/provider-onelogin.ts'
import type { TestContextOptions } from './context.ts'
import { samlResponse } from './fake-idp.ts'
import { jsonReply } from './idp-okta.ts'
import { startOneLogin, type OneLoginOptions, type SimulatedOneLogin } from './idp-onelogin.ts'
import { factorCase } from './provider.case.ts'
import { signInAt, type Outcome } from './walk.ts'

const client = { appId: '4242', clientId: 'client', clientSecret: 'client-secret' }
const run = signInAt(onelogin, startOneLogin, client)

async function signIn(
  options: OneLoginOptions,
  context?: TestContextOptions,
): Promise<Outcome<SimulatedOneLogin> & Pick<SimulatedOneLogin, 'calls'>> {
  const outcome = await run(options, context)
  const { made, error, idp } = outcome
  made.context.log.debug('client-secret api-token-1 correct horse')
  expect(JSON.stringify([made.logged, made.told, String(error)])).not.toMatch(/client-secret|api-token|correct horse/)
  return { ...outcome, calls: idp.calls }
}

const withProtect = (options: OneLoginOptions) => () => startOneLogin({ devices: ['OneLogin Protect'], ...options })
factorCase(
  'N11 onelogin',
  {
    ...onelogin,
    authenticate: context => onelogin.authenticate({ ...context, settings: { ...context.settings, ...client } }),
  },
  {
    push: {
      given: withProtect({ pending: 1 }),
      refused: withProtect({ pending: 1, denied: true }),
      silent: withProtect({ pending: Infinity }),
    },
    code: () => startOneLogin({ devices: ['Google Authenticator'] }),
  },
)

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
