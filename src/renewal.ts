/**
 * The loop that keeps one set of credentials fresh: at the latest 45 minutes after issue and 15 minutes before the end,
 * judged by the wall clock at least every 30 seconds, so that a laptop that slept or a clock that was set is noticed.
 */
import { isFailure, messageOf, type Failure } from './errors.ts'
import type { Clock, Credentials } from './types.ts'

type Renew = (signal: AbortSignal) => Promise<Credentials>

const second = 1000
const minute = 60 * second
/** The longest look-away: after sleep or a changed clock a due renewal starts within this time. */
const tick = 30 * second
/** How often to look whether the person has signed in meanwhile. */
const glance = 5 * second

/** What the daemon shows of the loop; replaced as a whole. */
export interface RenewalState {
  /** Absent before the first sign-in. */
  readonly credentials: Credentials | undefined
  /** When the next attempt is due, ms since the epoch. */
  readonly next: number
  /** Attempts that failed since the last success. */
  readonly failures: number
  readonly lastError: string | undefined
  /** Attempts in a row that STS refused, as it does for a role that was removed. */
  readonly refusals: number
  /** Only a person can bring new credentials; nothing is tried until they signed in. */
  readonly needsPerson: boolean
}

export interface RenewalOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Seconds after issue, at the latest. */
  readonly interval: number
  /** A whole sign-in and STS call for the same role; rejects with kind `person` when somebody has to act. */
  readonly renew: Renew
  /** A value that changes when a person signed in, such as the time of it. Attempts of the loop must not change it. */
  readonly lastSignIn: () => unknown
  readonly onState: (state: RenewalState) => void
  /** What somebody wants out of turn. */
  readonly orders?: Orders
}

/** Wishes that are fulfilled one at a time, between the attempts of the loop. */
export interface Orders {
  /** Without `renew` it is the next attempt, made now; with it, other work, whose failure leaves everything as it was. */
  place(renew?: Renew): Promise<Credentials>
  take(): Order | undefined
  /** Aborts when there is something to take. */
  bell(): AbortSignal
}

interface Order {
  readonly renew: Renew | undefined
  resolve(credentials: Credentials): void
  reject(error: unknown): void
}

export function createOrders(): Orders {
  const waiting: Order[] = []
  let bell = new AbortController()
  return {
    place: renew =>
      new Promise((resolve, reject) => {
        waiting.push({ renew, resolve, reject })
        bell.abort()
      }),
    take() {
      const order = waiting.shift()
      if (!order && bell.signal.aborted) bell = new AbortController()
      return order
    },
    bell: () => bell.signal,
  }
}

/** Resolves when it is that time, by the clock that comes first, or as soon as the signal aborts. */
export async function sleepUntil(at: number, clock: Clock, signal: AbortSignal): Promise<void> {
  const timer = startTimer(clock, at)
  while (!signal.aborted && !timer.due()) await clock.sleep(Math.min(tick, timer.left()), signal)
}

/** When credentials of this age and end are due, ms since the epoch: a little early, by up to `jitter` (0 ≤ jitter < 1) of 2 %. */
export function dueAt(
  credentials: Pick<Credentials, 'issued' | 'expiration'>,
  interval: number,
  jitter: number,
): number {
  const issued = credentials.issued.getTime()
  const life = Math.max(0, credentials.expiration.getTime() - issued)
  const latest = life <= 30 * minute ? life / 2 : life - 15 * minute
  const wait = Math.min(interval * second, latest)
  return issued + wait - Math.min(wait * 0.02, minute) * jitter
}

/**
 * How long to wait after the n-th failure in a row: from the smaller of 15 s and a tenth of what is left, doubling up to
 * 5 min; while there is something left, up to 15 s or a third of it.
 */
export function retryDelay(failures: number, left: number, jitter: number): number {
  const first = Math.max(second, Math.min(15 * second, left > 0 ? left / 10 : 15 * second))
  const most = left > 0 ? Math.min(5 * minute, Math.max(15 * second, left / 3)) : 5 * minute
  const delay = Math.min(most, first * 2 ** Math.min(failures - 1, 20))
  return delay * (1 - 0.2 * jitter)
}

/**
 * Runs until the signal aborts. One attempt at a time; never more than one wait behind the wall clock. Instead of
 * credentials, `first` may be why there are none yet.
 */
export async function keepFresh(first: Credentials | Failure, options: RenewalOptions): Promise<void> {
  const { clock, signal } = options
  let state = isFailure(first) ? failed({ credentials: undefined, failures: 0, refusals: 0 }, first) : fresh(first)
  let timer = startTimer(clock, state.next)
  let seen = options.lastSignIn()
  options.onState(state)
  while (!signal.aborted) {
    const order = options.orders?.take()
    if (order) {
      await fulfil(order)
      continue
    }
    if (state.needsPerson ? seen === options.lastSignIn() : !timer.due()) {
      await pause(state.needsPerson ? glance : Math.min(tick, Math.max(second, timer.left())))
      continue
    }
    seen = options.lastSignIn()
    try {
      enter(fresh(await options.renew(signal)))
    } catch (error) {
      enter(failed(state, error))
    }
  }

  function pause(ms: number): Promise<void> {
    return clock.sleep(ms, options.orders ? AbortSignal.any([signal, options.orders.bell()]) : signal)
  }

  async function fulfil({ renew, resolve, reject }: Order): Promise<void> {
    // Other work that fails is not to have used up the sign-in that the loop waits for.
    if (!renew) seen = options.lastSignIn()
    try {
      const credentials = await (renew ?? options.renew)(signal)
      enter(fresh(credentials))
      resolve(credentials)
    } catch (error) {
      if (!renew) enter(failed(state, error))
      reject(error)
    }
  }

  function enter(next: RenewalState): void {
    if (signal.aborted) return
    state = next
    timer = startTimer(clock, state.next)
    options.onState(state)
  }

  function fresh(credentials: Credentials): RenewalState {
    // A session that ends at once, as at the end of an IdP session, must not make a storm.
    const soonest = clock.now() + Math.min(tick, options.interval * second)
    const next = Math.max(dueAt(credentials, options.interval, clock.random()), soonest)
    return { credentials, next, failures: 0, lastError: undefined, refusals: 0, needsPerson: false }
  }

  function failed(before: Pick<RenewalState, 'credentials' | 'failures' | 'refusals'>, error: unknown): RenewalState {
    const failures = before.failures + 1
    const left = (before.credentials?.expiration.getTime() ?? 0) - clock.now()
    const next = clock.now() + retryDelay(failures, left, clock.random())
    return {
      credentials: before.credentials,
      next,
      failures,
      lastError: messageOf(error),
      refusals: isRefusal(error) ? before.refusals + 1 : 0,
      needsPerson: isForPerson(error),
    }
  }
}

/** Trying again changes nothing; somebody has to sign in, or to choose. */
function isForPerson(error: unknown): boolean {
  return isFailure(error) && (error.kind === 'person' || error.kind === 'refused' || error.kind === 'role')
}

/** For now it has had too many requests; of everything else it will say the same again. */
function isRefusal(error: unknown): boolean {
  return isFailure(error) && error.kind === 'sts' && !error.code?.startsWith('Throttling')
}

/** What to tell a person who is elsewhere, once for all the attempts that fail for it. */
export function callFor({ needsPerson, refusals }: Pick<RenewalState, 'needsPerson' | 'refusals'>): string | undefined {
  if (needsPerson) return 'Sign in again: run cloudtoken in a terminal'
  // One refusal may be of a change that is not everywhere at AWS yet.
  return refusals > 1 ? 'AWS refuses the role: run cloudtoken status in a terminal' : undefined
}

interface Timer {
  due(): boolean
  /** Milliseconds until it is due, by the clock that comes first. */
  left(): number
}

/** Due when the wall clock says so, or when that much time has passed although somebody set the wall clock back. */
function startTimer(clock: Clock, at: number): Timer {
  const wait = at - clock.now()
  const started = clock.elapsed()
  const left = (): number => Math.min(at - clock.now(), wait - (clock.elapsed() - started))
  return { left, due: () => left() <= 0 }
}
