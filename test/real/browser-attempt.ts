/**
 * Sign-ins through Chromium with one and the same profile, under a folder of the test.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { browserLogin } from '../../src/browser-login.ts'
import { folderStore } from '../../src/store.ts'
import { sealedStore } from '../../src/vault.ts'
import { testContext, type TestContext, type TestContextOptions } from '../context.ts'
import { machineVault } from '../sealed.ts'
import { wrapChromium } from './chromium.ts'

interface AttemptOptions extends TestContextOptions {
  readonly url?: string
  readonly signal?: AbortSignal
}

export interface BrowserAttempt {
  readonly entry: string
  readonly profile: string
  /** The outcome, or what was thrown. */
  go(options?: AttemptOptions): Promise<{ readonly made: TestContext; readonly outcome: unknown }>
}

export function browserAttempt(
  folder: string,
  entry: string,
  signIn: typeof browserLogin = browserLogin,
): BrowserAttempt {
  const state = join(folder, 'state')
  const browserPath = wrapChromium(folder)
  return {
    entry,
    profile: join(state, 'browser'),
    async go(options = {}) {
      const { url = entry, signal } = options
      const settings = { browserPath, browserTimeout: 60, ...options.settings }
      const made = await testContext({ ...options, settings })
      const machine = {
        // A screen as far as the program knows; the wrapper needs none.
        env: { ...process.env, DISPLAY: ':none' },
        platform: process.platform,
        isProgram: (file: string) => existsSync(file),
        quietMs: 1500,
        silentMs: 20_000,
        lockMs: 10_000,
      }
      const { settings: all, log, ask } = made.context
      const { vault } = machineVault(join(folder, 'vault'), { ...all, skipKeyring: true }, log)
      const store = folderStore(state)
      const secrets = sealedStore(store, vault, () => ask)
      const context = { ...made.context, store, secrets, ...(signal && { signal }) }
      return { made, outcome: await signIn(context, new URL(url), machine).catch((error: unknown) => error) }
    },
  }
}
