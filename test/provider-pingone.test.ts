/**
 * PingOne: what every provider promises, the states of its flows, its devices.
 */
import { describe, expect, test } from 'bun:test'
import { beginWalk } from '../src/form-walk.ts'
import { readPage } from '../src/html.ts'
import { pingone } from '../src/provider-pingone.ts'
import { beginFlow } from '../src/provider-pingone-flow.ts'
import { testContext, testSettings } from './context.ts'
import { page } from './fake-idp.ts'
import { jsonReply } from './idp-okta.ts'
import { desktop, startPingFederate } from './idp-pingfederate.ts'
import { startPingOne, type PingOneDevice } from './idp-pingone.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { signInAt } from './walk.ts'

const mobile: PingOneDevice = { id: 'd1', type: 'MOBILE', nickname: 'Pixel' }
const sms: PingOneDevice = { id: 'd2', type: 'SMS', phone: '*******01' }
const totp: PingOneDevice = { id: 'd3', type: 'TOTP' }
const key: PingOneDevice = { id: 'd4', type: 'FIDO2', nickname: 'YubiKey' }

providerCase('pingone', pingone, () => startPingOne())
providerCase('pingone, the user name first', pingone, () => startPingOne({ signOn: 'lookup' }))
// PingOne for Enterprise sends a person on to PingFederate and PingID.
providerCase('pingone made of pages', pingone, () => startPingFederate())

const waiting = 'PUSH_CONFIRMATION_REQUIRED'
const withPush =
  (...push: string[]) =>
  () =>
    startPingOne({ devices: [mobile], push })
factorCase('pingone', pingone, {
  push: {
    given: withPush(waiting, waiting, 'COMPLETED'),
    refused: withPush(waiting, 'FAILED'),
    silent: withPush(waiting),
  },
  code: () => startPingOne({ devices: [sms] }),
})
factorCase('pingone made of pages', pingone, {
  push: {
    given: () => startPingFederate({ pingId: {} }),
    refused: () => startPingFederate({ pingId: { statuses: ['REJECTED'] } }),
    silent: () => startPingFederate({ pingId: { statuses: ['ASYNC_AUTH_WAIT'] } }),
  },
  code: () => startPingFederate({ pingId: { devices: [desktop] } }),
})

const signIn = signInAt(pingone, startPingOne)

test('the entry: an environment, a domain of one’s own, or a whole address', () => {
  const service = 'saml20/idp/startsso?spEntityId=urn:amazon:webservices'
  const id = '082dba86-d36e-413e-85b4-ee499a5cea55'
  const entryOf = (url: string): string | undefined => pingone.entry?.(testSettings({ url }))
  expect(entryOf(`https://auth.pingone.eu/${id}`)).toBe(`https://auth.pingone.eu/${id}/${service}`)
  expect(entryOf(`https://auth.pingone.eu/${id}/`)).toBe(`https://auth.pingone.eu/${id}/${service}`)
  expect(entryOf('https://login.example.com')).toBe(`https://login.example.com/${service}`)
  const older = 'https://sso.connect.pingidentity.com/sso/sp/initsso?saasid=1&idpid=2'
  expect(entryOf(older)).toBe(older)
  expect(() => entryOf('https://auth.pingone.com')).toThrow('does not say which environment')
})

test('the flow API lies beside the service that began it, else beside the page', async () => {
  const { context } = await testContext()
  const id = '082dba86-d36e-413e-85b4-ee499a5cea55'
  for (const [entry, address, api] of [
    [
      `https://auth.pingone.eu/${id}/saml20/idp/startsso`,
      'https://login.example.com/?flowId=f1',
      `auth.pingone.eu/${id}`,
    ],
    ['https://id.example.com/saml20/idp/startsso', 'https://id.example.com/signon/?flowId=f1', 'id.example.com'],
    ['https://sso.example.org/idp', `https://apps.pingone.com/${id}/signon/?flowId=f1`, `auth.pingone.com/${id}`],
  ] as const) {
    const bytes = new TextEncoder().encode(page('Sign On', ''))
    const text = new TextDecoder().decode(bytes)
    const read = await readPage({ url: address, status: 200, headers: new Headers(), bytes, text })
    if (!read) throw new Error('no page')
    expect(beginFlow(beginWalk(context, { entry: () => entry }), read)?.url.href).toBe(`https://${api}/flows/f1`)
  }
})

describe('second factors', () => {
  test('one of several devices, by its name, remembered', async () => {
    const idp = await startPingOne({ devices: [sms, mobile, key], choose: true })
    const all = { password: 'correct horse', settings: { url: idp.url } }
    const offered = 'code by SMS: *******01, push: Pixel, FIDO2 (needs a browser): YubiKey'
    const first = await testContext({ ...all, answers: [[offered, 'push: Pixel']] })
    await pingone.authenticate(first.context)
    idp.endSessions()
    const second = await testContext({ ...all, earlier: first })
    await pingone.authenticate(second.context)
    await idp.stop()
    expect([idp.problems, second.asked]).toEqual([[], []])
    expect(idp.actions.filter(action => action.startsWith('device'))).toEqual(
      Array(2).fill('device.select {"id":"d1"}'),
    )
  })

  test('a wrong code is asked for again, and sent once', async () => {
    const answers = [
      ['code of an app', '000000'],
      ['code of an app', '123456'],
    ] as const
    const { error, idp, made } = await signIn({ devices: [totp] }, { answers })
    expect(error).toBeUndefined()
    expect(idp.actions.slice(1)).toEqual(['otp.check "000000"', 'otp.check "123456"'])
    expect(made.told).toEqual([expect.stringContaining('Invalid passcode')])
  })

  test('a push that nobody answers is told from one that is refused', async () => {
    const late = await signIn({ devices: [mobile], push: [waiting, 'PUSH_CONFIRMATION_TIMED_OUT'] })
    expect(late.error).toMatchObject({ kind: 'refused', code: 'mfa-timeout' })
    const denied = await signIn({ devices: [mobile], push: ['FAILED'] })
    expect(denied.error).toMatchObject({ kind: 'refused', code: 'mfa-refused' })
  })

  test('--mfa-method takes another device than the one that comes first', async () => {
    const { error, idp } = await signIn(
      { devices: [mobile, totp] },
      { settings: { mfaMethod: 'totp', mfaCode: '123456' } },
    )
    expect(error).toBeUndefined()
    expect(idp.actions.slice(1)).toEqual(['device.select {"id":"d3"}', 'otp.check "123456"'])
    const stays = await signIn({ devices: [mobile, totp] }, { settings: { mfaMethod: 'push' } })
    expect(stays.idp.actions).toHaveLength(1)
  })

  test('a security key that comes first gives way to another device, or to a browser', async () => {
    expect((await signIn({ devices: [key, mobile] })).idp.actions.at(-1)).toBe('device.select {"id":"d1"}')
    for (const options of [{ devices: [key] }, { devices: [key, mobile], fixed: true }]) {
      expect((await signIn(options)).error).toMatchObject({ kind: 'person', code: 'mfa-unsupported' })
    }
  })

  test('where the password alone makes a phone ring, the background does not send it', async () => {
    const idp = await startPingOne({ devices: [mobile] })
    const all = { password: 'correct horse', settings: { url: idp.url } }
    const first = await testContext(all)
    await pingone.authenticate(first.context)
    idp.endSessions()
    const second = await testContext({ ...all, earlier: first, mode: 'refresh' })
    const error = await pingone.authenticate(second.context).catch((thrown: unknown) => thrown)
    await idp.stop()
    expect(error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
    expect([idp.problems, idp.posts(), second.passwords()]).toEqual([[], 1, 0])
  })
})

describe('other states', () => {
  for (const [after, code] of [
    [{ status: 'PASSWORD_EXPIRED' }, 'password-expired'],
    [{ status: 'MUST_CHANGE_PASSWORD' }, 'password-expired'],
    [{ status: 'PROFILE_DATA_REQUIRED' }, 'action-required'],
    [{ status: 'FAILED', error: { code: 'PASSWORD_LOCKED_OUT', message: 'Try later' } }, 'account-locked'],
    [{ status: 'FAILED', error: { code: 'X', message: 'The account is disabled' } }, 'account-disabled'],
    [{ status: 'FAILED', error: { code: 'X', message: 'Policy' } }, 'idp-error'],
    [{ status: 'constructor' }, 'mfa-unsupported'],
  ] as const) {
    test(`${JSON.stringify(after)} is ${code}`, async () => {
      const { error, idp } = await signIn({ after })
      expect(error).toMatchObject({ code })
      expect(idp.posts()).toBe(1)
    })
  }

  test('how many tries are left is said', async () => {
    const { error } = await signIn({}, { password: 'wrong horse' })
    expect(error).toMatchObject({ code: 'password-refused' })
    expect(String(error)).toContain('4 more tries before the account is locked')
  })

  test('a user name that nobody has gets no password', async () => {
    const { error, idp } = await signIn({ signOn: 'lookup' }, { username: 'joan' })
    expect(error).toMatchObject({ kind: 'refused', code: 'username-refused' })
    expect(idp.posts()).toBe(0)
  })

  test('an answer that is no refusal of the password is not told as one', async () => {
    const { error } = await signIn({
      refusal: jsonReply({ code: 'UNEXPECTED_ERROR', message: 'Try again later' }, 500),
    })
    expect(error).toMatchObject({ kind: 'network', code: 'idp-error' })
  })

  test('another identity provider, named or the only way', async () => {
    const named = await signIn({ sources: ['Google', 'Corp'] }, { settings: { authSource: 'corp' } })
    expect([named.error, named.idp.actions]).toEqual([undefined, []])
    const back = await signIn({ sources: ['Corp'], elsewhere: 'back' }, { settings: { authSource: 'corp' } })
    expect([back.error, back.idp.posts()]).toEqual([undefined, 1])
    const missing = await signIn({ sources: ['Google'] }, { settings: { authSource: 'corp' } })
    expect(missing.error).toBeUndefined()
    expect(missing.made.logged.join('\n')).toContain('offers no source “corp”')
    const href = '/elsewhere'
    const external = { identityProvider: { name: 'Corp', _links: { authenticate: { href } } } }
    const after = { status: 'EXTERNAL_AUTHENTICATION_REQUIRED', _embedded: external }
    expect((await signIn({ after })).error).toBeUndefined()
  })

  test('an app that stays closed is no reason to sign in again', async () => {
    const { error, idp } = await signIn({ closed: true })
    expect(error).toMatchObject({ kind: 'refused', code: 'no-access' })
    expect(idp.posts()).toBe(1)
  })

  test('a flow of DaVinci is named, with the way through a browser', async () => {
    const idp = await startPingFederate({ entry: { body: page('', '<script src="/davinci/widget.js"></script>') } })
    const { context } = await testContext({ settings: { url: idp.url } })
    const error = await pingone.authenticate(context).catch((thrown: unknown) => thrown)
    await idp.stop()
    expect(error).toMatchObject({ code: 'mfa-unsupported', hint: expect.stringContaining('--browser') })
  })
})
