/**
 * Tokens for one client each, with sessions of their own that may do less than the role: for an IDE, a container, an agent.
 */
import type { Less } from './chain.ts'
import { serveOther, type ContainerEndpoint } from './daemon-container.ts'
import { timeOf, type DaemonSession, type Served } from './daemon.ts'
import { failure } from './errors.ts'
import { sleepUntil } from './renewal.ts'
import { fieldsOf, readFields } from './json.ts'

/** JSON. */
export interface GrantOrder extends Less {
  /** Absent: the role that is served. */
  readonly role?: string | undefined
  /** Seconds until the token is good for nothing; absent: until the daemon ends. */
  readonly ttl?: number | undefined
}

/** What `grant --json` prints. */
export interface Granted {
  readonly role: string
  readonly uri: string
  readonly file: string
  readonly until: string | null
  /** Is there a policy beside that of the role? */
  readonly narrowed: boolean
}

export interface Grants {
  grant(order: GrantOrder): Promise<Granted>
  /** Ends the token in this file, or `all`; answers with those that it ended. Fails with `usage` where there is none. */
  revoke(which: string): readonly Granted[]
  /** Those whose time has not come. */
  status(): readonly Granted[]
}

interface GrantsOptions extends Pick<Served, 'settings' | 'clock' | 'log'> {
  readonly session: Pick<DaemonSession, 'take' | 'renew' | 'lastSignIn'>
  readonly endpoint: Pick<ContainerEndpoint, 'granter'>
  /** ARN of the role that is served. */
  current(): string | null
  readonly signal: AbortSignal
}

export function createGrants(options: GrantsOptions): Grants {
  const { session, endpoint, clock, log, signal } = options
  /** Each with what ends it. */
  const granted = new Map<Granted, () => void>()
  return {
    async grant({ role: wish = options.current() ?? undefined, ttl, ...less }) {
      if (wish === undefined) throw failure('person', 'the daemon waits for its first sign-in', { hint: 'cloudtoken' })
      // Before anybody signs in for it.
      const hand = endpoint.granter()
      const { role, credentials } = await session.take(wish, signal, less)
      const handed = hand(credentials.roleArn)
      const until = ttl === undefined ? undefined : new Date(clock.now() + ttl * 1000)
      const narrowed = Object.keys(less.scope).length > 0
      const { uri, file } = handed
      const result: Granted = { role: credentials.roleArn, uri, file, until: timeOf(until), narrowed }
      const ending = new AbortController()
      // At once, whatever a renewal waits for.
      const end = (): void => {
        handed.revoke()
        granted.delete(result)
        ending.abort()
      }
      granted.set(result, end)
      signal.addEventListener('abort', end, { once: true })
      if (until) void sleepUntil(until.getTime(), clock, ending.signal).then(end)
      const own = {
        renew: (_: unknown, at: AbortSignal) => session.renew(role, at, less),
        lastSignIn: session.lastSignIn,
      }
      void serveOther(credentials, own, handed, options, ending.signal).finally(() => {
        end()
        signal.removeEventListener('abort', end)
        log.info(`the token for ${credentials.roleArn} has ended`)
      })
      return result
    },
    revoke(which) {
      const ended = [...granted.keys()].filter(({ file }) => which === 'all' || which === file)
      if (ended.length === 0 && which !== 'all') {
        const hint = 'cloudtoken status --json lists them'
        throw failure('usage', `no token of this daemon is in ${which}`, { hint })
      }
      for (const each of ended) granted.get(each)?.()
      return ended
    },
    status: () => [...granted.keys()],
  }
}

/** What arrived over the control socket. */
export function readGrantOrder(text: string | undefined): GrantOrder {
  const { role, ttl, scope, seconds } = readFields(text)
  const { policy, policyArns } = fieldsOf(scope)
  return {
    ...(typeof role === 'string' && { role }),
    ...(typeof ttl === 'number' && { ttl }),
    ...(typeof seconds === 'number' && { seconds }),
    scope: {
      ...(typeof policy === 'string' && { policy }),
      ...(Array.isArray(policyArns) && { policyArns: policyArns.map(String) }),
    },
  }
}
