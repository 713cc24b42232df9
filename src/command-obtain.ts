/**
 * Credentials for a program that waits: those of a daemon that holds them, else the cached set until it is due, then a round
 * with the IdP's cookies, and the person only if they have to. Nothing but questions is shown. However many start at once,
 * one of them signs in.
 */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { sessionOf, type Context } from './command-context.ts'
import { askForCredentials, wantOf, type Want } from './daemon-credentials.ts'
import { failure, isFailure } from './errors.ts'
import { withLock } from './lock.ts'
import { dueAt } from './renewal.ts'
import { chooseAtTerminal } from './command-picker.ts'
import { chooseRole, isNamed } from './roles.ts'
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
  const credentials = session.ephemeral
    ? await signIn(context, session, undefined)
    : ((await heldByDaemon(context, session)) ??
      (await withLock(lockFile(context), () => obtain(context, session), patience)))
  checkLength(context, credentials)
  if (session.ephemeral) return { credentials, dependsOn: [], session }
  const config = context.settings.configFile ?? path.join(context.paths.config, 'config.yaml')
  return { credentials, dependsOn: [config, session.lastRoleFile, ...session.dependsOn], session }
}

/** Not the set of a daemon that cannot renew it any more. */
async function heldByDaemon(context: Context, session: Session): Promise<Credentials | undefined> {
  const { env, paths, clock, settings, log } = context
  const want = wantOf(session, settings)
  const held = await askForCredentials(env, paths, want)
  if (!held || clock.now() >= dueAt(held, Infinity, 0) || !lasts(context, held)) return undefined
  log.debug('the daemon has the credentials')
  session.store.write(cacheName(want), toCache(held))
  return held
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
  const name = cacheName(wantOf({ ...session, lastRole: () => role }, settings))
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
  const name = cacheName(wantOf(session, settings))
  const kept = fromTokens(session.store.read(name) ?? '')
  if (kept && clock.now() < dueAt(kept, settings.refreshInterval, 0) && lasts(context, kept)) return kept
  try {
    const credentials = await signIn(context, session, isNamed(settings) ? undefined : session.lastRole())
    session.store.write(name, toCache(credentials))
    return credentials
  } catch (error) {
    const cancelled = isFailure(error) && error.kind === 'cancelled'
    // A valid set beats an error.
    const left = kept ? kept.expiration.getTime() - clock.now() : 0
    if (kept && left > 60_000 && !cancelled && lasts(context, kept)) return kept
    if (left <= 0 || !isFailure(error)) throw error
    const { kind, hint, code } = error
    const short = `the credentials at hand end in ${Math.floor(left / 1000)} seconds`
    throw failure(kind, `${error.message}; ${short}`, { hint, code, cause: error })
  }
}

/** As long as `--min-ttl` wants. */
function lasts({ settings, clock }: Context, { expiration }: Credentials): boolean {
  return expiration.getTime() - clock.now() >= settings.minTtl * 1000
}

/** What AWS gives may be too short whoever asks. */
function checkLength(context: Context, credentials: Credentials): void {
  if (lasts(context, credentials)) return
  const { minTtl } = context.settings
  const left = Math.floor((credentials.expiration.getTime() - context.clock.now()) / 1000)
  throw failure('config', `a new session lasts ${left} seconds, and --min-ttl wants ${minTtl}`, {
    hint: `--session-duration ${Math.max(900, minTtl)}, where the role allows it, or a smaller --min-ttl`,
    code: 'min-ttl',
  })
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

/** Each wish has a set of its own, and each chain behind it; a role by its ARN shares the one of `lastRole`. */
function cacheName({ wish, variant }: Want): string {
  const mark = variant === '' ? '' : `-${createHash('sha256').update(variant).digest('hex').slice(0, 16)}`
  return `credentials-${wish.replace(/[^\w.@-]+/g, '_').slice(-120)}${mark}.json`
}
