import { afterEach, describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { dropPrivileges, findUser, isRoot } from '../src/privilege.ts'
import { receiveHandover, sudoCommand, takeHandover } from '../src/privilege-sudo.ts'
import type { Run } from '../src/run.ts'
import { failureOf } from './failure.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function temporary(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'privilege-'))
  folders.push(folder)
  return folder
}

function answering(answers: Record<string, string>, code = 0): { run: Run; asked: string[] } {
  const asked: string[] = []
  const run: Run = (command, args) => {
    const line = [command, ...args].join(' ')
    asked.push(line)
    const stdout = answers[line]
    return Promise.resolve(
      stdout === undefined ? { code: code || 2, stdout: '', stderr: '' } : { code, stdout, stderr: '' },
    )
  }
  return { run, asked }
}

test('isRoot is what the system says', () => {
  expect(isRoot()).toBe(os.userInfo().uid === 0)
})

describe('the user that root works for', () => {
  const ada = 'ada:x:1000:1001:Ada,,,:/home/ada:/bin/bash\n'
  const found = { name: 'ada', uid: 1000, gid: 1001, home: '/home/ada' }

  test('is the caller of sudo, by number', async () => {
    const { run } = answering({ 'getent passwd 1000': ada })
    expect(await findUser({ env: { SUDO_UID: '1000', SUDO_USER: 'ada' }, run, platform: 'linux' })).toEqual(found)
  })

  test('or of doas or pkexec', async () => {
    const { run } = answering({ 'getent passwd 1000': ada, 'getent passwd ada': ada })
    expect(await findUser({ env: { DOAS_USER: 'ada' }, run, platform: 'linux' })).toEqual(found)
    expect(await findUser({ env: { PKEXEC_UID: '1000' }, run, platform: 'linux' })).toEqual(found)
  })

  test('--system-username comes first', async () => {
    const { run } = answering({ 'getent passwd ada': ada })
    expect(await findUser({ systemUsername: 'ada', env: { SUDO_UID: '7' }, run, platform: 'linux' })).toEqual(found)
  })

  test('nobody when root works for root', async () => {
    const { run } = answering({ 'getent passwd 0': 'root:x:0:0:root:/root:/bin/sh\n' })
    expect(await findUser({ env: {}, run })).toBeUndefined()
    expect(await findUser({ env: { SUDO_UID: '0' }, run, platform: 'linux' })).toBeUndefined()
  })

  test.each(['nosuch', '-s', 'a:b', 'a/b', 'a\nb', 'a b'])('an unknown one is a failure: %p', async name => {
    const { run } = answering({})
    const error = await failureOf(() => findUser({ systemUsername: name, env: {}, run, platform: 'linux' }))
    expect(error.kind).toBe('config')
    expect(error.hint).toContain('--system-username')
  })

  test('a line of somebody else is not taken', async () => {
    const { run } = answering({ 'getent passwd bob': ada })
    expect((await failureOf(() => findUser({ systemUsername: 'bob', env: {}, run, platform: 'linux' }))).kind).toBe(
      'config',
    )
  })

  test.skipIf(process.platform !== 'linux')('/etc/passwd serves where there is no getent', async () => {
    const { run } = answering({}, 127)
    expect(await findUser({ systemUsername: 'nobody', env: {}, run, platform: 'linux' })).toMatchObject({
      name: 'nobody',
    })
  })

  test.skipIf(process.platform !== 'linux')('and the real one knows nobody', async () => {
    const user = await findUser({ systemUsername: 'nobody', env: {} })
    expect(user?.uid).toBeGreaterThan(0)
    expect((await failureOf(() => findUser({ systemUsername: 'nosuch-user', env: {} }))).kind).toBe('config')
  })

  test('on macOS the directory is asked', async () => {
    const { run, asked } = answering({
      'id -un 501': 'ada\n',
      'dscl /Search -read /Users/ada UniqueID PrimaryGroupID NFSHomeDirectory':
        'NFSHomeDirectory:\n /Users/Ada Lovelace\nPrimaryGroupID: 20\nUniqueID: 501\n',
    })
    const user = await findUser({ env: { SUDO_UID: '501' }, run, platform: 'darwin' })
    expect(user).toEqual({ name: 'ada', uid: 501, gid: 20, home: '/Users/Ada Lovelace' })
    expect(asked).toHaveLength(2)
  })
})

test.skipIf(isRoot() || process.platform === 'win32')('who is not root cannot become another', async () => {
  const user = { name: 'root', uid: 0, gid: 0, home: '/root' }
  expect(await failureOf(() => dropPrivileges(user, {}))).toMatchObject({ kind: 'address', code: 'privilege-drop' })
})

describe('sudo', () => {
  const self = { command: '/opt/cloudtoken', args: ['run'] }

  function withSudo(...names: string[]): { folder: string; path: string[] } {
    const bin = temporary()
    for (const name of names) writeFileSync(path.join(bin, name), '')
    return { folder: path.join(temporary(), 'state'), path: [bin] }
  }

  test('starts this program again, the environment in a private file', () => {
    const options = withSudo('sudo', 'doas')
    const env = { HOME: '/home/ada', AWS_REGION: 'eu-west-1', UNSET: undefined }
    const made = sudoCommand(self, ['--daemon=true', '--', '-x'], env, options)
    const file = path.join(options.folder, `handover-${process.pid}.json`)
    expect(made.command).toBe(path.join(options.path[0] ?? '', 'sudo'))
    expect(made.args).toEqual(['--', '/opt/cloudtoken', 'run', `--handover=${file}`, '--daemon=true', '--', '-x'])
    expect(made.env['SUDO_PROMPT']).toContain('169.254.169.254')
    expect([statSync(file).mode & 0o777, made.began()]).toEqual([0o600, false])

    const taken = takeHandover(made.args.slice(3))
    expect(taken).toEqual({ argv: ['--daemon=true', '--', '-x'], handover: file })
    const after: NodeJS.ProcessEnv = { PATH: '/root/bin', SUDO_UID: '1000' }
    receiveHandover(taken.handover ?? '', after)
    expect(after).toEqual({ HOME: '/home/ada', AWS_REGION: 'eu-west-1' })
    expect([existsSync(file), made.began()]).toEqual([false, true])
    made.forget()
  })

  test('forget removes the file when nobody came for it', () => {
    const options = withSudo('sudo')
    sudoCommand(self, [], {}, options).forget()
    expect(readdirSync(options.folder)).toEqual([])
  })

  test('moves a password out of the arguments', () => {
    const options = withSudo('sudo')
    const made = sudoCommand(
      self,
      ['--username=ada', '--password=--odd=\nhunter22', 'env', '--', '--password=mine'],
      {},
      options,
    )
    expect(made.args.slice(4)).toEqual(['--username=ada', 'env', '--', '--password=mine'])
    const after: NodeJS.ProcessEnv = {}
    receiveHandover(takeHandover(made.args.slice(3)).handover ?? '', after)
    expect(after).toEqual({ CLOUDTOKEN_PASSWORD: '--odd=\nhunter22' })
  })

  test('and the secret of a plugin, where the table knows it', () => {
    const options = withSudo('sudo')
    const table = { 'api-key': { type: 'string', secret: true, summary: '' } } as const
    const made = sudoCommand(self, ['--api-key=k3y'], {}, { ...options, table })
    expect(made.args.join(' ')).not.toContain('k3y')
    made.forget()
  })

  test.each(['-p x', '-px', '-dpx', '--password x'])('refuses arguments whose secrets it cannot tell: %p', line => {
    const options = withSudo('sudo')
    expect(() => sudoCommand(self, line.split(' '), {}, options)).toThrow('not in long form')
    expect(existsSync(options.folder)).toBe(false)
  })

  test('asks nothing where nobody is there, and takes doas where there is no sudo', () => {
    const options = withSudo('doas')
    const made = sudoCommand(self, [], {}, { ...options, interactive: false })
    expect(made.command).toEndWith('/doas')
    expect(made.args.slice(0, 2)).toEqual(['-n', '--'])
    made.forget()
  })

  test('says what else would do where there is neither', async () => {
    const error = await failureOf(() => sudoCommand(self, [], {}, withSudo()))
    expect(error).toMatchObject({ kind: 'address', code: 'privilege-sudo' })
    expect(error.hint).toContain('--listen')
  })

  test('a hand-over that others can read is refused', async () => {
    const file = path.join(temporary(), 'handover')
    writeFileSync(file, '{"A":"b"}')
    chmodSync(file, 0o644)
    const env: NodeJS.ProcessEnv = { B: 'c' }
    expect((await failureOf(() => receiveHandover(file, env))).kind).toBe('config')
    expect(env).toEqual({ B: 'c' })
  })

  test('other arguments are left as they are', () => {
    expect(takeHandover(['-d', '--handover=x'])).toEqual({ argv: ['-d', '--handover=x'] })
    expect(takeHandover([])).toEqual({ argv: [] })
  })
})
