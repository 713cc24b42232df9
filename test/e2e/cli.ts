/**
 * cloudtoken as a person runs it: the binary that CLOUDTOKEN_BIN names, or the source under Bun or Deno.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { startDemoIdp, type DemoIdp } from '../../scripts/demo-idp.ts'
import { startDemoSts, type DemoSts } from '../../scripts/demo-sts.ts'

const main = join(import.meta.dir, '../../src/main.ts')
const binary = process.env['CLOUDTOKEN_BIN']
/** The program itself: its launcher does not pass signals on. */
const deno = [join(import.meta.dir, '../../node_modules/deno/deno'), 'run', '--quiet', '-A', main]
export const isDeno = binary === undefined && process.env['CLOUDTOKEN_RUN'] === 'deno'
/** The binary, the source under Deno (CLOUDTOKEN_RUN=deno), or the source under Bun. */
export const command = binary === undefined ? (isDeno ? deno : [process.execPath, main]) : [binary]

export interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Piped into stdin; without it stdin is empty and no pipe. */
  readonly input?: string
  readonly cwd?: string
}

export interface Running {
  readonly child: ChildProcess
  readonly done: Promise<Result>
  /** Resolves when stdout and stderr together match; rejects when the program ends without. */
  seen(pattern: RegExp): Promise<string>
}

export interface Place {
  readonly home: string
  readonly env: Readonly<Record<string, string>>
  readonly idp: DemoIdp
  readonly sts: DemoSts
  run(args: readonly string[], options?: RunOptions): Promise<Result>
  start(args: readonly string[], options?: RunOptions): Running
  stop(): Promise<void>
}

export const roles = [
  'arn:aws:iam::123456789012:role/Read-Only-Role',
  'arn:aws:iam::123456789012:role/Sysadmin-Role',
  'arn:aws:iam::123456789012:role/User-Role',
]
export const password = 'tr0ub4dor & <three>'

/** A home, an identity provider with charlie in it, and an STS. */
export async function makePlace(): Promise<Place> {
  const home = mkdtempSync(join(tmpdir(), 'cloudtoken-e2e-'))
  const idp = await startDemoIdp({
    charlie: { password, roles },
    dana: { password, roles: [...roles].slice(0, 1) },
    nobody: { password, roles: [] },
  })
  const sts = await startDemoSts()
  const env = {
    HOME: home,
    PATH: process.env['PATH'] ?? '',
    AWS_ENDPOINT_URL_STS: sts.origin,
    AWS_ENDPOINT_URL_SIGNIN: 'http://127.0.0.1:9',
    CLOUDTOKEN_URL: idp.url,
    CLOUDTOKEN_USERNAME: 'charlie',
    SHELL: '/bin/bash',
    // It asks its own site for newer versions otherwise, and tests talk to this machine alone.
    ...(isDeno && { DENO_NO_UPDATE_CHECK: '1' }),
    // Where a test runner has one, nobody sits at the terminal.
    CLOUDTOKEN_NO_INPUT: 'true',
  }
  const children = new Set<ChildProcess>()

  function start(args: readonly string[], options: RunOptions = {}): Running {
    const [program = '', ...first] = command
    const child = spawn(program, [...first, ...args], {
      cwd: options.cwd ?? home,
      env: { ...env, ...options.env },
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    children.add(child)
    let stdout = ''
    let stderr = ''
    const watchers = new Set<() => void>()
    const note = (): void => watchers.forEach(watch => watch())
    child.stdout?.setEncoding('utf8').on('data', text => {
      stdout += text
      note()
    })
    child.stderr?.setEncoding('utf8').on('data', text => {
      stderr += text
      note()
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.input)
    const done = new Promise<Result>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', code => {
        children.delete(child)
        resolve({ code, stdout, stderr })
        note()
      })
    })
    return {
      child,
      done,
      seen: pattern =>
        new Promise((resolve, reject) => {
          const watch = (): void => {
            if (pattern.test(stdout + stderr)) resolve(stdout + stderr)
            else if (child.exitCode !== null) reject(new Error(`never saw ${pattern}:\n${stdout}\n${stderr}`))
            else return
            watchers.delete(watch)
          }
          watchers.add(watch)
          watch()
        }),
    }
  }

  return {
    home,
    env,
    idp,
    sts,
    start,
    run: (args, options) => start(args, options).done,
    async stop() {
      for (const child of children) child.kill('SIGKILL')
      await Promise.all([idp.stop(), sts.stop()])
      rmSync(home, { recursive: true, force: true })
    },
  }
}
