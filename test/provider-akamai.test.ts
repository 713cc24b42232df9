/**
 * Akamai EAA: what every provider promises, and its second factors.
 */
import { expect, test } from 'bun:test'
import { akamai } from '../src/provider-akamai.ts'
import { testContext } from './context.ts'
import { page } from './fake-idp.ts'
import { startAkamai, type AkamaiOptions } from './idp-akamai.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { signInAt } from './walk.ts'

providerCase('akamai', akamai, () => startAkamai())

const pushed = { status_code: 'pushed' }
const allowed = { result: 'SUCCESS', result_url: '/frame/result/t-1' }
const onePhone =
  '<form method="post" id="login-form"><input type="hidden" name="sid" value="sid-1"><select name="device"><option value="phone1">iPhone</option></select><fieldset data-device-index="phone1"><input type="hidden" name="factor" value="Duo Push"></fieldset></form>'
const duo = (...statuses: readonly Readonly<Record<string, unknown>>[]): AkamaiOptions => ({
  factors: ['duo'],
  duo: { statuses, frame: page('Duo', onePhone) },
})

factorCase('akamai', akamai, {
  push: {
    given: () => startAkamai(duo(pushed, allowed)),
    refused: () => startAkamai(duo(pushed, { result: 'FAILURE', status: 'Denied.' })),
    silent: () => startAkamai(duo(pushed)),
  },
  code: () => startAkamai({ factors: ['totp'] }),
})

const signIn = signInAt(akamai, startAkamai)

test('the app is named by the address or by --app-id', async () => {
  const idp = await startAkamai()
  const { origin } = new URL(idp.url)
  const made = await testContext({ password: 'correct horse', settings: { url: origin, appId: 'aws.apps.example' } })
  expect(await akamai.authenticate(made.context)).toMatchObject({ kind: 'saml' })
  await idp.stop()
  const { context } = await testContext({ settings: { url: origin } })
  expect(await akamai.authenticate(context).catch((error: unknown) => error)).toMatchObject({
    kind: 'config',
    code: 'app-missing',
    hint: expect.stringContaining('--app-id'),
  })
})

test('a code is sent once, to the device that was chosen, and checked until it is right', async () => {
  const devices = { sms: [{ uuid: 'u-1' }, { uuid: 'u-2' }] }
  const { error, idp, made } = await signIn(
    { factors: ['sms', 'webauthn', 'email'], devices },
    {
      answers: [
        ['code by SMS, 1, code by SMS, 2, webauthn (needs a browser), code by e-mail', 'code by SMS, 2'],
        ['code by SMS', '000000'],
        ['code by SMS', '123456'],
      ],
    },
  )
  expect(error).toBeUndefined()
  expect([idp.factors, idp.posts()]).toEqual([['sms sent to u-2', 'sms 000000', 'sms 123456'], 1])
  expect(made.told).toEqual([expect.stringContaining('Incorrect code.')])
})

test('the preferred factor is taken, unless another is wished for', async () => {
  const options = { factors: ['totp', 'email'], preferred: 'email' }
  const usual = await signIn(options, { answers: [['code by e-mail', '123456']] })
  expect([usual.error, usual.idp.factors]).toEqual([undefined, ['email sent to u-email', 'email 123456']])
  const wished = await signIn(options, { settings: { mfaMethod: 'totp' }, answers: [['code of an app', '123456']] })
  expect([wished.error, wished.idp.factors]).toEqual([undefined, ['totp 123456']])
  const given = await signIn(options, { settings: { mfaCode: '123456' } })
  expect([given.error, given.idp.factors, given.made.asked]).toEqual([undefined, ['totp 123456'], []])
})

test('an account that is locked by a code gets no second one', async () => {
  const { error, idp } = await signIn({ factors: ['totp'] }, { answers: [['code of an app', '999999']] })
  expect(error).toMatchObject({ kind: 'refused', code: 'account-locked' })
  expect(idp.factors).toEqual(['totp 999999'])
})

test('what needs a browser is named, and a second factor that is not set up yet', async () => {
  expect((await signIn({ factors: ['webauthn'] })).error).toMatchObject({
    kind: 'person',
    code: 'mfa-unsupported',
    message: expect.stringContaining('webauthn (needs a browser)'),
  })
  expect((await signIn({ factors: ['totp'], mfaStatus: 'register' })).error).toMatchObject({
    kind: 'person',
    code: 'action-required',
  })
})

test('a portal that shows its page in the place of an answer is asked with a password', async () => {
  const { error, idp } = await signIn({ outside: { body: page('Login', '<div id="app"></div>') } })
  expect([error, idp.posts()]).toEqual([undefined, 1])
})
