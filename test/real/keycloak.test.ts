/** The provider, and a browser, against Keycloak itself. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../scripts/demo-http.ts'
import { keycloak } from '../../src/provider-keycloak.ts'
import { simplesamlphp } from '../../src/provider-simplesamlphp.ts'
import { testContext, type TestContext, type TestContextOptions } from '../context.ts'
import { codeOf, password, role, startKeycloak, type Keycloak } from './keycloak.ts'
import { browserAttempt } from './browser-attempt.ts'
import { sitDown } from './chromium.ts'
import { present } from './present.ts'
import { serviceAt, startSimpleSamlPhp, type Place } from './simplesamlphp.ts'

const here = await present('keycloak', 'java')

let server: Keycloak
/** Where a SimpleSAMLphp is going to be that signs people in here. */
let front: Place
beforeAll(async () => {
  if (!here) return
  front = { host: '127.0.0.2', port: await freePort() }
  server = await startKeycloak({ service: serviceAt(front) })
}, 180_000)
afterAll(() => server?.stop())
setDefaultTimeout(60_000)

async function signInAt(url: string, username: string, options: TestContextOptions): Promise<TestContext> {
  const made = await testContext({ username, password, ...options, settings: { url } })
  expect(rolesIn(await simplesamlphp.authenticate(made.context))).toContain(role)
  return made
}

async function go(
  username: string,
  options: TestContextOptions = {},
): Promise<{ made: TestContext; outcome: unknown }> {
  const settings = { url: server.url, ...options.settings }
  const made = await testContext({ username, password, ...options, settings })
  return { made, outcome: await keycloak.authenticate(made.context).catch((error: unknown) => error) }
}

async function signIn(username: string, options?: TestContextOptions): Promise<TestContext> {
  const { made, outcome } = await go(username, options)
  expect(rolesIn(outcome)).toContain(role)
  return made
}

function rolesIn(outcome: unknown): string {
  if (outcome instanceof Error) throw outcome
  const { response } = outcome as { response: string }
  return Buffer.from(response, 'base64').toString()
}

describe.skipIf(!here)('signing in', () => {
  test('once; the session then needs no password, until it ends', async () => {
    const first = await signIn('alice')
    const second = await signIn('alice', { earlier: first, mode: 'refresh' })
    expect([first.passwords(), second.passwords()]).toEqual([1, 0])
    await server.endSessions()
    const nobody = await testContext({
      username: 'alice',
      settings: { url: server.url },
      earlier: first,
      mode: 'refresh',
    })
    const outcome = await keycloak.authenticate(nobody.context).catch((error: unknown) => error)
    expect(outcome).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
  })

  test('K04 K05 a wrong password and a disabled account, told apart', async () => {
    expect((await go('alice', { password: 'wrong' })).outcome).toMatchObject({
      code: 'password-refused',
      message: expect.stringContaining('Invalid username or password'),
    })
    expect((await go('dora')).outcome).toMatchObject({ code: 'account-disabled' })
  })

  test('K07 K10 a code; a wrong one is asked for again, the password is not', async () => {
    const made = await signIn('olga', {
      answers: [
        ['One-time code', '000000'],
        ['One-time code', codeOf('Phone')],
      ],
    })
    expect([made.passwords(), made.asked.length]).toEqual([1, 2])
    expect(made.told).toEqual([expect.stringContaining('Invalid authenticator code')])
  })

  test('K09 of two devices the person chooses one, and its code is the right one', async () => {
    const choice = ['second factor', 'Tablet'] as const
    const made = await signIn('otto', { answers: [choice, ['code', '000000'], ['code', codeOf('Tablet')]] })
    expect(made.asked[0]).toEndWith(': Phone, Tablet')
    expect(made.asked).toHaveLength(3)
  })

  test('K12 what has to be done first is said in plain words', async () => {
    expect((await go('uma')).outcome).toMatchObject({ code: 'password-expired' })
    expect((await go('cora')).outcome).toMatchObject({
      code: 'action-required',
      message: expect.stringContaining('authenticator app'),
    })
    expect((await go('pia')).outcome).toMatchObject({
      code: 'action-required',
      message: expect.stringContaining('profile'),
    })
    expect((await go('terry', { settings: { consent: 'refuse' } })).outcome).toMatchObject({ code: 'consent-refused' })
    const made = await signIn('terry', { answers: [['consent', true]] })
    expect(made.told[0]).toContain('Terms and Conditions')
  })

  test('K02 a realm that would rather have a Kerberos ticket gets the password', async () => {
    const raw = await fetch(server.ticketUrl)
    expect([raw.status, raw.headers.get('www-authenticate')]).toEqual([401, 'Negotiate'])
    const made = await signIn('alice', { settings: { url: server.ticketUrl } })
    expect(made.passwords()).toBe(1)
  })

  test('another client is unknown, and so is another realm', async () => {
    const elsewhere = (from: string, to: string): Promise<{ outcome: unknown }> =>
      go('alice', { settings: { url: server.url.replace(from, to) } })
    expect((await elsewhere('amazon-aws', 'amazon')).outcome).toMatchObject({ kind: 'config', code: 'sp-unknown' })
    expect((await elsewhere('corp', 'corporation')).outcome).toMatchObject({ kind: 'config', code: 'sp-unknown' })
  })
})

describe.skipIf(!(here && (await present('simplesamlphp', 'openssl'))))('behind a SimpleSAMLphp', () => {
  test('C12 the password and the code go to Keycloak alone, after the person has said so once', async () => {
    const bridge = await startSimpleSamlPhp({ place: front, upstream: await server.federation() })
    try {
      const { host } = new URL(server.origin)
      const enter = (options: TestContextOptions): Promise<TestContext> => signInAt(bridge.url, 'chen', options)
      const first = await enter({
        answers: [
          [`sends the sign-in on to ${host}`, true],
          ['One-time code', codeOf('Tablet')],
        ],
      })
      expect(first.passwords()).toBe(1)
      expect(bridge.requests().filter(line => line.startsWith('POST'))).toEqual([
        expect.stringContaining('saml/sp/saml2-acs.php'),
      ])
      bridge.endSessions()
      const silent = await enter({ earlier: first, mode: 'refresh' })
      expect([silent.asked, silent.passwords()]).toEqual([[], 0])

      await server.endSessions()
      bridge.endSessions()
      const made = await testContext({
        username: 'chen',
        password,
        earlier: first,
        mode: 'refresh',
        settings: { url: bridge.url },
      })
      const over = await simplesamlphp.authenticate(made.context).catch((error: unknown) => error)
      expect(over).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
    } finally {
      await bridge.stop()
    }
  })
})

const chromium = here && (await present('chromium'))

test.skipIf(!chromium)('in a browser with a second factor; then without a window while the session lives', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-browser-'))
  try {
    const attempt = browserAttempt(folder, server.url)
    const going = attempt.go()
    const person = await sitDown(attempt.profile)
    await person.fills({ '#username': 'olga', '#password': password })
    await person.presses('#kc-login')
    await person.fills({ '#otp': codeOf('Phone', Date.now() + 30_000) })
    await person.presses('#kc-login')
    const { outcome } = await going
    person.leaves()
    expect(rolesIn(outcome)).toContain(role)
    expect(rolesIn((await attempt.go({ mode: 'refresh' })).outcome)).toContain(role)
    await server.endSessions()
    expect((await attempt.go({ mode: 'refresh' })).outcome).toMatchObject({ code: 'idp-session-ended' })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
