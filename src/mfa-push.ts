/**
 * Waiting for a person to approve on another device: asked about at intervals, within a limit, each number to match shown
 * once.
 */
import { formFailure } from './form-failure.ts'
import { clean } from './form-text.ts'
import type { ProviderContext } from './provider.ts'

export interface Notice {
  /** What the person is to do, in the words of the page. */
  readonly message?: string | undefined
  /** The number to be chosen or typed on the other device. */
  readonly number?: string | undefined
}

export interface Wait {
  readonly host: string
  /** Name of the method, for messages. */
  readonly what: string
  readonly first?: Notice
  /** Before the first question, too, unless `atOnce`. */
  readonly intervalMs?: number
  readonly atOnce?: boolean
  readonly limitMs?: number
}

/** What asking brought: the end, or another wait with perhaps another number. */
export type Poll<T> = { readonly done: T } | Notice

/** Rejects with `mfa-timeout` at the limit, with whatever `poll` rejects with before. */
export async function awaitApproval<T>(
  { ask, clock, signal }: Pick<ProviderContext, 'ask' | 'clock' | 'signal'>,
  { host, what, first, intervalMs = 2000, atOnce = false, limitMs = 120_000 }: Wait,
  poll: () => Promise<Poll<T>>,
): Promise<T> {
  const told = new Set<string>()
  const tell = ({ message = '', number = '' }: Notice): void => {
    // A page may count down in its words; only the first ones are worth showing.
    if (message !== '' && !told.has('message')) ask.tell(`${host}: ${clean(message)}`)
    if (message !== '') told.add('message')
    const shown = clean(number, 20)
    if (shown === '' || told.has(`number ${shown}`)) return
    told.add(`number ${shown}`)
    ask.tell(`Number to match: ${shown}`)
  }
  tell(first ?? { message: `waiting until ${what} is approved on your device` })
  // Some servers say how often to ask; neither all the time nor never is an answer.
  const pauseMs = Math.min(Math.max(intervalMs, 500), 60_000)
  const start = clock.elapsed()
  for (let count = 0; count * pauseMs < limitMs && clock.elapsed() - start < limitMs; count += 1) {
    if (count > 0 || !atOnce) await clock.sleep(pauseMs, signal)
    signal.throwIfAborted()
    const outcome = await poll()
    if ('done' in outcome) return outcome.done
    tell(outcome)
  }
  throw formFailure('mfa-timeout', `${host}: ${what} was not approved within ${limitMs / 1000} s`)
}
