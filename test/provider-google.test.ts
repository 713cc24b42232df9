/**
 * Google Workspace without a browser: which address it takes, and that nobody is asked for a password. The sign-in itself is
 * tested with Chromium.
 */
import { expect, test } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { google } from '../src/provider-google.ts'
import { folderStore } from '../src/store.ts'
import { testContext, testSettings, type TestContextOptions } from './context.ts'

const address = 'https://accounts.google.com/o/saml2/initsso?idpid=C01&spid=123&forceauthn=false'
const wrong = async (options: TestContextOptions): Promise<unknown> =>
  google.authenticate((await testContext(options)).context).catch((error: unknown) => error)

test('the address of the app is needed whole', async () => {
  expect(google.entry?.(testSettings({ url: address }))).toBe(address)
  expect(await wrong({})).toMatchObject({ kind: 'config', code: 'url-missing' })
  for (const url of [
    'https://accounts.google.com',
    address.replace('spid', 'x'),
    address.replace('accounts.google.com', 'accounts.google.com.example'),
    address.replace('initsso', 'idp'),
  ]) {
    expect(await wrong({ settings: { url } })).toMatchObject({
      kind: 'config',
      code: 'app-missing',
      hint: expect.stringContaining('initsso?idpid=ID&spid=ID'),
    })
  }
})

test('it goes to the browser at once, in a login and in a renewal; a password is never asked for', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-google-'))
  try {
    const browserPath = join(folder, 'browser-program')
    writeFileSync(browserPath, '#!/bin/sh\necho "[1:2:ERROR:x.cc(1)] no browser, but a test" >&2\nexit 21\n')
    chmodSync(browserPath, 0o755)
    const store = folderStore(join(folder, 'state'))
    for (const mode of ['login', 'refresh'] as const) {
      const made = await testContext({ mode, settings: { url: address, browserPath, headless: true } })
      const error = await google.authenticate({ ...made.context, store }).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({
        code: 'browser-failed',
        message: expect.stringContaining('no browser, but a test'),
      })
      expect([made.passwords(), made.asked]).toEqual([0, []])
    }
    await google.forget?.({ ...(await testContext()).context, store })
    expect(store.read('browser')).toBeUndefined()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
