/**
 * Idaptive: what every provider promises, its mechanisms, and the original's settings.
 */
import { expect, test } from 'bun:test'
import { readConfig, resolveSettings } from '../src/config.ts'
import { coreOptions } from '../src/options.ts'
import { idaptive } from '../src/provider-idaptive.ts'
import { testContext } from './context.ts'
import { startIdaptive } from './idp-idaptive.ts'
import { factorCase, providerCase } from './provider.case.ts'
import { signInAt } from './walk.ts'

providerCase('idaptive', idaptive, () => startIdaptive())

const signIn = signInAt(idaptive, startIdaptive, { tenantId: 'ABC1234' })

const radius = { Name: 'RADIUS', AnswerType: 'Text', PromptSelectMech: '3rd Party RADIUS', UiPrompt: 'DUO' }
const oath = { Name: 'OATH', AnswerType: 'Text', PromptSelectMech: 'OATH OTP Client' }
const app = { Name: 'OTP', AnswerType: 'StartOob', PromptSelectMech: 'Mobile Authenticator' }
const sms = { Name: 'SMS', AnswerType: 'StartTextOob', PromptSelectMech: 'Text message… XXX-1234' }

factorCase('idaptive', idaptive, {
  push: {
    given: () => startIdaptive({ second: [app], pending: 2 }),
    refused: () => startIdaptive({ second: [app], denied: true }),
    silent: () => startIdaptive({ second: [app], pending: Infinity }),
  },
  code: () => startIdaptive({ second: [oath] }),
  once: true,
})

test('Duo behind RADIUS: push unless --mfa-method says otherwise, or there is a code', async () => {
  for (const [settings, sent] of [
    [{}, 'push'],
    [{ mfaMethod: 'phone' }, 'phone'],
    [{ mfaCode: '123456' }, '123456'],
    [{ mfaMethod: 'passcode', mfaCode: '123456' }, '123456'],
  ] as const) {
    const { error, idp } = await signIn({ second: [radius] }, { settings })
    expect([error, idp.factors]).toEqual([undefined, [`RADIUS Answer ${sent}`]])
  }
})

test('an answer on the device is waited for; a code by SMS is sent once', async () => {
  const push = await signIn({ second: [app], pending: 2 })
  expect([push.error, push.idp.factors]).toEqual([undefined, ['OTP StartOOB', 'OTP Poll', 'OTP Poll', 'OTP Poll']])
  const text = await signIn({ second: [sms] }, { answers: [['Text message', '123456']] })
  expect([text.error, text.idp.factors]).toEqual([undefined, ['SMS StartOOB', 'SMS Answer 123456']])
})

test('a preference is matched by the name on the page; else a menu is shown', async () => {
  const second = [oath, radius, app]
  const preferred = await signIn({ second }, { settings: { authPreferences: ['Nothing', 'DUO'] } })
  expect([preferred.error, preferred.idp.factors]).toEqual([undefined, ['RADIUS Answer push']])
  const chosen = await signIn(
    { second },
    {
      answers: [
        ['OATH OTP Client, DUO, Mobile Authenticator', 'OATH OTP Client'],
        ['OATH OTP Client', '123456'],
      ],
    },
  )
  expect([chosen.error, chosen.idp.factors]).toEqual([undefined, ['OATH Answer 123456']])
})

test('a factor that is refused, and none in the background', async () => {
  const denied = await signIn({ second: [radius], denied: true })
  expect(denied.error).toMatchObject({ kind: 'refused', code: 'mfa-refused' })
  const silent = await signIn({ second: [radius] }, { mode: 'refresh' })
  expect([silent.error, silent.idp.factors]).toEqual([expect.objectContaining({ code: 'idp-session-ended' }), []])
})

test('an app that wants more than the session has is given it', async () => {
  const { error, idp } = await signIn({ elevation: [radius] })
  expect([error, idp.posts(), idp.factors]).toEqual([undefined, 1, ['RADIUS Answer push']])
})

test('a tenant that is elsewhere is named', async () => {
  const { error, idp } = await signIn({ start: { PodFqdn: 'aab1234.my.idaptive.app' } })
  expect(error).toMatchObject({ kind: 'config', message: expect.stringContaining('aab1234.my.idaptive.app') })
  expect(idp.posts()).toBe(0)
})

test('the settings of the original', async () => {
  const centrify = { tenant_id: 'ABC1234', appkey: 'key-1', vanity_id: 'corp', auth_preferences: ['DUO', 'Password'] }
  const config = readConfig({ defaults: { centrify } }, 'config.yaml')
  const settings = resolveSettings(coreOptions, {}, { config, plugins: ['centrify'] })
  expect(settings).toMatchObject({ tenantId: 'ABC1234', appId: 'key-1', authPreferences: ['DUO', 'Password'] })
  const requests: string[] = []
  const made = await testContext({ settings })
  const http = {
    ...made.context.http,
    request({ url }: { readonly url: string }): Promise<never> {
      requests.push(url)
      return Promise.reject(new Error('far enough'))
    },
  }
  await idaptive.authenticate({ ...made.context, http }).catch(() => {})
  expect(requests).toEqual(['https://corp.my.idaptive.app/run?appkey=key-1'])
})
