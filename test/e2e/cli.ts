/**
 * cloudtoken as a person runs it: the binary that CLOUDTOKEN_BIN names, or the source under Bun or Deno.
 */
import { afterAll, afterEach, beforeEach } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { startDemoIdp, type DemoIdp } from '../../scripts/demo-idp.ts'
import { startDemoSts, type DemoSts } from '../../scripts/demo-sts.ts'
import type { DaemonStatus } from '../../src/daemon-control.ts'
import type { Tokens } from '../../src/tokens.ts'
import { daemonOf, startProgram, type Daemon, type Result, type Running } from './running.ts'

export type { Daemon, Result, Running }

const main = join(import.meta.dir, '../../src/main.ts')
const binary = process.env['CLOUDTOKEN_BIN']
/** The program itself: its launcher does not pass signals on. */
const deno = [join(import.meta.dir, '../../node_modules/deno/deno'), 'run', '--quiet', '-A', main]
export const isDeno = binary === undefined && process.env['CLOUDTOKEN_RUN'] === 'deno'
/** The binary, the source under Deno (CLOUDTOKEN_RUN=deno), or the source under Bun. */
export const command = binary === undefined ? (isDeno ? deno : [process.execPath, main]) : [binary]

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly cwd?: string
}

export interface Place {
  /** Of the test that runs, with `usePlace`; HOME and working directory of what is started here. */
  readonly home: string
  readonly env: Readonly<Record<string, string>>
  readonly idp: DemoIdp
  readonly sts: DemoSts
  run(args: readonly string[], options?: RunOptions): Promise<Result>
  start(args: readonly string[], options?: RunOptions): Running
  /** `-d` with the password at hand, on a port of its own when no other is said; it serves already. */
  daemon(args?: readonly string[], options?: RunOptions): Promise<Daemon>
  /** What `status --json` says; nothing where no daemon runs. */
  status(): Promise<DaemonStatus | undefined>
  /** tokens.json */
  tokens(): Tokens
  /** From now on another home. */
  move(): void
  /** Ends what still runs. */
  end(): Promise<void>
  stop(): Promise<void>
}

export const roles = [
  'arn:aws:iam::123456789012:role/Read-Only-Role',
  'arn:aws:iam::123456789012:role/Sysadmin-Role',
  'arn:aws:iam::123456789012:role/User-Role',
]
export const password = 'tr0ub4dor & <three>'
/** A host that nobody has an address for. No name server is asked: a part of a name is 63 characters at the most. */
export const noName = `${'x'.repeat(64)}.invalid`
export const withPassword = { CLOUDTOKEN_PASSWORD: password }

/** A place for the tests of a file: each begins in a home of its own, and what it started ends with it. */
export async function usePlace(): Promise<Place> {
  const place = await makePlace()
  beforeEach(() => place.move())
  afterEach(() => place.end())
  afterAll(() => place.stop())
  return place
}

/** A home, an identity provider with charlie in it, and an STS. */
export async function makePlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-e2e-'))
  const idp = await startDemoIdp({
    charlie: { password, roles },
    dana: { password, roles: [...roles].slice(0, 1) },
    nobody: { password, roles: [] },
  })
  const sts = await startDemoSts()
  const env = {
    PATH: process.env['PATH'] ?? '',
    AWS_ENDPOINT_URL_STS: sts.origin,
    AWS_ENDPOINT_URL_SIGNIN: 'http://127.0.0.1:9',
    CLOUDTOKEN_URL: idp.url,
    CLOUDTOKEN_USERNAME: 'charlie',
    SHELL: '/bin/bash',
    // It asks its own site for newer versions otherwise, and a name server where a proxy is to find the name.
    ...(isDeno && { DENO_NO_UPDATE_CHECK: '1', RES_OPTIONS: 'timeout:1 attempts:1' }),
    // Where a test runner has one, nobody sits at the terminal.
    CLOUDTOKEN_NO_INPUT: 'true',
  }
  let home = folder
  const started = new Set<Running>()
  /** Daemons in the background, which `status` told of. */
  const behind = new Set<number>()

  function start(args: readonly string[], options: RunOptions = {}): Running {
    const running = startProgram([...command, ...args], {
      cwd: options.cwd ?? home,
      env: { HOME: home, ...env, ...options.env },
      input: options.input,
    })
    started.add(running)
    running.child.once('exit', () => started.delete(running))
    return running
  }
  const run = (args: readonly string[], options?: RunOptions): Promise<Result> => start(args, options).done

  async function end(): Promise<void> {
    await Promise.all([...started].map(running => running.kill()))
    for (const pid of behind) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended by itself.
      }
    }
    behind.clear()
  }

  return {
    get home() {
      return home
    },
    get env() {
      return { HOME: home, ...env }
    },
    idp,
    sts,
    start,
    run,
    daemon(args = ['-r', '1'], options = {}) {
      const port = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']
      return daemonOf(start(['-d', ...port, ...args], { ...options, env: { ...withPassword, ...options.env } }))
    },
    async status() {
      const { code, stdout } = await run(['status', '--json'])
      if (code !== 0) return undefined
      const status: DaemonStatus = JSON.parse(stdout)
      if (![...started].some(({ child }) => child.pid === status.pid)) behind.add(status.pid)
      return status
    },
    tokens: () => JSON.parse(readFileSync(join(home, '.config/cloudtoken/tokens.json'), 'utf8')),
    move: () => void (home = mkdtempSync(join(folder, 'home-'))),
    end,
    async stop() {
      await Promise.all([end(), idp.stop(), sts.stop()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
