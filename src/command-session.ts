/**
 * `session`, which only a daemon starts: its sign-ins, renewals and exports, until the pipe to it ends.
 */
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { createContext, sessionOf, type Context } from './command-context.ts'
import { takeAndExport, takeRoles } from './command-take.ts'
import { failureValue } from './control.ts'
import type { Answer, Errands, Request } from './daemon-session.ts'
import { failure, isFailure, messageOf } from './errors.ts'
import { createLog, redact } from './log.ts'
import type { Session } from './session.ts'
import { revived } from './tokens.ts'

interface Opened {
  readonly session: Session
  readonly errands: Errands
}

export async function sessionCommand(): Promise<number> {
  // They are meant for the daemon, which ends us as it likes.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
  const ending = new AbortController()
  const ended = new Promise<number>(resolve => {
    process.on('disconnect', () => resolve(0))
    // The word is lost where the daemon was gone before anybody listened to it.
    setInterval(() => process.connected || resolve(0), 1000)
  })
  let opening: Promise<Opened> | undefined
  const working = new Set<Promise<void>>()
  process.on('message', message => {
    const request = message as Request
    const opened = (opening ??= open(request, ending.signal))
    // A configuration that is put right is read again.
    opened.catch(() => (opening = undefined))
    const work = answerTo(request, opened).then(answer => void process.send?.(answer))
    working.add(work)
    void work.finally(() => working.delete(work)).catch(() => {})
  })
  const code = await ended
  ending.abort()
  // The next daemon would wait for what is locked here.
  await Promise.race([Promise.allSettled(working), delay(500)])
  return code
}

async function answerTo({ id, errand, argument }: Request, opening: Promise<Opened>): Promise<Answer> {
  let opened: Opened | undefined
  try {
    opened = await opening
    const work = opened.errands[errand] as (argument: unknown) => Promise<unknown>
    return { id, result: await work(argument), carried: opened.session.carried() }
  } catch (error) {
    return { id, failure: failureValue(withoutSecrets(error)), carried: opened?.session.carried() }
  }
}

/** The other side logs it, and does not know what is secret here. */
function withoutSecrets(error: unknown): unknown {
  if (!isFailure(error)) return new Error(redact(messageOf(error)))
  return failure(error.kind, redact(error.message), { hint: error.hint && redact(error.hint), code: error.code })
}

async function open({ flags, carried, passphrase }: Request, signal: AbortSignal): Promise<Opened> {
  const { write, access } = createLog()
  // What there is to say about the options was said by the daemon.
  let silent = true
  const stderr = (text: string): void => void (silent || access(text))
  const context = await createContext(flags, process.env, { stdout: write, stderr })
  silent = false
  if (passphrase !== undefined) context.vault.accept(passphrase)
  const session = await sessionOf(context, { carried })
  return { session, errands: errandsOf(context, session, signal) }
}

function errandsOf(context: Context, session: Session, signal: AbortSignal): Errands {
  return {
    signIn: () => takeAndExport(context, session, signal),
    begin: () => takeRoles(context, session, signal, 'refresh'),
    renew: ({ role, less }) => session.renew(role, signal, less),
    take: ({ wish, less }) => session.take(wish, signal, less),
    export: credentials => session.export(revived(credentials), true),
  }
}
