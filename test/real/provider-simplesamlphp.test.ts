/** The provider against SimpleSAMLphp itself. */
import { afterEach, describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { freePort } from '../../scripts/demo-http.ts'
import { simplesamlphp } from '../../src/provider-simplesamlphp.ts'
import { testContext, type TestContext, type TestContextOptions } from '../context.ts'
import { present } from './present.ts'
import {
  alice,
  aliceRoles,
  serviceAt,
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

describe.skipIf(!here)('one that signs in through another', () => {
  /** Hosts of their own, since cookies do not know ports. */
  async function startChain(): Promise<{ front: SimpleSamlPhp; home: SimpleSamlPhp; homeHost: string }> {
    const place = { host: '127.0.0.2', port: await freePort() }
    const home = await startIdp({ service: serviceAt(place) })
    const front = await startIdp({ place, upstream: home.federation })
    return { front, home, homeHost: new URL(home.url).host }
  }

  test('C12 the password goes to the one behind alone, after the person has said so once', async () => {
    const { front, home, homeHost } = await startChain()
    const first = await signIn(front.url, { answers: [[homeHost, true]] })
    const frontHost = new URL(front.url).host
    expect(first.asked).toEqual([
      `${frontHost} sends the sign-in on to ${homeHost}. Enter your password or code there?`,
    ])
    expect([passwords(home), passwords(front)]).toEqual([1, 0])
    expect(front.requests().filter(line => line.startsWith('POST'))).toEqual([
      expect.stringContaining('saml/sp/saml2-acs.php'),
    ])

    // While either session lives, nobody is asked for anything.
    front.endSessions()
    const second = await signIn(front.url, { earlier: first, mode: 'refresh' })
    expect([second.asked, second.passwords()]).toEqual([[], 0])

    // The approval is remembered, also in the background.
    home.endSessions()
    front.endSessions()
    const third = await signIn(front.url, { earlier: first, mode: 'refresh' })
    expect([third.asked, passwords(home), passwords(front)]).toEqual([[], 2, 0])
  })

  test('C12 who says no, and the background before anybody said yes, sends no password anywhere', async () => {
    const { front, home, homeHost } = await startChain()
    const { outcome } = await go(front.url, { answers: [[homeHost, false]] })
    expect(outcome).toMatchObject({ kind: 'refused', code: 'foreign-host' })
    const silent = await go(front.url, { mode: 'refresh' })
    expect(silent.outcome).toMatchObject({ kind: 'person', code: 'foreign-host' })
    expect([silent.made.passwords(), passwords(home), passwords(front)]).toEqual([0, 0, 0])
  })

  test('a wrong password is told by the one behind, and is one post', async () => {
    const { front, home, homeHost } = await startChain()
    const { outcome } = await go(front.url, { password: 'wrong horse', answers: [[homeHost, true]] })
    expect(outcome).toMatchObject({ code: 'password-refused', message: expect.stringContaining(homeHost) })
    expect(passwords(home)).toBe(1)
  })
})
