/** The provider against SimpleSAMLphp itself. */
import { afterEach, describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { simplesamlphp } from '../../src/provider-simplesamlphp.ts'
import { testContext, type TestContext, type TestContextOptions } from '../context.ts'
import { present } from './present.ts'
import {
  alice,
  aliceRoles,
  startSimpleSamlPhp,
  type SimpleSamlPhp,
  type SimpleSamlPhpOptions,
} from './simplesamlphp.ts'

const here = await present('simplesamlphp', 'openssl')
const running: { stop(): Promise<void> }[] = []
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop()
})

async function startIdp(options?: SimpleSamlPhpOptions): Promise<SimpleSamlPhp> {
  const idp = await startSimpleSamlPhp(options)
  running.push(idp)
  return idp
}

async function go(url: string, options: TestContextOptions = {}): Promise<{ made: TestContext; outcome: unknown }> {
  const settings = { url, ...options.settings }
  const made = await testContext({ username: 'alice', password: alice.password, ...options, settings })
  return { made, outcome: await simplesamlphp.authenticate(made.context).catch((error: unknown) => error) }
}

async function signIn(url: string, options?: TestContextOptions): Promise<TestContext> {
  const { made, outcome } = await go(url, options)
  if (outcome instanceof Error) throw outcome
  const assertion = JSON.parse(JSON.stringify(outcome)) as { response: string }
  const xml = Buffer.from(assertion.response, 'base64').toString()
  for (const role of aliceRoles) expect(xml).toContain(role)
  return made
}

const passwords = (idp: SimpleSamlPhp): number =>
  idp.requests().filter(line => /^POST .*loginuserpass/.test(line)).length

describe.skipIf(!here)('signing in', () => {
  test('from the base or from the whole address; the session then needs no password', async () => {
    const idp = await startIdp()
    const first = await signIn(idp.url.replace(/\/simplesaml\/.*/, '/simplesaml'))
    const second = await signIn(idp.url, { earlier: first, mode: 'refresh' })
    expect([first.passwords(), second.passwords()]).toEqual([1, 0])
    expect(passwords(idp)).toBe(1)
    idp.endSessions()
    const { outcome } = await go(idp.url, { earlier: first, mode: 'refresh' })
    expect(outcome).not.toBeInstanceOf(Error)
  })

  test('a wrong password is one post', async () => {
    const idp = await startIdp()
    const { outcome } = await go(idp.url, { password: 'wrong horse' })
    expect(outcome).toMatchObject({ code: 'password-refused', message: expect.stringMatching(/: .*incorrect/i) })
    expect(passwords(idp)).toBe(1)
  })

  test('consent is asked for, and remembered for the background', async () => {
    const idp = await startIdp({ consent: 'each time' })
    const first = await signIn(idp.url, { answers: [['consent', true]] })
    await signIn(idp.url, { earlier: first, mode: 'refresh' })
    const { outcome } = await go(idp.url, { settings: { consent: 'refuse' } })
    expect(outcome).toMatchObject({ code: 'consent-refused' })
  })

  test('the source is configured or chosen', async () => {
    const idp = await startIdp({ multiauth: true })
    await signIn(idp.url, { settings: { authSource: 'staff' } })
    const { made } = await go(idp.url, { answers: [['sign-in source', 'none']] })
    expect(made.asked[0]).toMatch(/staff/i)
  })

  test('too short an interval is waited out by pressing on', async () => {
    const idp = await startIdp({ warnShortInterval: true })
    const first = await signIn(idp.url)
    await signIn(idp.url, { earlier: first, mode: 'refresh' })
  })

  test('another entity id is unknown', async () => {
    const idp = await startIdp()
    const { outcome } = await go(idp.url.replace('urn:amazon:webservices', 'urn:other'))
    expect(outcome).toMatchObject({ kind: 'config', code: 'sp-unknown' })
  })
})
