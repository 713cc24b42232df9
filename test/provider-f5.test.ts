/**
 * F5 APM: what every provider promises, its second factors, its webtop, and the ways in which it says that there is no
 * session.
 */
import { expect, test } from 'bun:test'
import { f5 } from '../src/provider-f5.ts'
import { testContext } from './context.ts'
import { page, redirect, responsePage, type Step } from './fake-idp.ts'
import { startF5, type F5Options, type SimulatedF5 } from './idp-f5.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { signInAt, walker } from './walk.ts'

providerCase('N09 f5', f5, () => startF5())
providerCase('N09 f5 with a webtop', f5, () => startF5({ webtop: true, bounces: 2 }))

factorCase('N09 f5', f5, {
  push: {
    given: () => startF5({ factor: ['push'] }),
    refused: () => startF5({ factor: ['push'], push: 'Denied by the device.' }),
    silent: () => startF5({ factor: ['push'], push: 'The request timed out.' }),
  },
  code: () => startF5({ factor: ['token'] }),
})

/** `address` in the place of the app's. */
const signIn = signInAt(
  f5,
  async ({ address, ...options }: F5Options & { readonly address?: (idp: SimulatedF5) => string }) => {
    const idp = await startF5(options)
    return { ...idp, url: address?.(idp) ?? idp.url }
  },
)
const origin = ({ url }: SimulatedF5): string => new URL(url).origin
const both = { factor: ['push', 'token'] } as const

test('N09 the method is a menu with the words of its script, remembered; a wrong code is asked for anew', async () => {
  const { error, idp, made } = await signIn(both, {
    answers: [
      ['Safenet Push, Safenet Passcode', 'Safenet Passcode'],
      ['One-Time Passcode', '000000'],
      ['One-Time Passcode', '123456'],
    ],
  })
  expect(error).toBeUndefined()
  expect([idp.factors, idp.posts()]).toEqual([['token 000000', 'token 123456'], 1])
  expect(made.told).toEqual([expect.stringContaining('Wrong passcode.')])
  const wished = await signIn(both, { settings: { mfaMethod: 'push' } })
  expect([wished.error, wished.idp.factors, wished.made.asked]).toEqual([undefined, ['push'], []])
})

test('methods without end cost no more than their size', async () => {
  const factor = Array.from({ length: 20_000 }, (_, index) => `token${'x'.repeat(100)}${index}`)
  const { error } = await signIn({ factor }, { settings: { mfaMethod: factor[1], mfaCode: '123456' } })
  expect(error).toBeUndefined()
})

test('N09 an account that is locked by a code gets no second one', async () => {
  const { error, idp } = await signIn(both, { settings: { mfaCode: '999999' } })
  expect(error).toMatchObject({ kind: 'refused', code: 'account-locked' })
  expect(idp.factors).toEqual(['token 999999'])
})

test('N09 an encoded address is sent as F5 reads it', async () => {
  const { error } = await signIn({ address: ({ url }) => url.replace('/Common/aws', '%2FCommon%2Faws') })
  expect(error).toBeUndefined()
})

test('the app by its path, by its name, by its caption, alone, or from the menu', async () => {
  const apps = { '/Common/payroll': 'Pay slips', '/Common/aws': 'Amazon (all accounts)' }
  for (const [appId, options] of [
    ['/Common/aws', {}],
    ['aws', { webtop: true, apps }],
    ['amazon (all accounts)', { webtop: true, apps }],
    [undefined, { webtop: true }],
  ] as const) {
    const { error, made } = await signIn({ ...options, address: origin }, { settings: appId ? { appId } : {} })
    expect([error, made.asked]).toEqual([undefined, []])
  }
  const idp = await startF5({ webtop: true, apps })
  const settings = { url: origin(idp) }
  const first = await testContext({
    password: 'correct horse',
    settings,
    answers: [['Pay slips, Amazon (all accounts)', 'Amazon (all accounts)']],
  })
  await f5.authenticate(first.context)
  const second = await testContext({ settings, earlier: first, mode: 'refresh' })
  expect(await f5.authenticate(second.context)).toMatchObject({ kind: 'saml' })
  await idp.stop()
  expect([second.asked, idp.problems]).toEqual([[], []])
})

test('an app that is not there: those that are, or how to name one', async () => {
  const settings = { appId: 'azure' }
  expect((await signIn({ webtop: true, address: origin }, { settings })).error).toMatchObject({
    kind: 'config',
    code: 'app-missing',
    message: expect.stringContaining('/Common/aws'),
  })
  expect((await signIn({ webtop: true, apps: {}, address: origin })).error).toMatchObject({
    kind: 'config',
    hint: expect.stringContaining('--app-id /Common/NAME'),
  })
  expect((await signIn({ webtop: true, closed: true })).error).toMatchObject({ kind: 'network', code: 'page-unknown' })
})

test('a sign-in that somebody gave up half-way is ended, and begun anew', async () => {
  const idp = await startF5()
  const cookies = await testContext({ settings: { url: idp.url } })
  await cookies.context.http.request({ url: idp.url })
  const made = await testContext({ password: 'correct horse', settings: { url: idp.url }, earlier: cookies })
  expect(await f5.authenticate(made.context)).toMatchObject({ kind: 'saml' })
  await idp.stop()
  expect([idp.problems, idp.posts()]).toEqual([[], 1])
})

test('one that sends every new session away is left after the third', async () => {
  const { error, idp } = await signIn({ bounces: 9 })
  expect(error).toMatchObject({ kind: 'network', code: 'state-lost' })
  expect(idp.posts()).toBe(0)
})

test('the end of the session after a password is told, and the password not sent again', async () => {
  const { error, idp } = await signIn({ strict: true }, { password: 'wrong horse' })
  expect(error).toMatchObject({
    kind: 'refused',
    code: 'no-access',
    message: expect.stringContaining('Access was denied by the access policy'),
    hint: expect.stringContaining('--password-prompt'),
  })
  expect(idp.posts()).toBe(1)
})

const { succeeds, fails } = walker(f5, 'secret-7')
const field = (name: string): string => `<input type="password" name="${name}">`
const form = (inside: string): string => page('apm', `<form method="post" id="auth_form">${inside}</form>`)
const begin = (reply: Step['reply']): readonly Step[] => [
  { on: '/start', reply: redirect('/my.policy') },
  { on: '/my.policy', reply },
]

test('a challenge is a code, never the password; a new password is not made up', async () => {
  const made = await succeeds({
    script: [
      ...begin(form(field('_F5_challenge'))),
      { on: 'POST /my.policy', body: [['_F5_challenge', '424242']], reply: responsePage() },
    ],
    answers: [['code', '424242']],
  })
  expect(made.passwords()).toBe(0)
  const { code } = await fails({ script: begin(form(field('_F5_challenge') + field('_F5_verify_password'))) })
  expect(code).toBe('password-expired')
})
