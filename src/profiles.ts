/**
 * Profiles for many roles: their names, and what stands in ~/.aws/config for them. Pure.
 */
import { accountOf, partitionOf, roleName, rolePath } from './arn.ts'
import { bytesOf, isOurs, ownerKey } from './aws-files.ts'
import { failure } from './errors.ts'
import { readSections, removeSections, setSections } from './ini.ts'
import { isReservedRole } from './roles.ts'
import type { Role } from './types.ts'

export interface Profile {
  readonly name: string
  readonly role: Role
}

const fields = {
  account: (arn: string) => accountOf(arn),
  name: (arn: string, names: ReadonlyMap<string, string>) => names.get(accountOf(arn)) ?? accountOf(arn),
  role: (arn: string) => roleName(arn),
  path: (arn: string) => rolePath(arn).replaceAll('/', '-'),
  partition: (arn: string) => partitionOf(arn)?.name ?? 'aws',
}

/**
 * One for each role that SAML can assume; a role with several providers counts once. `names` are those of accounts. What a
 * profile cannot be called becomes a dash. Fails with `usage` for a template that names two of them alike.
 */
export function nameProfiles(roles: readonly Role[], template: string, names: ReadonlyMap<string, string>): Profile[] {
  const unknown = [...template.matchAll(/\{([^}]*)\}/g)].find(([, field = '']) => !Object.hasOwn(fields, field))
  if (unknown) {
    const hint = Object.keys(fields)
      .map(field => `{${field}}`)
      .join(' ')
    throw failure('usage', `--profile-name has no field ${unknown[0]}`, { hint })
  }
  const found = new Map<string, Profile>()
  const seen = new Set<string>()
  for (const role of roles) {
    if (seen.has(role.roleArn) || isReservedRole(role.roleArn)) continue
    seen.add(role.roleArn)
    const filled = Object.entries(fields).reduce(
      (text, [field, value]) => text.replaceAll(`{${field}}`, () => value(role.roleArn, names)),
      template,
    )
    const name = filled.replace(/[^\w.%@:+/-]+/g, '-')
    const other = found.get(name)
    if (other) {
      const message = `${other.role.roleArn} and ${role.roleArn} would both be the profile ${JSON.stringify(name)}`
      throw failure('usage', message, { hint: "--profile-name '{account}-{path}'" })
    }
    found.set(name, { name, role })
  }
  return [...found.values()]
}

/** `default` has no prefix. */
function sectionOf(name: string): string {
  return name === 'default' ? name : `profile ${name}`
}

export interface Placed {
  readonly text: string
  readonly written: readonly string[]
  /** Names that are somebody else's; they stay as they are. */
  readonly foreign: readonly string[]
}

/** Puts the profiles into the text of a config file; `commandOf` is the `credential_process` of each. */
export function placeProfiles(
  text: string,
  profiles: readonly Profile[],
  commandOf: (profile: Profile) => string,
  region: string | undefined,
): Placed {
  const present = readSections(text)
  const foreign = profiles.filter(({ name }) => {
    const section = present.get(sectionOf(name))
    return section !== undefined && !isOurs(section)
  })
  const own = profiles.filter(profile => !foreign.includes(profile))
  const sections = own.map(profile => {
    const entries = { credential_process: bytesOf(commandOf(profile)), ...(region && { region }), [ownerKey]: 'true' }
    return [sectionOf(profile.name), entries] as const
  })
  return {
    text: setSections(text, new Map(sections)),
    written: own.map(({ name }) => name),
    foreign: foreign.map(({ name }) => name),
  }
}

/** Without the profiles that `placeProfiles` wrote. */
export function removeProfiles(text: string): string {
  return removeSections(text, new Set(ownSections(text)))
}

/** Names of the sections that `setup-profiles` wrote. */
export function ownSections(text: string): string[] {
  const own = [...readSections(text)].filter(([, section]) => isOurs(section) && section.has('credential_process'))
  return own.map(([name]) => name)
}
