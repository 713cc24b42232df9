/** Signing in through a browser, against SimpleSAMLphp: Chromium itself, driven by its person. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { browserLogin } from '../../src/browser-login.ts'
import { folderStore } from '../../src/store.ts'
import { testContext, type TestContext, type TestContextOptions } from '../context.ts'
import { eventually, processesWith, sitDown, wrapChromium } from './chromium.ts'
import { present } from './present.ts'
import { alice, aliceRoles, startSimpleSamlPhp, type SimpleSamlPhp } from './simplesamlphp.ts'

const here = await present('simplesamlphp', 'openssl', 'chromium')

let folder: string
let idp: SimpleSamlPhp
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cloudtoken-browser-'))
  if (here) idp = await startSimpleSamlPhp()
})
afterEach(async () => {
  if (here) await idp.stop()
  rmSync(folder, { recursive: true, force: true })
})

interface Attempt extends TestContextOptions {
  readonly url?: string
  readonly signal?: AbortSignal
  readonly quietMs?: number
}

/** The outcome, or what was thrown. */
async function go(options: Attempt = {}): Promise<{ made: TestContext; outcome: unknown }> {
  const { url = idp.url, signal, quietMs = 1500 } = options
  const settings = { browserPath: wrapChromium(folder), browserTimeout: 60, ...options.settings }
  const made = await testContext({ ...options, settings })
  const machine = {
    env: { ...process.env, DISPLAY: ':none' },
    platform: process.platform,
    isProgram: () => true,
    quietMs,
    silentMs: 20_000,
  }
  const context = { ...made.context, store: folderStore(join(folder, 'state')), ...(signal && { signal }) }
  const outcome = await browserLogin(context, new URL(url), machine).catch((error: unknown) => error)
  return { made, outcome }
}

const profile = (): string => join(folder, 'state', 'browser')
const nobodyLeft = (): Promise<unknown> => eventually(() => processesWith(profile()).length === 0 || undefined)

function expectRoles(outcome: unknown): void {
  if (outcome instanceof Error) throw outcome
  const { response } = outcome as { response: string }
  const xml = Buffer.from(response, 'base64').toString()
  for (const role of aliceRoles) expect(xml).toContain(role)
}

async function signInAsAlice(): Promise<unknown> {
  const going = go()
  const person = await sitDown(profile())
  await person.fills({ 'input[name=username]': 'alice', 'input[name=password]': alice.password })
  await person.presses('button, input[type=submit]')
  const { outcome } = await going
  person.leaves()
  return outcome
}

describe.skipIf(!here)('a browser of its own', () => {
  test('a person signs in; the session then serves without one, until it ends', async () => {
    expectRoles(await signInAsAlice())
    expect(statSync(profile()).mode & 0o777).toBe(0o700)
    await nobodyLeft()
    const again = await go({ mode: 'refresh' })
    expectRoles(again.outcome)
    expect(again.made.asked).toEqual([])
    idp.endSessions()
    const { outcome } = await go({ mode: 'refresh' })
    expect(outcome).toMatchObject({ kind: 'person', code: 'idp-session-ended', hint: 'cloudtoken' })
    await nobodyLeft()
  })
})
