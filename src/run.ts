/**
 * The only place that starts processes. Never through a shell, never with a secret in the arguments.
 */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import process from 'node:process'
import { isatty } from 'node:tty'
import { codeOf, failure, messageOf } from './errors.ts'
import { secretVariable } from './quick.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface RunOptions {
  /** Sent to stdin, which is then closed; without it stdin is empty. */
  readonly input?: string
  /** That of this process, where there is none; secrets of ours never go along. */
  readonly env?: Env
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** stdin and stderr are those of the person, who may be asked something; only stdout is collected. */
  readonly terminal?: boolean
  readonly cwd?: string
  /** The user it runs as, when root starts it for somebody. */
  readonly uid?: number
  readonly gid?: number
}

export interface RunResult {
  /** Exit code; 128 + n after signal n; 127 when the program could not be started. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export type Run = (command: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>

/** Runs to the end and collects the output; rejects only for a time-out or an abort. */
export const run: Run = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      stdio: options.terminal ? ['inherit', 'pipe', 'inherit'] : ['pipe', 'pipe', 'pipe'],
      env: withoutSecrets(options.env ?? process.env),
      ...(options.signal && { signal: options.signal }),
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.uid !== undefined && { uid: options.uid }),
      ...(options.gid !== undefined && { gid: options.gid }),
    })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    const timer = options.timeoutMs === undefined ? undefined : setTimeout(expire, options.timeoutMs)
    function expire(): void {
      child.kill('SIGKILL')
      reject(failure('unexpected', `${command} did not finish within ${(options.timeoutMs ?? 0) / 1000} s`))
    }
    child.stdout?.on('data', chunk => stdout.push(chunk))
    child.stderr?.on('data', chunk => stderr.push(chunk))
    // A child that ends early closes its stdin; that is no error of ours.
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.input ?? '')
    child.on('error', error => {
      clearTimeout(timer)
      if (options.signal?.aborted) reject(error)
      else resolve({ code: 127, stdout: '', stderr: messageOf(error) })
    })
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      resolve({
        code: code ?? afterSignal(signal),
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      })
    })
  })

/** For programs of others: no password and no code of ours. */
export function withoutSecrets(env: Env): Env {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secretVariable.test(name)))
}

/** Starts a process that the caller looks after. */
export function start(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn(command, [...args], options)
}

/** Hands the terminal over to a program and answers with its exit code; the reason it could not start is the failure's `code`. */
export function handOver(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    let child: ChildProcess | undefined
    const pass = (signal: NodeJS.Signals): void => {
      // A second Ctrl-C means "at once" to many programs, so the one that the terminal sent is not sent again.
      if ((signal === 'SIGINT' || signal === 'SIGQUIT') && isForeground()) return
      // Not child.kill: Deno takes the last signal sent that way for the one the child died of.
      if (child?.pid !== undefined && child.exitCode === null && child.signalCode === null)
        process.kill(child.pid, signal)
    }
    const ended = (): void => {
      for (const signal of passed) process.off(signal, pass)
    }
    const notStarted = (error: unknown): void => {
      ended()
      const reason = { code: codeOf(error), cause: error }
      reject(failure('unexpected', `cannot start ${command}: ${messageOf(error)}`, reason))
    }
    // Before the child is there, or a signal of its first moment would end us alone.
    for (const signal of passed) process.on(signal, pass)
    try {
      child = spawn(command, [...args], { stdio: 'inherit', env })
    } catch (error) {
      return notStarted(error)
    }
    child.on('error', notStarted)
    child.on('close', (code, signal) => {
      ended()
      resolve(code ?? afterSignal(signal))
    })
  })
}

const passed: readonly NodeJS.Signals[] =
  process.platform === 'win32'
    ? ['SIGINT', 'SIGTERM', 'SIGHUP']
    : ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2']

/** As shells report it. */
function afterSignal(signal: NodeJS.Signals | null): number {
  return 128 + (signal === null ? 0 : constants.signals[signal])
}

/** Does the terminal send its signals to us, and so to every process of our group? */
function isForeground(): boolean {
  if (process.platform !== 'linux') return [0, 1, 2].some(fd => isatty(fd))
  try {
    // proc_pid_stat(5): after the name in parentheses state, parent, group, session, terminal, its foreground group.
    const [, , group, , terminal, foreground] = readFileSync('/proc/self/stat', 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return terminal !== '0' && group === foreground
  } catch {
    return false
  }
}
