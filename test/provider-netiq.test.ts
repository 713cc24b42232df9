/**
 * NetIQ Access Manager: what every provider promises, its portal, its contracts and its tokens.
 */
import { expect, test } from 'bun:test'
import { netiq } from '../src/provider-netiq.ts'
import { testContext } from './context.ts'
import { startNetiq } from './idp-netiq.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { signInAt } from './walk.ts'

providerCase('N10 netiq', netiq, () => startNetiq())
factorCase('N10 netiq', netiq, { code: () => startNetiq({ token: true }) })

const signIn = signInAt(netiq, startNetiq)

test('N10 the script is followed past twelve cards; the token is typed unseen, and is not the password', async () => {
  const { error, idp, made } = await signIn(
    { token: true },
    {
      answers: [
        ['PIN + Token', '000000'],
        ['PIN + Token', '123456'],
      ],
    },
  )
  expect(error).toBeUndefined()
  expect([idp.contracts, idp.tokens, idp.posts()]).toEqual([['contract_name'], ['000000', '123456'], 1])
  expect(made.told).toEqual([expect.stringContaining('Authentication failed: invalid token.')])
})

test('the words of a refusal are those that the script shows, not those it keeps for mistakes', async () => {
  const { error } = await signIn({}, { password: 'wrong horse' })
  expect(error).toMatchObject({
    code: 'password-refused',
    message: expect.stringContaining('Login failed. Invalid Credentials.'),
  })
  expect(String(error)).not.toContain('Please enter values')
})

test('a contract by its id or by the words on its card, by its address where it has none', async () => {
  for (const [authSource, contracts] of [
    ['staffpriv', ['card staffpriv', 'staffpriv']],
    ['Staff and Privileged', ['card staffpriv', 'staffpriv']],
    ['contract_hidden', ['contract_hidden']],
  ] as const) {
    const { error, idp } = await signIn({}, { settings: { authSource } })
    expect([error, idp.contracts]).toEqual([undefined, [...contracts]])
  }
})

test('cards alone are a menu', async () => {
  const { error, idp } = await signIn(
    { cardsOnly: true },
    { answers: [['contract_kerb, contract_name', 'contract_name']] },
  )
  expect([error, idp.contracts]).toEqual([undefined, ['card contract_name', 'contract_name']])
})

test('a sign-in that ends on the portal goes back to the application', async () => {
  const { error, idp } = await signIn({ portalAfter: true })
  expect([error, idp.posts()]).toEqual([undefined, 1])
})

test('an address without an application is no address', async () => {
  for (const url of ['https://login.example', 'https://login.example/nidp/']) {
    const { context } = await testContext({ settings: { url } })
    expect(await netiq.authenticate(context).catch((error: unknown) => error)).toMatchObject({
      kind: 'config',
      code: 'app-missing',
      hint: expect.stringContaining('idpsend?PID='),
    })
  }
})
