/**
 * What the scripts share: sub-processes, steps with a time, sums. Only `node:` modules: it runs before anything is installed.
 */
import { spawn } from 'node:child_process'
import { accessSync, appendFileSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'

export const root: string = join(import.meta.dirname, '..')
/** The bun that runs this script; a fresh clone may have it from npx only, so its name need not be on PATH. */
export const bun: string = process.execPath
export const inCi: boolean = process.env['CI'] === 'true'

export type Env = Readonly<Record<string, string | undefined>>

interface ShellOptions {
  readonly cwd?: string
  readonly env?: Env
  /** Do not show the output. */
  readonly quiet?: boolean
  readonly timeoutMs?: number
}

export interface ShellResult {
  /** Exit code; 127 when the program could not be started, 124 when it took too long. */
  readonly code: number
  /** Both streams as they came. */
  readonly output: string
}

/** Runs a program to its end with an empty stdin. Never rejects. */
export function shell(command: string, args: readonly string[], options: ShellOptions = {}): Promise<ShellResult> {
  return new Promise(resolve => {
    const child = spawn(command, [...args], {
      cwd: options.cwd ?? root,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let late = false
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(expire, options.timeoutMs)
    function expire(): void {
      late = true
      child.kill('SIGKILL')
    }
    const keep = (chunk: string): void => {
      output += chunk
      if (!options.quiet) process.stdout.write(chunk)
    }
    child.stdout.setEncoding('utf8').on('data', keep)
    child.stderr.setEncoding('utf8').on('data', keep)
    child.on('error', error => {
      clearTimeout(timer)
      resolve({ code: 127, output: error.message })
    })
    child.on('close', code => {
      clearTimeout(timer)
      resolve({ code: late ? 124 : (code ?? 1), output })
    })
  })
}

/** A program of a development dependency. */
export function tool(name: string): string {
  return join(root, 'node_modules', '.bin', process.platform === 'win32' ? `${name}.cmd` : name)
}

/** Full path of a program on PATH. */
export function which(name: string): string | undefined {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {}
  }
  return undefined
}

/** Brings node_modules to what bun.lock says; every command that needs them calls this first. */
export async function install(): Promise<void> {
  const { code, output } = await shell(bun, ['install', '--frozen-lockfile'], { quiet: true })
  if (code !== 0) stop(`bun install failed\n${output}`)
}

export function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

export function stop(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}

export function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}

/** What a group of tests or checks came to. */
export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export const nothing: Tally = { passed: 0, failed: 0, skipped: 0 }

export function sum(tallies: readonly Tally[]): Tally {
  return tallies.reduce(
    (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }),
    nothing,
  )
}

/**
 * The closing line of a suite and its exit. Under `.ci/run`, which adds several suites, the numbers go to the file
 * that `CLOUDTOKEN_TALLY` names, and the one closing line is its own.
 */
export function close(tally: Tally): never {
  const line = `${tally.passed} passed, ${tally.failed} failed${tally.skipped > 0 ? `, ${tally.skipped} skipped` : ''}`
  const file = process.env['CLOUDTOKEN_TALLY']
  if (file === undefined) say(line)
  else appendFileSync(file, `${tally.passed} ${tally.failed} ${tally.skipped}\n`)
  process.exit(tally.failed > 0 || tally.passed === 0 ? 1 : 0)
}
