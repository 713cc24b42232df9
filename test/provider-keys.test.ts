import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Settings } from '../src/options.ts'
import { openPlugins } from '../src/plugins.ts'
import { keys } from '../src/provider-keys.ts'
import { openSession } from '../src/session.ts'
import { testContext, type TestContext, type TestContextOptions } from './context.ts'
import { startFakeIam, type FakeIam } from './fake-iam.ts'
import { machineVault } from './sealed.ts'

const ada = {
  accessKeyId: 'AKIAADA0000000000001',
  secretAccessKey: 'secret/of+ada0000000000000000000000000001',
  arn: 'arn:aws:iam::123456789012:user/ada',
  mfaSerial: 'GAHT12345678',
}
const role = 'arn:aws:iam::210987654321:role/Admin'
let iam: FakeIam
let home: string
beforeEach(async () => {
  iam = await startFakeIam([ada])
  home = mkdtempSync(join(tmpdir(), 'cloudtoken-keys-'))
})
afterEach(async () => {
  rmSync(home, { recursive: true })
  await iam.stop()
})

const typed: TestContextOptions['answers'] = [
  ['Access key ID of jane', ada.accessKeyId],
  ['Secret access key', ada.secretAccessKey],
]

interface Outcome {
  readonly made: TestContext
  readonly outcome: unknown
}

/** A whole sign-in, as a run of its own. */
async function signIn(
  settings: Partial<Settings>,
  answers: TestContextOptions['answers'] = [],
  mode: 'login' | 'refresh' = 'login',
): Promise<Outcome> {
  const made = await testContext({ settings: { skipKeyring: true, secretStore: 'machine', ...settings }, answers })
  const { settings: all, ask, log, username, signal } = made.context
  const paths = { home, config: home, state: home }
  const env = { AWS_ENDPOINT_URL_STS: iam.origin }
  const now = (): number => Date.now()
  const session = await openSession({
    ...{ settings: all, ask, log, username, paths, env },
    ...machineVault(home, all, log),
    plan: { preAuth: [], auth: [], provider: 'keys', guess: undefined, exporters: [] },
    plugins: openPlugins({ paths, env, ask, log, debug: false, timeoutSeconds: 60 }),
    config: { aliases: {} },
    clock: { now, elapsed: now, sleep: async () => {}, random: () => 0 },
  })
  const outcome = await session.signIn(mode, signal).catch((error: unknown) => error)
  expect(made.logged.join('')).not.toContain(ada.secretAccessKey)
  return { made, outcome }
}

test('typed once, then kept; --password-prompt asks again', async () => {
  const first = await signIn({ chain: [role] }, typed)
  expect(first.outcome).toMatchObject({ kind: 'credentials', credentials: { roleArn: role } })
  expect((await signIn({ chain: [role] })).made.asked).toEqual([])
  expect((await signIn({ chain: [role], passwordPrompt: true }, typed)).made.asked).toHaveLength(2)
})

test('a key that AWS does not take is not kept', async () => {
  const wrong = await signIn({ chain: [role] }, [
    ['Access key ID', ada.accessKeyId],
    ['Secret', 'x'.repeat(40)],
  ])
  expect(wrong.outcome).toMatchObject({ kind: 'sts', code: 'SignatureDoesNotMatch' })
  expect((await signIn({ chain: [role] }, typed)).made.asked).toHaveLength(2)
})

test('without a keyring and without a word about it, a key for good is not put into a file', async () => {
  const { made, outcome } = await signIn({ chain: [role], secretStore: 'auto' }, typed)
  expect(outcome).toMatchObject({ kind: 'credentials' })
  expect(made.logged.join('')).toContain('the access key is not kept')
  expect((await signIn({ chain: [role], secretStore: 'auto' }, typed)).made.asked).toHaveLength(2)
})

test('what is no key is asked for again; the key of a session is sent elsewhere', async () => {
  const { context, told } = await testContext({
    answers: [['Access', 'my key'], ['Access', ada.accessKeyId], ['Secret', 'short'], ...typed],
  })
  expect(await keys.authenticate(context)).toMatchObject({ kind: 'keys', key: { accessKeyId: ada.accessKeyId } })
  expect(told).toHaveLength(2)
  const session = await testContext({ answers: [['Access', 'ASIA0000000000000001']] })
  await expect(keys.authenticate(session.context)).rejects.toMatchObject({ kind: 'usage' })
})

test('a code that was mistyped is asked for again; in the background nobody is asked', async () => {
  iam.wantCode(role)
  const settings = { chain: [role], mfaSerial: ada.mfaSerial }
  const background = await signIn(settings, typed, 'refresh')
  expect(background.outcome).toMatchObject({ kind: 'person' })
  const code: [string, string] = ['MFA code (GAHT12345678)', iam.code()]
  const { made, outcome } = await signIn(settings, [...(typed ?? []), ['MFA code', '000000'], code])
  expect(outcome).toMatchObject({ kind: 'credentials' })
  expect(made.told).toEqual(['AWS refused the code of GAHT12345678'])
  const silent = await signIn(settings, [], 'refresh')
  expect([silent.made.asked, silent.outcome]).toEqual([[], expect.objectContaining({ kind: 'credentials' })])
  const three = Array.from({ length: 3 }, (_, n): [string, string] => ['MFA code', `00000${n}`])
  const device = { mfaSerial: 'arn:aws:iam::123456789012:mfa/other' }
  expect((await signIn({ ...settings, ...device }, three)).outcome).toMatchObject({
    kind: 'refused',
    code: 'mfa-refused',
  })
})

test.each(['', '{', 'null', '{"accessKeyId":"AKIA"}', '{"accessKeyId":"AKIA","secretAccessKey":"a b"}'])(
  'a damaged key %j is none: it is asked for',
  async text => {
    const { context } = await testContext({ answers: typed })
    const secrets = { ...context.secrets, read: () => Promise.resolve(text) }
    expect(await keys.authenticate({ ...context, secrets })).toMatchObject({ typed: true })
  },
)
