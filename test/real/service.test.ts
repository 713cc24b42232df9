/**
 * The service under a systemd of the test's own, in namespaces of the test's own.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { serviceFor } from '../../src/service.ts'
import { until } from '../until.ts'
import { makePlace, password, type Place } from '../e2e/cli.ts'
import { freePort } from '../../scripts/demo-http.ts'
import { present } from './present.ts'

const usable = process.env['CLOUDTOKEN_NAMESPACE'] === 'own' && (await present('systemd'))

/** Where systemd has booted, as it takes it, with control groups for it alone. */
const world = `set -e
mount -t tmpfs none /run
mkdir -p /run/systemd/system
mount -t tmpfs none /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
# Not as process 1, which would be the system's.
/lib/systemd/systemd --user --log-target=console &
wait`

describe.skipIf(!usable)('a systemd user service', () => {
  let place: Place
  let systemd: ChildProcess
  let inside: string
  let env: Record<string, string>
  const runtime = mkdtempSync(join(tmpdir(), 'cloudtoken-systemd-'))

  beforeAll(async () => {
    place = await makePlace()
    env = { XDG_RUNTIME_DIR: runtime, CLOUDTOKEN_PASSWORD: '' }
    const words = ['-m', '-C', '-p', '-f', '--mount-proc', '--kill-child', 'sh', '-c', world]
    const log = { ...place.env, ...env, SYSTEMD_LOG_LEVEL: 'warning' }
    systemd = spawn('unshare', words, { env: log, stdio: ['ignore', 'ignore', 'inherit'] })
    const socket = join(runtime, 'systemd', 'private')
    await until(() => existsSync(socket), 'a systemd that runs')
    const { pid } = systemd
    inside = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
  })
  afterAll(async () => {
    systemd.kill('SIGKILL')
    await place.stop()
    rmSync(runtime, { recursive: true, force: true })
  })

  interface Result {
    readonly code: number | null
    readonly output: string
  }

  /** In the namespaces of that systemd. */
  function within(command: string, ...args: string[]): Promise<Result> {
    const child = spawn('nsenter', ['-t', inside, '-m', '-p', '-C', '--', command, ...args], {
      env: { ...place.env, ...env },
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => (output += text))
    return new Promise(resolve => child.on('close', code => resolve({ code, output })))
  }

  const cloudtoken = (...args: string[]): Promise<Result> => within(process.env['CLOUDTOKEN_BIN'] ?? '', ...args)
  const show = async (name: string): Promise<string> =>
    (await within('systemctl', '--user', 'show', '-p', name, '--value', 'cloudtoken.service')).output.trim()

  test('runs, takes up a sign-in, comes back after kill -9, and goes without a trace', async () => {
    const listen = `127.0.0.1:${await freePort()}`
    const options = ['--listen', listen, '--role', 'Sysadmin-Role']
    expect(await cloudtoken('service', 'status')).toMatchObject({ code: 3 })
    const first = await cloudtoken('service', 'install', ...options)
    expect(first).toMatchObject({ code: 0, output: expect.stringContaining('systemctl --user enable') })
    const file = join(place.home, '.config/systemd/user/cloudtoken.service')
    expect(readFileSync(file, 'utf8')).toContain(`"--listen" "${listen}"`)
    await until(async () => (await cloudtoken('status')).output.includes('sign in'), 'a daemon that waits')
    const again = await cloudtoken('service', 'install', ...options)
    expect(again).toMatchObject({ code: 0, output: expect.stringContaining('is as it should be') })

    const signedIn = await within(
      'env',
      `CLOUDTOKEN_PASSWORD=${password}`,
      process.env['CLOUDTOKEN_BIN'] ?? '',
      '-r',
      '2',
    )
    expect(signedIn.code).toBe(0)
    const serving = async (): Promise<boolean> => (await cloudtoken('status')).output.includes('state:        serving')
    await until(serving, 'credentials')

    const before = await show('MainPID')
    await within('kill', '-9', before)
    await until(async () => !['0', before].includes(await show('MainPID')), 'another process')
    await until(serving, 'credentials again')
    expect(await cloudtoken('service', 'status')).toMatchObject({ code: 0 })

    expect((await cloudtoken('service', 'uninstall')).code).toBe(0)
    expect([existsSync(file), (await cloudtoken('status')).code]).toEqual([false, 3])
    expect((await cloudtoken('service', 'uninstall')).code).toBe(0)
  })

  test('a wrong option is not tried again and again', async () => {
    expect((await cloudtoken('service', 'install', '--listen', `127.0.0.1:${await freePort()}`)).code).toBe(0)
    const file = join(place.home, '.config/systemd/user/cloudtoken.service')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"--no-input"', '"--no-such-option"'))
    await within('systemctl', '--user', 'daemon-reload')
    await within('systemctl', '--user', 'restart', 'cloudtoken.service')
    await until(async () => (await show('ActiveState')) === 'failed', 'an end')
    expect(await show('NRestarts')).toBe('0')
    await cloudtoken('service', 'uninstall')
  })

  test('words with every sign arrive as they are, and systemd finds nothing to say', async () => {
    const words = [
      'a b',
      '"quoted"',
      "it's",
      '%h 100%',
      '$HOME ${HOME}',
      'back\\slash',
      'tab\there',
      'ümlaut',
      ';',
      '#',
    ]
    const folder = join(place.home, '.config/systemd/user')
    mkdirSync(folder, { recursive: true })
    const said = join(place.home, 'said')
    const options = { platform: 'linux', env: place.env, home: place.home, uid: 0, logFile: '' } as const
    const self = ['/bin/sh', '-c', `printf '%s\\n' "$@" >'${said}'; exec sleep 60`, 'sh']
    const { file, text } = serviceFor({ ...options, self, args: words })
    writeFileSync(file, text)
    expect(await within('systemd-analyze', '--user', 'verify', file)).toEqual({ code: 0, output: '' })
    await within('systemctl', '--user', 'daemon-reload')
    await within('systemctl', '--user', 'start', 'cloudtoken.service')
    await until(() => existsSync(said), 'the words')
    await within('systemctl', '--user', 'stop', 'cloudtoken.service')
    expect(readFileSync(said, 'utf8').trimEnd().split('\n')).toEqual(words)
  })
})

describe.skipIf(Bun.which('python3') === null)('a launchd agent', () => {
  test('is a property list to Python, with every sign as it was', () => {
    const words = ['/Applications/a & b/cloudtoken', '-d', '<"x">', "it's", 'ümlaut']
    const { text } = serviceFor({
      platform: 'darwin',
      env: { PATH: '/usr/bin:/opt/a&b' },
      home: '/Users/ann',
      uid: 501,
      self: words.slice(0, 1),
      args: words.slice(1),
      logFile: '/Users/ann/log',
    })
    const program = 'import sys, plistlib, json; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))'
    const { stdout } = spawnSync('python3', ['-c', program], { input: text })
    expect(JSON.parse(String(stdout))).toEqual({
      Label: 'cloudtoken',
      ProgramArguments: words,
      EnvironmentVariables: { PATH: '/usr/bin:/opt/a&b' },
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ThrottleInterval: 30,
      StandardOutPath: '/Users/ann/log',
      StandardErrorPath: '/Users/ann/log',
    })
  })
})
