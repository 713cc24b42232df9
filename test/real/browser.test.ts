/** Signing in through a browser: Chromium itself, driven by its person, at SimpleSAMLphp and at pages that go wrong. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../scripts/demo-http.ts'
import { page, responsePage, samlResponse, serve, type Reply, type Seen } from '../fake-idp.ts'
import { until } from '../until.ts'
import { browserAttempt, type BrowserAttempt } from './browser-attempt.ts'
import { processesWith, sitDown } from './chromium.ts'
import { present } from './present.ts'
import { alice, aliceRoles, startSimpleSamlPhp, type SimpleSamlPhp } from './simplesamlphp.ts'

const here = await present('simplesamlphp', 'openssl', 'chromium')

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloudtoken-browser-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const nobodyLeft = ({ profile }: BrowserAttempt): Promise<unknown> =>
  until(() => processesWith(profile).length === 0, 'the end of the browser')

describe.skipIf(!here)('at SimpleSAMLphp', () => {
  let idp: SimpleSamlPhp
  beforeAll(async () => {
    if (here) idp = await startSimpleSamlPhp()
  })
  afterAll(() => idp?.stop())

  function expectRoles(outcome: unknown): void {
    if (outcome instanceof Error) throw outcome
    const { response } = outcome as { response: string }
    const xml = Buffer.from(response, 'base64').toString()
    for (const role of aliceRoles) expect(xml).toContain(role)
  }

  test('a person signs in; the session then serves without one, until it ends', async () => {
    const attempt = browserAttempt(folder, idp.url)
    const going = attempt.go()
    const person = await sitDown(attempt.profile)
    await person.fills({ 'input[name=username]': 'alice', 'input[name=password]': alice.password })
    await person.presses('button, input[type=submit]')
    const { made, outcome } = await going
    person.leaves()
    expectRoles(outcome)
    expect(made.told).toEqual([expect.stringMatching(/^sign in at 127\.0\.0\.1:\d+ in the window of chromium$/)])
    expect(made.passwords()).toBe(0)
    expect(statSync(attempt.profile).mode & 0o777).toBe(0o700)
    await nobodyLeft(attempt)

    const again = await attempt.go({ mode: 'refresh' })
    expectRoles(again.outcome)
    expect([again.made.asked, again.made.told]).toEqual([[], []])
    expect(again.made.logged.join()).not.toContain('AuthState')

    idp.endSessions()
    const over = await attempt.go({ mode: 'refresh' })
    expect(over.outcome).toMatchObject({ kind: 'person', code: 'idp-session-ended', hint: 'cloudtoken' })
    expect(String(over.outcome)).toMatch(/shows “Enter your username and password”$/)
    await nobodyLeft(attempt)
  })

  test('a person who closes the window, or who does nothing', async () => {
    const attempt = browserAttempt(folder, idp.url)
    const going = attempt.go()
    const person = await sitDown(attempt.profile)
    await person.sees('input[name=username]')
    await person.closesTheWindow()
    expect((await going).outcome).toMatchObject({ kind: 'cancelled', code: 'browser-closed', hint: 'cloudtoken' })
    await nobodyLeft(attempt)
    const late = await attempt.go({ settings: { browserTimeout: 2 } })
    expect(late.outcome).toMatchObject({
      kind: 'person',
      code: 'browser-timeout',
      hint: 'cloudtoken --browser-timeout SECONDS',
    })
    await nobodyLeft(attempt)
  })

  test('an abort ends the browser', async () => {
    const attempt = browserAttempt(folder, idp.url)
    const controller = new AbortController()
    const going = attempt.go({ signal: controller.signal })
    const person = await sitDown(attempt.profile)
    await person.sees('input[name=username]')
    controller.abort(new Error('enough'))
    expect(String((await going).outcome)).toBe('Error: enough')
    person.leaves()
    await nobodyLeft(attempt)
  })

  test('--headless, and nobody at the terminal: no window, and no waiting for a person', async () => {
    const attempt = browserAttempt(folder, idp.url)
    const { made, outcome } = await attempt.go({ settings: { headless: true } })
    expect(outcome).toMatchObject({ code: 'idp-session-ended', hint: 'the same without --headless' })
    expect(made.told).toEqual([])
  })
})

describe.skipIf(!here)('pages', () => {
  const servers: { stop(): Promise<void> }[] = []
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop()
  })

  async function attemptAt(answer: (seen: Seen, origin: string) => Reply): Promise<BrowserAttempt> {
    const server = await serve('127.0.0.1', answer)
    servers.push(server)
    return browserAttempt(folder, `${server.origin}/start`)
  }
  const refresh = { mode: 'refresh' } as const

  test('the response is taken from windows and frames, of every partition, however large', async () => {
    const large = samlResponse('https://x', 'x'.repeat(3_000_000))
    const pages: Record<string, Reply> = {
      '/start': { body: page('frame', '<iframe src="/frame"></iframe>') },
      '/frame': { body: responsePage(large, 'https://eusc-de-east-1.signin.amazonaws-eusc.eu/saml/acs/SAML_1') },
    }
    const attempt = await attemptAt(({ path }) => pages[path] ?? { status: 404 })
    expect((await attempt.go(refresh)).outcome).toEqual({ kind: 'saml', response: large })
  })

  test('cookies that end with the browser are there again, each for its own path', async () => {
    const seen: (string | undefined)[] = []
    const attempt = await attemptAt(({ path, headers }) => {
      if (path === '/start') seen.push(headers.cookie?.split('; ').toSorted().join('; '))
      const cookies = ['a=1; Path=/; HttpOnly', 'b=2; Path=/; Secure; SameSite=None', 'c=3; Path=/elsewhere']
      return { headers: { 'set-cookie': cookies }, body: responsePage() }
    })
    await attempt.go(refresh)
    await attempt.go(refresh)
    expect(seen).toEqual([undefined, 'a=1; b=2'])
    const kept = join(folder, 'state', 'browser-cookies.json.sealed')
    expect(statSync(kept).mode & 0o777).toBe(0o600)
    expect(readFileSync(kept, 'utf8')).toStartWith('{"key":"machine","sealed":"')
  })

  test('an identity provider that is down, answers with errors, or sends half a response, is no session that ended', async () => {
    const attempt = await attemptAt(({ path }) => {
      if (path === '/half') return { body: responsePage(samlResponse().slice(0, 40)) }
      return { status: 503, body: page('Maintenance', 'Back soon') }
    })
    const failing = await attempt.go(refresh)
    expect(failing.outcome).toMatchObject({ kind: 'network', code: 'idp-error' })
    expect(String(failing.outcome)).toMatch(/status 503: Maintenance$/)
    const half = new URL('/half', attempt.entry).href
    expect((await attempt.go({ ...refresh, url: half })).outcome).toMatchObject({ code: 'saml-missing' })
    const closed = await freePort()
    for (const mode of ['refresh', 'login'] as const) {
      const { outcome } = await attempt.go({ mode, url: `http://127.0.0.1:${closed}/` })
      expect(outcome).toMatchObject({ kind: 'network', code: 'refused' })
    }
    await nobodyLeft(attempt)
  })
})

test('a browser that does not start, or is none, says why', async () => {
  const attempt = browserAttempt(folder, 'http://127.0.0.1:9/')
  const missing = await attempt.go({ settings: { browserPath: join(folder, 'nothing') } })
  expect(missing.outcome).toMatchObject({ kind: 'config', code: 'browser-missing' })
})
