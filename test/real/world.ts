/**
 * One world for the end-to-end tests with real components: SimpleSAMLphp, moto, a person, and cloudtoken as they run it.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { python } from '../../scripts/components.ts'
import { startMoto, type Moto } from './moto.ts'
import { alice, startSimpleSamlPhp, type SimpleSamlPhp, type SimpleSamlPhpOptions } from './simplesamlphp.ts'

const binary = process.env['CLOUDTOKEN_BIN']
const command: readonly [string, ...string[]] =
  binary === undefined ? [process.execPath, join(import.meta.dir, '../../src/main.ts')] : [binary]

export interface Output {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface World {
  readonly idp: SimpleSamlPhp
  readonly sts: Moto
  readonly home: string
  readonly env: Readonly<Record<string, string>>
  /** cloudtoken with these words; what is piped in, if anything. */
  run(args: readonly string[], options?: { input?: string; env?: Readonly<Record<string, string>> }): Promise<Output>
  /** Another program, which knows of this world only where STS is. */
  client(
    program: 'aws' | 'python3' | 'curl' | 'bash',
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
  ): Promise<Output>
  start(args: readonly string[], options?: { input?: string; env?: Readonly<Record<string, string>> }): Started
  stop(): Promise<void>
}

export interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<Output>
  /** Resolves with all output so far when it matches. */
  seen(pattern: RegExp): Promise<string>
}

export async function makeWorld(options: SimpleSamlPhpOptions = {}): Promise<World> {
  const [idp, sts] = await Promise.all([startSimpleSamlPhp(options), startMoto()])
  const home = mkdtempSync(join(tmpdir(), 'cloudtoken-real-'))
  const file = join(home, 'password')
  writeFileSync(file, `${alice.password}\n`, { mode: 0o600 })
  const env = {
    HOME: home,
    PATH: process.env['PATH'] ?? '',
    TERM: 'xterm',
    LANG: 'C.UTF-8',
    SHELL: '/bin/bash',
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_ENDPOINT_URL_SIGNIN: 'http://127.0.0.1:9',
    CLOUDTOKEN_URL: idp.url,
    CLOUDTOKEN_USERNAME: 'alice',
    CLOUDTOKEN_PASSWORD_FILE: file,
    CLOUDTOKEN_SKIP_KEYRING: 'true',
  }
  const children = new Set<ChildProcess>()

  const launch = (
    program: string,
    args: readonly string[],
    environment: Record<string, string>,
    input?: string,
  ): Started => {
    const child = spawn(program, [...args], {
      cwd: home,
      env: environment,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    children.add(child)
    let [stdout, stderr] = ['', '']
    const watchers = new Set<() => void>()
    const tell = (): void => watchers.forEach(watch => watch())
    child.stdout?.setEncoding('utf8').on('data', text => ((stdout += text), tell()))
    child.stderr?.setEncoding('utf8').on('data', text => ((stderr += text), tell()))
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
    const ended = new Promise<Output>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', code => {
        children.delete(child)
        resolve({ code, stdout, stderr })
        tell()
      })
    })
    const seen = (pattern: RegExp): Promise<string> =>
      new Promise((resolve, reject) => {
        const watch = (): void => {
          if (pattern.test(stdout + stderr)) resolve(stdout + stderr)
          else if (child.exitCode !== null) reject(new Error(`never saw ${pattern}\n${stdout}\n${stderr}`))
        }
        watchers.add(watch)
        watch()
      })
    return { child, ended, seen }
  }

  const start: World['start'] = (args, { input, env: more = {} } = {}) =>
    launch(command[0], [...command.slice(1), ...args], { ...env, ...more }, input)

  return {
    idp,
    sts,
    home,
    env,
    start,
    run: (args, more) => start(args, more).ended,
    client: (program, args, more = {}) =>
      launch(python(program) ?? program, args, {
        HOME: home,
        PATH: env.PATH,
        LANG: env.LANG,
        AWS_ENDPOINT_URL_STS: sts.url,
        AWS_ENDPOINT_URL: sts.url,
        ...more,
      }).ended,
    async stop() {
      for (const child of children) child.kill('SIGKILL')
      await Promise.all([idp.stop(), sts.stop()])
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** An ordinary user with a home, for what root gives itself up to; made if it is not there. */
export function ordinaryUser(name = 'cloudtoken-test'): { name: string; uid: number; home: string } {
  spawnSync('useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/bin/bash', name])
  const uid = Number(spawnSync('id', ['-u', name], { encoding: 'utf8' }).stdout)
  const home = mkdtempSync(join(tmpdir(), 'cloudtoken-person-'))
  spawnSync('usermod', ['--home', home, name])
  chownSync(home, uid, Number(spawnSync('id', ['-g', name], { encoding: 'utf8' }).stdout))
  chmodSync(home, 0o755)
  return { name, uid, home }
}
