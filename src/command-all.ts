/**
 * `--all`: one sign-in, and a profile with credentials for every role.
 */
import type { Context } from './command-context.ts'
import { offeredProfiles } from './command-profiles.ts'
import { exitCodes, isFailure, messageOf } from './errors.ts'
import { writeProfiles, type ProfileKeys } from './exporter-awscli.ts'
import { inParallel } from './parallel.ts'
import type { Profile } from './profiles.ts'
import { awsTime } from './tokens.ts'
import type { Credentials } from './types.ts'

/** STS slows down who asks for more at once. */
const atOnce = 6

interface Refused {
  readonly profile: Profile
  readonly error: unknown
}

/** 31 when a role could not be had; the others are there all the same. */
export async function allCommand(context: Context): Promise<number> {
  const { log } = context
  const { signal } = new AbortController()
  const { offer, profiles } = await offeredProfiles(context, signal)
  const taken = new Map<Profile, Credentials>()
  const refused: Refused[] = []
  let broken: { readonly error: unknown } | undefined
  await inParallel(profiles, atOnce, async profile => {
    if (broken) return
    try {
      taken.set(profile, await offer.take(profile.role, 'login', signal))
    } catch (error) {
      // What is not about this role would go wrong with each of the others, too.
      if (!isFailure(error) || (error.kind !== 'sts' && error.kind !== 'role')) {
        broken = { error }
        return
      }
      refused.push({ profile, error })
    }
    log.info(`${taken.size + refused.length} of ${profiles.length}: ${profile.role.roleArn}`)
  })
  const good = profiles.flatMap(profile => {
    const credentials = taken.get(profile)
    return credentials ? [{ profile: profile.name, credentials }] : []
  })
  if (good.length > 0) await writeProfiles(good, context)
  report(context, good, refused)
  if (broken) throw broken.error
  return refused.length === 0 ? 0 : exitCodes.sts
}

function report({ settings, log }: Context, good: readonly ProfileKeys[], refused: readonly Refused[]): void {
  for (const { error } of refused) log.warn(messageOf(error), isFailure(error) ? error.hint : undefined)
  if (settings.dryRun) return
  if (!settings.json) {
    for (const { profile } of good) log.print(profile)
    return
  }
  const list = [
    ...good.map(({ profile, credentials }) => ({
      profile,
      roleArn: credentials.roleArn,
      expiration: awsTime(credentials.expiration),
    })),
    ...refused.map(({ profile, error }) => ({
      profile: profile.name,
      roleArn: profile.role.roleArn,
      error: messageOf(error),
    })),
  ]
  log.print(JSON.stringify(list, undefined, 2))
}
