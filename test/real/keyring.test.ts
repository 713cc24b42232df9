/**
 * Against GNOME Keyring itself, on a message bus of the test's own, in a home of the test's own.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { createKeyring } from '../../src/keyring.ts'
import { run, start } from '../../src/run.ts'
import { makePlace, password, roles, type Result } from '../e2e/cli.ts'

// Many short processes, on a machine that may be busy.
setDefaultTimeout(30_000)

const tools = ['dbus-daemon', 'dbus-send', 'gnome-keyring-daemon', 'secret-tool']
const missing = tools.filter(tool => Bun.which(tool) === null)

describe.skipIf(missing.length > 0)(
  `GNOME Keyring${missing.length ? ` (not installed: ${missing.join(', ')})` : ''}`,
  () => {
    const home = mkdtempSync(path.join(tmpdir(), 'cloudtoken-keyring-'))
    const env: Record<string, string | undefined> = {
      PATH: process.env['PATH'],
      HOME: home,
      XDG_RUNTIME_DIR: home,
      LC_ALL: 'C.UTF-8',
    }
    const children: ChildProcess[] = []
    const notes: string[] = []
    const keyring = createKeyring({ platform: 'linux', run, env, note: reason => notes.push(reason) })

    beforeAll(async () => {
      const address = `unix:path=${home}/bus`
      const bus = start(
        'dbus-daemon',
        ['--session', '--nofork', '--nopidfile', `--address=${address}`, '--print-address'],
        {
          env,
          stdio: ['ignore', 'pipe', 'ignore'],
        },
      )
      children.push(bus)
      await new Promise(resolve => bus.stdout?.once('data', resolve))
      env['DBUS_SESSION_BUS_ADDRESS'] = address
      const daemon = start('gnome-keyring-daemon', ['--foreground', '--unlock', '--components=secrets'], {
        env,
        stdio: ['pipe', 'ignore', 'ignore'],
      })
      children.push(daemon)
      daemon.stdin?.end('unlock')
      const question = ['--print-reply', '--dest=org.freedesktop.DBus', '/', 'org.freedesktop.DBus.NameHasOwner']
      // Asked before it has its name, the bus would start a second one, which is locked.
      for (;;) {
        const { stdout } = await run('dbus-send', [...question, 'string:org.freedesktop.secrets'], { env })
        if (stdout.includes('boolean true')) break
        await Bun.sleep(20)
      }
    })

    afterAll(async () => {
      const gone = children.map(child => new Promise(resolve => child.once('exit', resolve)))
      for (const child of children.toReversed()) child.kill('SIGKILL')
      await Promise.all(gone)
      rmSync(home, { recursive: true, force: true })
    })

    test('what is written is read back, replaced, and removed', async () => {
      expect(await keyring.available()).toBe(true)
      expect(await keyring.read('cloudtoken', 'charlie')).toBeUndefined()
      for (const secret of [
        'correct horse',
        `p\u00e4"s\\s'w$rd 漢字`,
        'line\nbreaks\n',
        ' blanks ',
        'x'.repeat(4000),
      ]) {
        expect(await keyring.write('cloudtoken', 'charlie', secret)).toBe(true)
        expect(await keyring.read('cloudtoken', 'charlie')).toBe(secret)
      }
      expect(await keyring.read('cloudtoken', 'somebody else')).toBeUndefined()
      expect(await keyring.remove('cloudtoken', 'charlie')).toBe(true)
      expect(await keyring.remove('cloudtoken', 'charlie')).toBe(true)
      expect(await keyring.read('cloudtoken', 'charlie')).toBeUndefined()
      expect(notes).toEqual([])
    })

    test('an entry of the original is found, and a new password takes its place', async () => {
      const attributes = ['application', 'Python keyring library', 'service', 'cloudtoken', 'username', 'alice']
      const stored = await run('secret-tool', ['store', '--label=old', ...attributes], { env, input: 'old one' })
      expect(stored.code).toBe(0)
      expect(await keyring.read('cloudtoken', 'alice')).toBe('old one')
      expect(await keyring.write('cloudtoken', 'alice', 'new one')).toBe(true)
      expect(await keyring.read('cloudtoken', 'alice')).toBe('new one')
    })

    test('accounts that look like options or hold odd letters', async () => {
      for (const account of ['-x', '--help', 'CORP\\bob', 'böb@example.com', "o'neil"]) {
        expect(await keyring.write('cloudtoken', account, `of ${account}`)).toBe(true)
        expect(await keyring.read('cloudtoken', account)).toBe(`of ${account}`)
      }
    })

    test('cloudtoken keeps its key there and the password, reads both, and takes them away with logout', async () => {
      const place = await makePlace()
      const bus = { DBUS_SESSION_BUS_ADDRESS: env['DBUS_SESSION_BUS_ADDRESS'] ?? '', XDG_RUNTIME_DIR: home }
      const signIn = (more: Record<string, string>, ...words: string[]): Promise<Result> =>
        place.run(['--role', roles[0] ?? '', ...words], { env: { ...bus, ...more } })
      try {
        const first = await signIn({ CLOUDTOKEN_PASSWORD: password }, '--debug')
        expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('with a key in the OS keyring\n')])
        const key = await keyring.read('cloudtoken', 'key of the secret store')
        expect(key).toMatch(/^[\w+/]{43}=$/)
        expect((await signIn({})).code).toBe(0)
        expect(place.idp.passwords()).toBe(1)
        const state = path.join(place.home, '.local/state/cloudtoken')
        const kept = readdirSync(state, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
        expect(kept.some(({ name }) => name === 'cookies.json.sealed')).toBe(true)
        for (const { parentPath, name } of kept)
          expect(readFileSync(path.join(parentPath, name), 'latin1')).not.toContain(key ?? '')
        // The same files where the keyring is not: nobody is signed in.
        expect((await place.run(['--role', roles[0] ?? ''])).code).toBe(11)
        await place.run(['logout'], { env: bus })
        expect(await keyring.read('cloudtoken', 'key of the secret store')).toBeUndefined()
      } finally {
        await place.stop()
      }
    })

    test('without a bus there is no keyring, and no error', async () => {
      const reasons: string[] = []
      const { DBUS_SESSION_BUS_ADDRESS: _, XDG_RUNTIME_DIR: __, ...bare } = env
      const alone = createKeyring({ platform: 'linux', run, env: bare, note: reason => reasons.push(reason) })
      expect(await alone.available()).toBe(false)
      expect(await alone.read('cloudtoken', 'charlie')).toBeUndefined()
      expect(await alone.write('cloudtoken', 'charlie', 'secret')).toBe(false)
      expect(reasons.every(reason => reason.startsWith('the keyring did not answer'))).toBe(true)
      expect(reasons).toHaveLength(3)
    })
  },
)
