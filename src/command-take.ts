/**
 * The sign-in of a daemon: the current role, and those beside it on the container endpoint.
 */
import { isSamlProviderArn } from './arn.ts'
import type { Taken } from './background.ts'
import type { Context } from './command-context.ts'
import { takeRole } from './command-sign-in.ts'
import { failure } from './errors.ts'
import { chooseRole } from './roles.ts'
import type { Offer } from './session-offer.ts'
import type { Session } from './session.ts'
import type { Credentials, Role } from './types.ts'

/** The sign-in with the transcript's words. */
export async function takeRoles(
  context: Context,
  session: Session,
  signal: AbortSignal,
  mode: 'login' | 'refresh' = 'login',
): Promise<Taken> {
  const { credentials, role, offer } = await takeRole(context, session, signal, mode)
  const current = { role, ...(offer && { offer }) }
  const others = await takeOthers(context.settings.alsoRole, current, signal, mode)
  return { credentials, role, others }
}

/** The same, and what it brings to the files. */
export async function takeAndExport(context: Context, session: Session, signal: AbortSignal): Promise<Taken> {
  const taken = await takeRoles(context, session, signal)
  await session.export(taken.credentials, true)
  return taken
}

/** The roles of `--also-role`, from what the sign-in that has just been offers. */
async function takeOthers(
  wishes: readonly string[],
  current: { readonly role: Role; readonly offer?: Offer },
  signal: AbortSignal,
  mode: 'login' | 'refresh',
): Promise<Credentials[]> {
  const { role, offer } = current
  if (wishes.length === 0) return []
  if (!offer) throw failure('role', 'this sign-in brings one set of credentials, so there is no other role')
  const others = new Map<string, Role>()
  for (const wish of joinPairs(wishes)) {
    const other = chooseRole(await offer.roles({ role: wish }), { role: wish }).role
    if (other && other.roleArn !== role.roleArn) others.set(other.roleArn, other)
  }
  const sets: Credentials[] = []
  for (const other of others.values()) sets.push(await offer.take(other, mode, signal))
  return sets
}

/** `ROLE_ARN,PROVIDER_ARN` is one wish, although a comma separates the values of the option. */
function joinPairs(wishes: readonly string[]): string[] {
  const joined: string[] = []
  for (const wish of wishes) {
    if (isSamlProviderArn(wish) && joined.length > 0) joined.push(`${joined.pop()},${wish}`)
    else joined.push(wish)
  }
  return joined
}
