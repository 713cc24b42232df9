/**
 * Credentials for a program that waits: the cached set until it is due, then a round with the IdP's cookies, and the person
 * only if they have to. Nothing but questions is shown. However many start at once, one of them signs in.
 */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { sessionOf, type Context } from './command-context.ts'
import { isRoleArn } from './arn.ts'
import { failure, isFailure } from './errors.ts'
import { withLock } from './files.ts'
import { dueAt } from './renewal.ts'
import { chooseAtTerminal } from './command-picker.ts'
import { chooseRole } from './roles.ts'
import type { Offer } from './session-offer.ts'
import type { Session } from './session.ts'
import { fromTokens, toCache } from './tokens.ts'
import type { Credentials, Role } from './types.ts'

export interface Obtained {
  readonly credentials: Credentials
  /** When one of these changes, the answer may be another one. */
  readonly dependsOn: readonly string[]
  /** Where they came from, and would come from again. */
  readonly session: Session
}

export async function obtainCredentials(context: Context): Promise<Obtained> {
  const session = await sessionOf(context)
  if (session.ephemeral) return { credentials: await signIn(context, session, undefined), dependsOn: [], session }
  const credentials = await withLock(lockFile(context), () => obtain(context, session), patience)
  const config = context.settings.configFile ?? path.join(context.paths.config, 'config.yaml')
  return { credentials, dependsOn: [config, session.lastRoleFile, ...session.dependsOn], session }
}

/**
 * A newer set for the same role, in the background: what another process has got meanwhile, else a silent round. However
 * many processes want one, one of them signs in.
 */
export async function renewObtained(
  context: Context,
  session: Session,
  held: Credentials,
  signal: AbortSignal,
): Promise<Credentials> {
  const { settings, clock } = context
  // A chain starts anew from its first role.
  const role = held.sourceRole ?? { roleArn: held.roleArn, providerArn: held.samlProvider ?? '' }
  if (session.ephemeral) return await session.renew(role, signal)
  const name = cacheName(context, isNamed(settings) ? undefined : role, session.variant)
  return await withLock(
    lockFile(context),
    async () => {
      const kept = fromTokens(session.store.read(name) ?? '')
      const newer = kept && kept.roleArn === held.roleArn && kept.accessKeyId !== held.accessKeyId
      if (newer && clock.now() < dueAt(kept, settings.refreshInterval, 0)) return kept
      const credentials = await session.renew(role, signal)
      session.store.write(name, toCache(credentials))
      return credentials
    },
    patience,
  )
}

function lockFile({ paths }: Context): string {
  return path.join(paths.state, 'obtain')
}

/** A person may be typing a password and a code in the process that holds the lock. */
const patience = 180_000

async function obtain(context: Context, session: Session): Promise<Credentials> {
  const { settings, clock } = context
  const last = isNamed(settings) ? undefined : session.lastRole()
  const name = cacheName(context, last, session.variant)
  const kept = fromTokens(session.store.read(name) ?? '')
  if (kept && clock.now() < dueAt(kept, settings.refreshInterval, 0)) return kept
  try {
    const credentials = await signIn(context, session, last)
    session.store.write(name, toCache(credentials))
    return credentials
  } catch (error) {
    const cancelled = isFailure(error) && error.kind === 'cancelled'
    // A valid set beats an error.
    if (kept && kept.expiration.getTime() > clock.now() + 60_000 && !cancelled) return kept
    throw error
  }
}

async function signIn(context: Context, session: Session, last: Role | undefined): Promise<Credentials> {
  const { settings } = context
  const signal = new AbortController().signal
  const signedIn = await session.signIn('login', signal)
  if (signedIn.kind === 'credentials') return signedIn.credentials
  const wanted = { last, role: settings.role, roleNumber: settings.roleNumber, filter: settings.filter }
  const choice = chooseRole(await signedIn.offer.roles(wanted), wanted)
  const role = choice.role ?? (await askForRole(context, session, signedIn.offer, choice.menu))
  const credentials = await signedIn.offer.take(role, 'login', signal)
  if (choice.menu) session.rememberRole(role)
  return credentials
}

async function askForRole(context: Context, session: Session, offer: Offer, roles: readonly Role[]): Promise<Role> {
  if (context.terminal.interactive) return await chooseAtTerminal(context, session, offer, roles)
  const message = `the identity provider offers ${roles.length} roles, and none was named`
  throw failure('person', message, { hint: 'name it with --role ARN, or run cloudtoken once and choose' })
}

/** Whether an option says which role. */
export function isNamed({ role, filter, roleNumber }: Context['settings']): boolean {
  return Boolean(role || filter || roleNumber)
}

/** Each wish has a set of its own, and each chain behind it; a role by its ARN shares the one of `lastRole`. */
function cacheName({ settings }: Context, last: Pick<Role, 'roleArn'> | undefined, variant: string): string {
  const named = settings.role !== undefined && isRoleArn(settings.role) ? settings.role : undefined
  const wish = last?.roleArn ?? named ?? JSON.stringify([settings.role, settings.filter, settings.roleNumber])
  const mark = variant === '' ? '' : `-${createHash('sha256').update(variant).digest('hex').slice(0, 16)}`
  return `credentials-${wish.replace(/[^\w.@-]+/g, '_').slice(-120)}${mark}.json`
}
