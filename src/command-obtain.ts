/**
 * Credentials for a program that waits: the cached set until it is due, then a round with the IdP's cookies, and the person
 * only if they have to. Nothing but questions is shown. However many start at once, one of them signs in.
 */
import path from 'node:path'
import { sessionOf, type Context } from './command-context.ts'
import { isRoleArn } from './arn.ts'
import { failure, isFailure } from './errors.ts'
import { withLock } from './files.ts'
import { dueAt } from './renewal.ts'
import { chooseRole, offeredRoles, roleLines } from './roles.ts'
import type { Session } from './session.ts'
import { fromTokens, toTokens } from './tokens.ts'
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
  const credentials = await withLock(lockFile(context), () => obtain(context, session), patience)
  const config = context.settings.configFile ?? path.join(context.paths.config, 'config.yaml')
  return { credentials, dependsOn: [config, session.lastRoleFile], session }
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
  const name = cacheName(context, isNamed(settings) ? undefined : held)
  return await withLock(
    lockFile(context),
    async () => {
      const kept = fromTokens(session.store.read(name) ?? '')
      const newer = kept && kept.roleArn === held.roleArn && kept.accessKeyId !== held.accessKeyId
      if (newer && clock.now() < dueAt(kept, settings.refreshInterval, 0)) return kept
      const role = { roleArn: held.roleArn, providerArn: held.samlProvider ?? '' }
      const credentials = await session.renew(role, signal)
      session.store.write(name, JSON.stringify(toTokens(credentials)))
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
  const name = cacheName(context, last)
  const kept = fromTokens(session.store.read(name) ?? '')
  if (kept && clock.now() < dueAt(kept, settings.refreshInterval, 0)) return kept
  try {
    const credentials = await signIn(context, session, last)
    session.store.write(name, JSON.stringify(toTokens(credentials)))
    return credentials
  } catch (error) {
    const cancelled = isFailure(error) && error.kind === 'cancelled'
    // A valid set beats an error.
    if (kept && kept.expiration.getTime() > clock.now() + 60_000 && !cancelled) return kept
    throw error
  }
}

async function signIn(context: Context, session: Session, last: Role | undefined): Promise<Credentials> {
  const { settings, terminal } = context
  const signal = new AbortController().signal
  const signedIn = await session.signIn('login', signal)
  if (signedIn.kind === 'credentials') return signedIn.credentials
  const wanted = { last, role: settings.role, roleNumber: settings.roleNumber, filter: settings.filter }
  const choice = chooseRole(offeredRoles(signedIn.assertion, wanted), wanted)
  const role = choice.role ?? (await askForRole(choice.menu, terminal))
  const credentials = await session.assume(role, signedIn.assertion, 'login', signal)
  if (choice.menu) session.rememberRole(role)
  return credentials
}

async function askForRole(roles: readonly Role[], terminal: Context['terminal']): Promise<Role> {
  if (!terminal.interactive) {
    const message = `the identity provider offers ${roles.length} roles, and none was named`
    throw failure('person', message, { hint: 'name it with --role ARN, or run cloudtoken once and choose' })
  }
  const labels = roleLines(roles)
  const choices = roles.map((role, index) => ({ value: role, label: labels[index]?.trim() ?? role.roleArn }))
  return await terminal.choose('Enter number of role you want: ', choices)
}

function isNamed({ role, filter, roleNumber }: Context['settings']): boolean {
  return Boolean(role || filter || roleNumber)
}

/** Each wish has a set of its own; a role by its ARN shares the one of `lastRole`. */
function cacheName({ settings }: Context, last: Pick<Role, 'roleArn'> | undefined): string {
  const named = settings.role !== undefined && isRoleArn(settings.role) ? settings.role : undefined
  const wish = last?.roleArn ?? named ?? JSON.stringify([settings.role, settings.filter, settings.roleNumber])
  return `credentials-${wish.replace(/[^\w.@-]+/g, '_').slice(-120)}.json`
}
