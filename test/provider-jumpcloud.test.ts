/**
 * JumpCloud: what every provider promises, and its factors.
 */
import { expect, test } from 'bun:test'
import { jumpcloud } from '../src/provider-jumpcloud.ts'
import { page } from './fake-idp.ts'
import { startJumpcloud, type JumpcloudOptions } from './idp-jumpcloud.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { signInAt } from './walk.ts'

providerCase('N12 jumpcloud', jumpcloud, () => startJumpcloud())

const signIn = signInAt(jumpcloud, startJumpcloud)

const available = (...types: string[]): NonNullable<JumpcloudOptions['factors']> =>
  types.map(type => ({ type, status: 'available' }))

const pushed = (status: string) => () => startJumpcloud({ factors: available('push'), push: ['pending', status] })
factorCase('N12 jumpcloud', jumpcloud, {
  push: { given: pushed('accepted'), refused: pushed('denied'), silent: pushed('pending') },
  code: () => startJumpcloud({ factors: available('totp') }),
})

test('N12: a code of an app, wrong and right', async () => {
  const { error, idp, made } = await signIn(
    { factors: [...available('totp'), { type: 'push', status: 'unavailable' }] },
    {
      answers: [
        ['Verification code', '000000'],
        ['Verification code', '123456'],
      ],
    },
  )
  expect(error).toBeUndefined()
  expect([idp.factors, idp.posts()]).toEqual([['000000', '123456'], 1])
  expect(made.told).toEqual([expect.stringContaining('Invalid code.')])
})

for (const [status, code] of [
  ['accepted', undefined],
  ['denied', 'mfa-refused'],
  ['expired', 'mfa-timeout'],
  ['pending', 'mfa-timeout'],
] as const) {
  test(`N12: a push that is ${status}`, async () => {
    const factors = available('push', 'totp', 'webauthn')
    const { error, idp } = await signIn({ factors, push: ['pending', status] }, { settings: { mfaMethod: 'push' } })
    if (code === undefined) expect(error).toBeUndefined()
    else expect(error).toMatchObject({ kind: 'refused', code })
    expect(idp.factors).toEqual(['push'])
  })
}

test('N12: what needs a browser is named', async () => {
  const { error } = await signIn({ factors: available('webauthn', 'duo') })
  expect(error).toMatchObject({
    code: 'mfa-unsupported',
    message: expect.stringContaining('webauthn (needs a browser), duo (needs a browser)'),
  })
})

test('N12: a page in the place of the token is no reason to send a password', async () => {
  const { error, idp } = await signIn({ xsrf: { body: page('Sorry', 'Maintenance') } })
  expect(error).toMatchObject({ kind: 'network', code: 'idp-error' })
  expect(idp.posts()).toBe(0)
})

test('in the background no push is sent', async () => {
  const { error, idp } = await signIn({ factors: available('push') }, { mode: 'refresh' })
  expect(error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
  expect(idp.factors).toEqual([])
})
