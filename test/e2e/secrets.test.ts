import { expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { until } from '../until.ts'
import { password, roles, usePlace, type Result } from './cli.ts'

const place = await usePlace()

const signIn = (env: Record<string, string> = {}, ...words: string[]): Promise<Result> =>
  place.run(['--role', roles[0] ?? '', ...words], { env })
const state = (): string => join(place.home, '.local/state/cloudtoken')
const files = (): string[] =>
  existsSync(state())
    ? readdirSync(state(), { recursive: true, withFileTypes: true })
        .filter(entry => entry.isFile())
        .map(entry => join(entry.parentPath, entry.name))
    : []
const named = (pattern: RegExp): string[] => files().filter(file => pattern.test(file))

test('without a keyring: the session is sealed for this machine, the password nowhere', async () => {
  expect((await signIn({ CLOUDTOKEN_PASSWORD: password })).code).toBe(0)
  expect([named(/cookies\.json$/), named(/password/)]).toEqual([[], []])
  const [jar = ''] = named(/cookies\.json\.sealed$/)
  expect(Object.keys(JSON.parse(readFileSync(jar, 'utf8')))).toEqual(['key', 'sealed'])
  for (const file of files()) expect(statSync(file).mode & 0o077).toBe(0)
  const again = await signIn({}, '--debug')
  expect([again.code, again.stderr]).toEqual([
    0,
    expect.stringContaining('debug: secrets are kept encrypted, with a key of this machine and user\n'),
  ])
  await place.run(['logout'])
  expect([named(/sealed|secrets/), (await signIn()).code]).toEqual([[], 11])
})

test.skipIf(process.platform !== 'linux')(
  'logout does not say that a locked keyring let go of the password',
  async () => {
    const bin = join(place.home, 'bin')
    mkdirSync(bin)
    const tool =
      '#!/bin/sh\ncase $1 in clear) echo "secret-tool: locked" >&2 ;; store) cat >/dev/null ;; esac\nexit 1\n'
    writeFileSync(join(bin, 'secret-tool'), tool, { mode: 0o755 })
    const { code, stderr } = await place.run(['logout'], { env: { PATH: `${bin}:${process.env['PATH']}` } })
    expect([code, stderr]).toEqual([0, expect.stringContaining('warning: the keyring still has the password\n')])
    expect(stderr).not.toContain('and the stored password')
    expect((await place.run(['logout'])).stderr).toContain('and the stored password')
  },
)

test('a passphrase: without it there is no session, a wrong one is said, and it is in no file', async () => {
  const env = { CLOUDTOKEN_SECRET_STORE: 'passphrase', CLOUDTOKEN_SECRET_PASSPHRASE: 'correct horse battery' }
  const first = await signIn({ ...env, CLOUDTOKEN_PASSWORD: password })
  expect([first.code, first.stderr]).toEqual([0, expect.not.stringContaining('correct horse')])
  expect((await signIn(env)).code).toBe(0)
  const wrong = await signIn({ ...env, CLOUDTOKEN_SECRET_PASSPHRASE: 'wrong' })
  expect([wrong.code, wrong.stderr]).toEqual([20, expect.stringContaining('does not open with the passphrase')])
  const alone = await signIn({ CLOUDTOKEN_SECRET_STORE: 'passphrase' })
  expect(alone.code).toBe(11)
  for (const file of files()) expect(readFileSync(file, 'latin1')).not.toContain('correct horse')
}, 120_000)

test('none: nothing stays, and the next run starts anew', async () => {
  const env = { CLOUDTOKEN_SECRET_STORE: 'none' }
  await signIn({ CLOUDTOKEN_PASSWORD: password })
  expect(named(/cookies/)).toHaveLength(1)
  expect((await signIn({ ...env, CLOUDTOKEN_PASSWORD: password })).code).toBe(0)
  expect([named(/cookies/), (await signIn(env)).code]).toEqual([[], 11])
})

test('none, and a daemon: it renews with what it has in memory', async () => {
  await place.daemon(['--role', roles[0] ?? ''], { env: { CLOUDTOKEN_SECRET_STORE: 'none' } })
  const before = place.idp.passwords()
  for (let turn = 0; turn < 2; turn += 1) expect((await place.run(['refresh'])).code).toBe(0)
  expect([place.idp.passwords(), named(/cookies/)]).toEqual([before, []])
  expect((await place.run(['status'])).stdout).toContain('kept nowhere: --secret-store none')
}, 120_000)

test('the command that a child of ours is sees no passphrase', async () => {
  const env = { CLOUDTOKEN_SECRET_STORE: 'passphrase', CLOUDTOKEN_SECRET_PASSPHRASE: 'correct horse battery' }
  const { stdout } = await place.run(['exec', '--role', roles[0] ?? '', '--', 'env'], {
    env: { CLOUDTOKEN_PASSWORD: password, ...env },
  })
  expect(stdout).toContain('AWS_ACCESS_KEY_ID=')
  expect(stdout).not.toContain('correct horse')
}, 120_000)

test.each([[[]], [['--background']]])(
  'the daemon renews with what it unlocked, and status says where: %j',
  async mode => {
    const env = { CLOUDTOKEN_SECRET_STORE: 'passphrase', CLOUDTOKEN_SECRET_PASSPHRASE: 'correct horse battery' }
    await place.daemon(['--role', roles[0] ?? '', ...mode], { env })
    expect((await place.status())?.secretStore).toBe('passphrase')
    const before = place.idp.passwords()
    expect((await place.run(['refresh'])).code).toBe(0)
    expect(place.idp.passwords()).toBe(before)
    const { stdout } = await place.run(['status'])
    expect(stdout).toContain('secrets:      kept encrypted, under your passphrase\n')
  },
  30_000,
)

test('a daemon that began without the passphrase gets it from the next run that has it, and renews with it', async () => {
  const store = { CLOUDTOKEN_SECRET_STORE: 'passphrase' }
  const known = { ...store, CLOUDTOKEN_SECRET_PASSPHRASE: 'correct horse battery' }
  expect((await signIn({ ...known, CLOUDTOKEN_PASSWORD: password })).code).toBe(0)
  const daemon = place.start(['-d', '--listen', '127.0.0.1:0', '--role', roles[0] ?? ''], { env: store })
  await daemon.seen(/waits for a sign-in/)
  const state = async (): Promise<string | undefined> => (await place.status())?.state
  expect(await state()).toBe('needs-person')
  // Without it there is nothing to hand on, and with a wrong one nothing that opens.
  expect((await signIn(store)).code).toBe(11)
  expect((await signIn({ ...known, CLOUDTOKEN_SECRET_PASSPHRASE: 'wrong' })).code).toBe(20)
  expect(await state()).toBe('needs-person')
  const passwords = place.idp.passwords()
  expect((await signIn(known)).code).toBe(0)
  await until(async () => (await state()) === 'serving', 'credentials')
  expect((await place.run(['refresh'])).code).toBe(0)
  expect(place.idp.passwords()).toBe(passwords)
  daemon.child.kill('SIGTERM')
  const { stdout, stderr } = await daemon.done
  expect(stdout + stderr).not.toContain('correct horse')
}, 60_000)
