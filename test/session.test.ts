/** One login over time, against the demo's identity provider and STS. */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startDemoIdp, type DemoIdp } from '../scripts/demo-idp.ts'
import { startDemoSts } from '../scripts/demo-sts.ts'
import { openPlugins } from '../src/plugins.ts'
import { chooseRole } from '../src/roles.ts'
import { openSession, type Session } from '../src/session.ts'
import type { Credentials } from '../src/types.ts'
import { testContext } from './context.ts'
import { assumed, startFakeSts, stsError } from './fake-sts.ts'
import { cookieValues, machineVault } from './sealed.ts'

const role = 'arn:aws:iam::123456789012:role/Admin'
const people = { jane: { password: 'correct horse', roles: [role] } }

let home: string
let idp: DemoIdp
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'cloudtoken-session-'))
  idp = await startDemoIdp(people)
})
afterEach(async () => {
  await idp.stop()
  rmSync(home, { recursive: true, force: true })
})

/** Nobody is there to ask; `now` is the clock. */
async function open(sts: string, { now = Date.now, url = idp.url } = {}): Promise<Session> {
  const { context } = await testContext({ settings: { url, password: 'correct horse', skipKeyring: true } })
  const { settings, ask, log, username } = context
  const paths = { home, config: home, state: home }
  const env = { AWS_ENDPOINT_URL_STS: sts }
  return openSession({
    ...{ settings, ask, log, username, paths, env },
    plan: { preAuth: [], auth: [], provider: 'simplesamlphp', guess: undefined, exporters: [] },
    plugins: openPlugins({ paths, env, ask, log, debug: false, timeoutSeconds: 60 }),
    config: { aliases: {} },
    ...machineVault(home, settings, log),
    clock: { now, elapsed: now, sleep: async () => {}, random: () => 0 },
  })
}

async function takeRole(session: Session): Promise<Credentials> {
  const { signal } = new AbortController()
  const signedIn = await session.signIn('login', signal)
  if (signedIn.kind !== 'roles') throw new Error('no roles')
  const chosen = chooseRole(await signedIn.offer.roles(), {}).role
  if (!chosen) throw new Error('no role')
  return signedIn.offer.take(chosen, 'login', signal)
}

test('K15 an assertion that ended at the role menu: signed in again with cookies, without a question', async () => {
  const sts = await startDemoSts()
  try {
    // The menu was open for ten minutes; then it is now.
    const now = (): number => Date.now() + (idp.assertions() === 1 ? 600_000 : 0)
    const credentials = await takeRole(await open(sts.origin, { now }))
    expect(credentials.roleArn).toBe(role)
    expect([idp.assertions(), idp.passwords(), sts.assumed()]).toEqual([2, 1, [role]])
  } finally {
    await sts.stop()
  }
})

test('T01 STS calls the assertion expired: one more sign-in with cookies, and no third', async () => {
  const expired = stsError('ExpiredTokenException', 'Token must be redeemed within 5 minutes of issuance')
  const sts = await startFakeSts()
  sts.queue('AssumeRoleWithSAML', expired, assumed())
  expect((await takeRole(await open(sts.url))).roleArn).toBe(role)
  expect([idp.assertions(), idp.passwords(), sts.requests.length]).toEqual([2, 1, 2])
  const [first, second] = sts.requests.map(({ parameters }) => parameters['SAMLAssertion'])
  expect(first).not.toBe(second)
  sts.queue('AssumeRoleWithSAML', expired, expired)
  const error = await takeRole(await open(sts.url)).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ kind: 'sts', code: 'ExpiredTokenException' })
  expect([idp.assertions(), idp.passwords()]).toEqual([4, 1])
  await sts.stop()
})

test('C09 each identity provider has a jar of its own', async () => {
  const other = await startDemoIdp(people)
  const sts = await startDemoSts()
  try {
    await takeRole(await open(sts.origin))
    await takeRole(await open(sts.origin, { url: other.url }))
    const folder = join(home, 'identities')
    const values = await Promise.all(readdirSync(folder).map(name => cookieValues(home, join(folder, name))))
    expect(values.map(list => list.length > 0)).toEqual([true, true])
    expect(values[0]?.filter(value => values[1]?.includes(value))).toEqual([])
    // Ending one leaves the other as it is.
    other.endSessions()
    await takeRole(await open(sts.origin))
    expect([idp.passwords(), other.passwords()]).toEqual([1, 1])
  } finally {
    await Promise.all([other.stop(), sts.stop()])
  }
})
