/**
 * authentik: what every provider promises, and its stages.
 */
import { expect, test } from 'bun:test'
import { authentik } from '../src/provider-authentik.ts'
import { startAuthentik } from './idp-authentik.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { signInAt } from './walk.ts'

providerCase('N13 authentik', authentik, () => startAuthentik())
providerCase('N13 authentik, user name and password together', authentik, () => startAuthentik({ together: true }))

const signIn = signInAt(authentik, startAuthentik)

const totp = { device_class: 'totp', device_uid: '1' }
const sms = { device_class: 'sms', device_uid: '2' }
const duo = { device_class: 'duo', device_uid: '3' }
const key = { device_class: 'webauthn', device_uid: '4' }

factorCase('N13 authentik', authentik, { code: () => startAuthentik({ devices: [totp] }) })

test('N13: a wrong code is asked for again', async () => {
  const { error, idp, made } = await signIn(
    { devices: [totp, key] },
    {
      answers: [
        ['code of an app', '000000'],
        ['code of an app', '123456'],
      ],
    },
  )
  expect(error).toBeUndefined()
  expect([idp.factors, idp.posts()]).toEqual([[{ code: '000000' }, { code: '123456' }], 1])
  expect(made.told).toEqual([expect.stringContaining('Invalid Token')])
})

test('N13: a code by SMS is sent when it is chosen', async () => {
  const { error, idp } = await signIn(
    { devices: [totp, sms] },
    {
      answers: [
        ['code of an app, code by SMS', 'code by SMS'],
        ['code by SMS', '123456'],
      ],
    },
  )
  expect(error).toBeUndefined()
  expect(idp.factors).toEqual([{ selected_challenge: sms }, { code: '123456' }])
})

test('N13: Duo is waited for, and may say no', async () => {
  expect((await signIn({ devices: [duo] })).error).toBeUndefined()
  const { error, idp } = await signIn({ devices: [duo], duo: false })
  expect(error).toMatchObject({ kind: 'refused', code: 'mfa-refused' })
  expect(idp.factors).toEqual([{ duo: 3 }])
})

test('N13: what needs a browser is named; in the background nothing is begun', async () => {
  expect((await signIn({ devices: [key] })).error).toMatchObject({ code: 'mfa-unsupported' })
  const { error, idp } = await signIn({ devices: [duo] }, { mode: 'refresh' })
  expect([error, idp.factors]).toEqual([expect.objectContaining({ code: 'idp-session-ended' }), []])
})

test('N13: access that is denied', async () => {
  expect((await signIn({ denied: 'Not in the group' })).error).toMatchObject({
    kind: 'refused',
    code: 'no-access',
    message: expect.stringContaining('Not in the group'),
  })
})

test('consent is asked for, as the settings say', async () => {
  const asked = await signIn({ consent: true }, { answers: [['AWS wants your name', true]] })
  expect(asked.error).toBeUndefined()
  expect((await signIn({ consent: true }, { settings: { consent: 'accept' } })).error).toBeUndefined()
  const { error } = await signIn({ consent: true }, { settings: { consent: 'refuse' } })
  expect(error).toMatchObject({ code: 'consent-refused' })
})
