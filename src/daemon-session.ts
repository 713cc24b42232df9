/**
 * The sign-ins of a daemon, each in another process of this program that ends soon after: what it takes to sign in (pages,
 * the SDK, plugins of the person) is far larger than what it takes to serve.
 *
 * Both sides speak over the pipe that Node.js lays between parent and child: no secret in arguments or variables, and the
 * child ends when the pipe does, which is when the daemon is gone for any reason.
 */
import type { StdioOptions } from 'node:child_process'
import process from 'node:process'
import { revivedTaken, type Taken } from './background.ts'
import type { Less } from './chain.ts'
import type { DaemonSession } from './daemon.ts'
import { failureOf } from './control.ts'
import { failure, messageOf } from './errors.ts'
import type { Log } from './log.ts'
import type { OptionValue } from './option.ts'
import { start } from './run.ts'
import { runningCommand } from './runtime-self.ts'
import type { Carried } from './session.ts'
import { sessionFiles } from './session-files.ts'
import { revived } from './tokens.ts'
import type { Credentials, Role } from './types.ts'

export interface FarSession extends DaemonSession {
  /** With the person at the terminal: the transcript's words, the role and the files. */
  signIn(signal: AbortSignal): Promise<Taken>
  /** The same silently, for a daemon that has to wait for its first credentials. */
  begin(signal: AbortSignal): Promise<Taken>
  /** What another process knew of this session. */
  goOn(from: Carried): void
  /** What opens the secrets at rest, from a person who came later. */
  unlock(passphrase: string): void
  /** What is known of it by now. */
  known(): Carried | undefined
  close(): Promise<void>
}

/** What the other side does, by name. */
export interface Errands {
  signIn(): Promise<Taken>
  begin(): Promise<Taken>
  renew(order: { role: Role; less?: Less | undefined }): Promise<Credentials>
  take(order: { wish: string; less?: Less | undefined }): Promise<{ role: Role; credentials: Credentials }>
  export(credentials: Credentials): Promise<void>
}

type Flags = Readonly<Record<string, OptionValue>>

export interface Request<Name extends keyof Errands = keyof Errands> {
  readonly id: number
  readonly flags: Flags
  readonly carried?: Carried | undefined
  /** Of the secrets at rest, where it was given to the daemon later. */
  readonly passphrase?: string | undefined
  readonly errand: Name
  readonly argument: Parameters<Errands[Name]>[0]
}

export interface Answer {
  readonly id: number
  readonly result?: unknown
  /** As `failureValue` makes it. */
  readonly failure?: unknown
  /** Absent where there could be no session. */
  readonly carried?: Carried | undefined
}

/** Roles that are renewed within a minute share one sign-in, so it stays that long. */
const lingerMs = 60_000

export function startSession(flags: Flags, log: Log): FarSession {
  let carried: Carried | undefined
  let passphrase: string | undefined
  let worker: Worker | undefined
  const workers = new Set<Worker>()
  const files = (): ReturnType<typeof sessionFiles> | undefined => carried && sessionFiles(carried.folder, log)

  function begin(output: Log | undefined): Worker {
    const started = startWorker(output)
    workers.add(started)
    void started.ended.then(() => workers.delete(started))
    return started
  }

  async function ask<Name extends keyof Errands>(
    errand: Name,
    argument: Parameters<Errands[Name]>[0],
    signal?: AbortSignal,
  ): Promise<Awaited<ReturnType<Errands[Name]>>> {
    if (signal?.aborted) throw failure('cancelled', 'cancelled')
    const atTerminal = errand === 'signIn'
    if (!atTerminal && !worker?.listens()) worker = begin(log)
    const at = (atTerminal ? undefined : worker) ?? begin(undefined)
    try {
      const answer = await at.ask({ flags, carried, passphrase, errand, argument }, signal)
      carried = answer.carried ?? carried
      if (answer.failure !== undefined) throw failureOf(answer.failure)
      return answer.result as Awaited<ReturnType<Errands[Name]>>
    } finally {
      if (atTerminal) await at.end()
    }
  }

  return {
    signIn: async signal => revivedTaken(await ask('signIn', undefined, signal)),
    begin: async signal => revivedTaken(await ask('begin', undefined, signal)),
    renew: async (role, signal, less) => revived(await ask('renew', { role, less }, signal)),
    async take(wish, signal, less) {
      const { role, credentials } = await ask('take', { wish, less }, signal)
      return { role, credentials: revived(credentials) }
    },
    export: async credentials => await ask('export', credentials),
    lastRole: () => files()?.role(),
    rememberRole: role => files()?.keepRole(role),
    lastSignIn: () => files()?.signedIn(carried?.elsewhere),
    idpSessionEnd: () => files()?.idpSessionEnd(),
    goOn: from => void (carried = from),
    unlock(given) {
      passphrase = given
      // It has found the store locked, and goes on without.
      void worker?.end()
    },
    known: () => carried,
    close: async () => void (await Promise.all([...workers].map(each => each.end()))),
  }
}

interface Worker {
  /** False from the moment on that it is ended. */
  listens(): boolean
  ask(request: Omit<Request, 'id'>, signal?: AbortSignal): Promise<Answer>
  readonly ended: Promise<void>
  /** Resolves when it is gone. */
  end(): Promise<void>
}

/** With the terminal of this process, unless there is a log for what it says. */
function startWorker(log: Log | undefined): Worker {
  const self = runningCommand()
  const stdio: StdioOptions = log ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['inherit', 'inherit', 'inherit', 'ipc']
  const child = start(self.command, [...self.args, 'session'], { stdio, env: process.env, windowsHide: true })
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>()
  let ids = 0
  let linger: ReturnType<typeof setTimeout> | undefined
  child.stdout?.setEncoding('utf8').on('data', text => log?.write(String(text)))
  child.stderr?.setEncoding('utf8').on('data', text => log?.access(String(text)))
  child.on('message', message => {
    const answer = message as Answer
    waiting.get(answer.id)?.resolve(answer)
  })
  const ended = new Promise<void>(resolve => {
    const end = (why: string): void => {
      clearTimeout(linger)
      for (const { reject } of waiting.values()) reject(failure('unexpected', `the sign-in process ended: ${why}`))
      resolve()
    }
    child.on('error', error => end(messageOf(error)))
    child.on('exit', (code, signal) => end(signal ?? `exit code ${code}`))
  })
  const end = async (): Promise<void> => {
    if (child.connected) child.disconnect()
    // It takes half a second, unless something has stopped it, and then it would keep the address with it.
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
    await ended
    clearTimeout(timer)
  }
  return {
    listens: () => child.connected,
    async ask(request, signal) {
      clearTimeout(linger)
      const id = (ids += 1)
      const cancel = (): void => waiting.get(id)?.reject(failure('cancelled', 'cancelled'))
      signal?.addEventListener('abort', cancel)
      try {
        return await new Promise<Answer>((resolve, reject) => {
          waiting.set(id, { resolve, reject })
          child.send({ id, ...request }, error => error && reject(error))
        })
      } finally {
        signal?.removeEventListener('abort', cancel)
        waiting.delete(id)
        if (waiting.size === 0) linger = setTimeout(end, lingerMs).unref()
      }
    },
    ended,
    end,
  }
}
