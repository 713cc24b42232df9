/**
 * The set that a daemon holds, for a command of the same person that would have to sign in for it: over the control socket,
 * and only where it is exactly the set that the command would get.
 */
import path from 'node:path'
import { isRoleArn } from './arn.ts'
import { controlFiles } from './control-place.ts'
import { askDaemon } from './control.ts'
import type { FarSession } from './daemon-session.ts'
import type { Paths } from './paths.ts'
import { readFields } from './json.ts'
import type { MetadataSnapshot } from './metadata-document.ts'
import type { Settings } from './options.ts'
import { isNamed } from './roles.ts'
import type { Session } from './session.ts'
import { fromTokens, toCache } from './tokens.ts'
import type { Credentials } from './types.ts'

type Env = Readonly<Record<string, string | undefined>>
type Wish = Pick<Settings, 'role' | 'filter' | 'roleNumber'>

/** Two that are equal want the same credentials. */
export interface Want {
  readonly identity: string
  /** What follows the role: a chain, a policy. */
  readonly variant: string
  /** ARN of a role, else the words that find one. */
  readonly wish: string
}

/** The role that is named, else that of the last run. */
export function wantOf(session: Pick<Session, 'identity' | 'variant' | 'lastRole'>, settings: Wish): Want {
  const { identity, variant } = session
  const { role, filter, roleNumber } = settings
  const last = isNamed(settings) ? undefined : session.lastRole()
  const named = role !== undefined && isRoleArn(role) ? role : undefined
  return { identity, variant, wish: last?.roleArn ?? named ?? JSON.stringify([role, filter, roleNumber]) }
}

/** What a daemon holds, kept up to date by what it shows. */
export interface Holding {
  /** The current role. */
  show(snapshot: MetadataSnapshot): void
  /** A role beside it. */
  showBeside(snapshot: MetadataSnapshot): void
  /** The set that this `Want`, as JSON, asks for; `undefined` for any other. */
  answer(want: string | undefined): string | undefined
}

export function createHolding(session: Pick<FarSession, 'known'>, settings: Wish): Holding {
  const own = wantOf({ identity: '', variant: '', lastRole: () => undefined }, settings).wish
  const others = new Map<string, Credentials>()
  let current: Credentials | undefined
  /** What the words of the daemon's own command line led to. */
  let first: string | undefined
  return {
    show({ credentials }) {
      if (!credentials) return
      current = credentials
      first ??= firstRole(credentials)
    },
    showBeside({ credentials }) {
      if (credentials) others.set(firstRole(credentials), credentials)
    },
    answer(text) {
      const { identity, variant, wish } = readFields(text)
      const known = session.known()
      if (!known || known.ephemeral || typeof wish !== 'string') return undefined
      if (identity !== path.basename(known.folder) || variant !== known.variant) return undefined
      const role = wish === own ? first : wish
      const set = current && firstRole(current) === role ? current : others.get(role ?? '')
      return set && toCache(set)
    },
  }
}

/** The role that a sign-in is for; what a chain makes of it follows from the variant. */
function firstRole({ roleArn, sourceRole }: Credentials): string {
  return sourceRole?.roleArn ?? roleArn
}

/** A daemon that is stopped or busy must not stand in the way of a sign-in. */
const patience = 1000

/** Of all daemons that hold this set, the one that lasts longest; `undefined` when there is none. */
export async function askForCredentials(env: Env, paths: Paths, want: Want): Promise<Credentials | undefined> {
  const answers = await Promise.all(
    controlFiles(env, paths).map(file =>
      askDaemon(file, 'credentials', JSON.stringify(want), patience).catch(() => undefined),
    ),
  )
  const sets = answers.flatMap(answer => (typeof answer === 'string' ? [fromTokens(answer)] : []))
  return sets.filter(set => set !== undefined).toSorted((a, b) => b.expiration.getTime() - a.expiration.getTime())[0]
}
