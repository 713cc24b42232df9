/** One login over time, against the demo's identity provider and STS. */
import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { startDemoIdp } from '../scripts/demo-idp.ts'
import { startDemoSts } from '../scripts/demo-sts.ts'
import { openPlugins } from '../src/plugins.ts'
import { chooseRole, offeredRoles } from '../src/roles.ts'
import { openSession } from '../src/session.ts'
import { run } from '../src/run.ts'
import { createVault } from '../src/vault.ts'
import { testContext } from './context.ts'

const role = 'arn:aws:iam::123456789012:role/Admin'

test('K15 an assertion that ended at the role menu: signed in again with cookies, without a question', async () => {
  const home = mkdtempSync(join(tmpdir(), 'cloudtoken-session-'))
  const idp = await startDemoIdp({ jane: { password: 'correct horse', roles: [role] } })
  const sts = await startDemoSts()
  try {
    const { context } = await testContext({ settings: { url: idp.url, password: 'correct horse', skipKeyring: true } })
    const { settings, ask, log, username, signal } = context
    // The menu was open for ten minutes; then it is now.
    const now = (): number => Date.now() + (idp.assertions() === 1 ? 600_000 : 0)
    const paths = { home, config: home, state: home }
    const env = { AWS_ENDPOINT_URL_STS: sts.origin }
    const keyring = {
      read: async () => undefined,
      write: async () => false,
      remove: async () => true,
      available: async () => false,
    }
    const session = await openSession({
      ...{ settings, ask, log, username, paths, env },
      plan: { preAuth: [], auth: [], provider: 'simplesamlphp', guess: undefined, exporters: [] },
      plugins: openPlugins({ paths, env, ask, log, debug: false, timeoutSeconds: 60 }),
      config: { aliases: {} },
      keyring,
      vault: createVault({ settings, paths, keyring, platform: process.platform, run, log }),
      clock: { now, elapsed: now, sleep: async () => {}, random: () => 0 },
    })
    const signedIn = await session.signIn('login', signal)
    if (signedIn.kind !== 'saml') throw new Error('no assertion')
    const chosen = chooseRole(offeredRoles(signedIn.assertion), {}).role
    if (!chosen) throw new Error('no role')
    const credentials = await session.assume(chosen, signedIn.assertion, 'login', signal)
    expect(credentials.roleArn).toBe(role)
    expect([idp.assertions(), idp.passwords(), sts.assumed()]).toEqual([2, 1, [role]])
  } finally {
    await Promise.all([idp.stop(), sts.stop()])
    rmSync(home, { recursive: true, force: true })
  }
})
