/**
 * What `--all` and `setup-profiles` begin with: a sign-in, and a name for each role that it offers.
 */
import { sessionOf, type Context } from './command-context.ts'
import { failure } from './errors.ts'
import { nameProfiles, type Profile } from './profiles.ts'
import { filterRoles } from './roles.ts'
import type { Offer } from './session-offer.ts'

export interface Offered {
  readonly offer: Offer
  readonly profiles: readonly Profile[]
}

export async function offeredProfiles(context: Context, signal: AbortSignal): Promise<Offered> {
  const { filter, profileName } = context.settings
  const session = await sessionOf(context)
  const signedIn = await session.signIn('login', signal)
  if (signedIn.kind === 'credentials')
    throw failure('role', 'this sign-in brings one set of credentials, not a list of roles')
  const { offer } = signedIn
  const offered = await offer.roles()
  const roles = filter ? filterRoles(offered, filter) : offered
  const names = profileName.includes('{name}') ? await offer.names(context.config.accounts) : new Map<string, string>()
  const profiles = nameProfiles(roles, profileName, names)
  if (profiles.length > 0) return { offer, profiles }
  const wish = filter ? `matches the filter ${JSON.stringify(filter)}` : 'is one to have a profile for'
  throw failure('role', `none of the ${offered.length} roles ${wish}`, { hint: 'cloudtoken roles --filter .' })
}
