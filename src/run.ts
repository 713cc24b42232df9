/**
 * The only place that starts processes. Never through a shell, never with a secret in the arguments.
 */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { Buffer } from 'node:buffer'
import process from 'node:process'
import { failure, messageOf } from './errors.ts'

export interface RunOptions {
  /** Sent to stdin, which is then closed; without it stdin is empty. */
  readonly input?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** stdin and stderr are those of the person, who may be asked something; only stdout is collected. */
  readonly terminal?: boolean
}

export interface RunResult {
  /** Exit code; 128 + n after signal n; 127 when the program could not be started. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export type Run = (command: string, args: readonly string[], options?: RunOptions) => Promise<RunResult>

const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 }

/** Runs to the end and collects the output; rejects only for a time-out or an abort. */
export const run: Run = (command, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(command, [...args], {
      stdio: options.terminal ? ['inherit', 'pipe', 'inherit'] : ['pipe', 'pipe', 'pipe'],
      env: options.env ?? process.env,
      ...(options.signal && { signal: options.signal }),
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
        code: code ?? 128 + (signalNumbers[signal ?? ''] ?? 0),
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      })
    })
  })

/** Starts a process that the caller looks after. */
export function start(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  return spawn(command, [...args], options)
}

/** Hands the terminal over to a program and answers with its exit code. */
export function handOver(command: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...args], { stdio: 'inherit', env })
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const
    // The terminal sends these to the child as well; we stay to report its exit code.
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
    for (const signal of signals) process.on(signal, pass)
    child.on('error', error => reject(failure('unexpected', `cannot start ${command}: ${messageOf(error)}`)))
    child.on('close', (code, signal) => {
      for (const name of signals) process.off(name, pass)
      resolve(code ?? 128 + (signalNumbers[signal ?? ''] ?? 0))
    })
  })
}
