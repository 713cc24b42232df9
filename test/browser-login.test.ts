/** What a person reads when there is no browser to sign in with; the rest is tested with a real one. */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { browserLogin } from '../src/browser-login.ts'
import { browser, throughBrowser } from '../src/provider-browser.ts'
import { samlResponse } from '../src/provider-saml-response.ts'
import { simplesamlphp } from '../src/provider-simplesamlphp.ts'
import { folderStore } from '../src/store.ts'
import { testContext, testSettings, type TestContextOptions } from './context.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloudtoken-browser-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const entry = new URL('http://127.0.0.1:9/')

/** A program that does what `script` says, in the place of a browser. */
async function signInWith(script: string, options: TestContextOptions = {}, env = {}): Promise<unknown> {
  const program = join(folder, 'browser-program')
  writeFileSync(program, `#!/bin/sh\n${script}\n`)
  chmodSync(program, 0o755)
  const { context } = await testContext({ ...options, settings: { browserPath: program, ...options.settings } })
  const machine = {
    env: { ...process.env, DISPLAY: ':none', ...env },
    platform: 'linux' as const,
    isProgram: existsSync,
    quietMs: 100,
    silentMs: 1000,
    lockMs: 100,
  }
  return await browserLogin({ ...context, store: folderStore(join(folder, 'state')) }, entry, machine).catch(
    (error: unknown) => error,
  )
}

test('no program there', async () => {
  const missing = { settings: { browserPath: join(folder, 'nothing') } }
  expect(await signInWith('', missing)).toMatchObject({
    kind: 'config',
    code: 'browser-missing',
    hint: expect.stringContaining('--browser-path FILE'),
  })
})

test('a browser that ends at once: its last word that is about itself', async () => {
  const script = `echo '[1:2:ERROR:x.cc(1)] Cannot create the profile' >&2; echo '[1:2:ERROR:dbus/bus.cc] no bus' >&2; exit 21`
  expect(await signInWith(script)).toMatchObject({
    kind: 'config',
    code: 'browser-failed',
    message: expect.stringMatching(/browser-program cannot be used: Cannot create the profile$/),
  })
})

test('a browser that will not run as root', async () => {
  const script = `echo 'Running as root without --no-sandbox is not supported.' >&2; exit 1`
  expect(await signInWith(script)).toMatchObject({ code: 'browser-failed', hint: 'run cloudtoken as yourself' })
})

test('a company that forbids it', async () => {
  const script = `echo 'DevTools remote debugging is disallowed by the system admin.' >&2; exec sleep 60`
  expect(await signInWith(script)).toMatchObject({ hint: expect.stringContaining('your company forbids it') })
})

test('two at once: the second says so', async () => {
  const both = await Promise.all([signInWith('sleep 1'), signInWith('sleep 1')])
  expect(both.map(each => (each as { code: string }).code).toSorted()).toEqual(['browser-busy', 'browser-failed'])
})

test('a window needs a screen; a renewal does not', async () => {
  const dark = { DISPLAY: '', WAYLAND_DISPLAY: '' }
  expect(await signInWith('exit 1', {}, dark)).toMatchObject({ kind: 'person', code: 'browser-no-screen' })
  expect(await signInWith('exit 1', { mode: 'refresh' }, dark)).toMatchObject({ code: 'browser-failed' })
})

test('the browser sees neither our variables nor those of AWS, and none of it on its command line', async () => {
  const secrets = { CLOUDTOKEN_PASSWORD: 'hush-1', AWS_SECRET_ACCESS_KEY: 'hush-2', PLAIN: 'loud' }
  await signInWith(`{ env; echo "$@"; } > ${folder}/seen; exit 1`, { password: 'hush-3' }, secrets)
  const seen = await Bun.file(join(folder, 'seen')).text()
  expect(seen).toContain('PLAIN=loud')
  expect(seen).not.toContain('hush')
})

test('a provider with pages can be handed over, with the page that it begins with', () => {
  const settings = testSettings({ url: 'https://idp.example/simplesaml' })
  const handed = throughBrowser(simplesamlphp)
  expect(handed.name).toBe('simplesamlphp')
  expect(handed.entry?.(settings)).toBe(
    'https://idp.example/simplesaml/saml2/idp/SSOService.php?spentityid=urn:amazon:webservices',
  )
  expect(throughBrowser(browser)).toBe(browser)
  expect(() => throughBrowser(samlResponse)).toThrow('saml-response has no page to open in a browser')
  expect(() => browser.entry?.(testSettings({ url: 'http://idp.example/' }))).toThrow('is not https')
})
