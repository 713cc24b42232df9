/**
 * Which role: the list as people number it, and the choice among it. Pure.
 */
import { accountOf, isRoleArn, providerName, roleName, rolePath } from './arn.ts'
import { parseRolePair, type SamlResponse } from './assertion.ts'
import { failure, messageOf, type Failure } from './errors.ts'
import type { OfferedRoles, Role } from './types.ts'

/** What may decide, the first that is given: `last`, `role`, `roleNumber`, a filter that leaves one. */
export interface Wanted {
  /** Exactly this one, whatever else is set: a renewal, or `--refresh`. */
  readonly last?: { readonly roleArn: string; readonly providerArn?: string | undefined } | undefined
  /** Name, path and name, ARN, or `ROLE_ARN,PROVIDER_ARN`. */
  readonly role?: string | undefined
  /** Counted from 1 in the filtered list. */
  readonly roleNumber?: number | undefined
  /** Regular expression, sought in the ARN, ignoring case. */
  readonly filter?: string | undefined
}

/** Whether an option says which role. */
export function isNamed({ role, filter, roleNumber }: Pick<Wanted, 'role' | 'filter' | 'roleNumber'>): boolean {
  return Boolean(role || filter || roleNumber)
}

/** `auto`: nobody named it, it was the only one. `menu`: a person has to choose. */
export type Choice =
  | { readonly role: Role; readonly auto: boolean; readonly menu?: never }
  | { readonly menu: readonly Role[]; readonly role?: never }

/** By role ARN, as the first Cloudtoken numbered them, then by provider; duplicates dropped. */
export function sortRoles(roles: readonly Role[]): Role[] {
  const unique = new Map(roles.map(role => [pair(role), role]))
  return [...unique.values()].sort((a, b) => compare(a.roleArn, b.roleArn) || compare(a.providerArn, b.providerArn))
}

/**
 * The roles of an assertion, sorted. Fails with kind `role` when there is none, and says why. Where the assertion
 * is encrypted, a wish that names both role and provider is taken as it is: STS can read what we cannot.
 */
export function offeredRoles(assertion: SamlResponse, wanted: Wanted = {}): Role[] {
  if (assertion.roles.length > 0) return sortRoles(assertion.roles)
  const known = parseRolePair(wanted.last ? pair(wanted.last) : (wanted.role ?? ''))
  if (assertion.encrypted && known) return [known]
  throw noRoles(assertion)
}

/** The same where no assertion is needed. A role that is named by its ARN is taken at its word: nothing has to be listed. */
export async function listedRoles(list: () => Promise<OfferedRoles>, wanted: Wanted = {}): Promise<Role[]> {
  const named = wanted.last?.roleArn ?? wanted.role ?? ''
  if (isRoleArn(named)) return [{ roleArn: named, providerArn: '' }]
  const { roles } = await list()
  if (roles.length > 0) return sortRoles(roles)
  const hint = 'ask the people who run it which AWS accounts and permission sets are assigned to you'
  throw failure('role', 'no roles: nothing is assigned to you', { hint, code: 'roles-missing' })
}

function noRoles({ encrypted, roleAttribute, warnings }: SamlResponse): Failure {
  if (encrypted) {
    return failure('role', 'the assertion is encrypted for AWS, so the roles in it cannot be read', {
      hint: 'name both parts: --role ROLE_ARN,PROVIDER_ARN',
      code: 'roles-encrypted',
    })
  }
  const hint = 'ask the people who run the identity provider which AWS roles your account has'
  if (roleAttribute === 'missing') {
    const message = 'no roles in the SAML response: it has no attribute https://aws.amazon.com/SAML/Attributes/Role'
    return failure('role', message, { hint, code: 'roles-missing' })
  }
  if (roleAttribute === 'empty') {
    return failure('role', 'no roles in the SAML response: its role attribute is empty', { hint, code: 'roles-empty' })
  }
  const sample = warnings.find(warning => warning.startsWith('not a role'))
  const message = `no roles in the SAML response: no value of its role attribute is a role${sample ? `; ${sample}` : ''}`
  return failure('role', message, { hint, code: 'roles-malformed' })
}

/** Fails with kind `usage` when the pattern is none. */
export function filterRoles(roles: readonly Role[], pattern: string): Role[] {
  let regex: RegExp
  try {
    // Written for Python's `re`, where this is how to ignore case; we do anyway.
    regex = new RegExp(pattern.replace(/^\(\?i\)/, ''), 'i')
  } catch (error) {
    throw failure('usage', `--filter is not a regular expression: ${messageOf(error)}`, {
      hint: 'put a backslash before ( ) [ ] { } + * ? . to mean the character itself',
    })
  }
  return roles.filter(role => regex.test(role.roleArn))
}

/** `roles` as `offeredRoles` answers them. Fails with kind `role` when the wish fits none, or several. */
export function chooseRole(roles: readonly Role[], wanted: Wanted): Choice {
  if (wanted.last) return { role: lastRole(roles, wanted.last), auto: false }
  const matching = wanted.filter ? filterRoles(roles, wanted.filter) : roles
  if (wanted.role) return { role: namedRole(roles, matching, wanted.role), auto: false }
  const [first] = matching
  if (!first) {
    throw failure(
      'role',
      `none of the ${roles.length} roles matches the filter ${JSON.stringify(wanted.filter ?? '')}`,
      {
        hint: 'cloudtoken roles --filter .',
        code: 'roles-filtered',
      },
    )
  }
  if (wanted.roleNumber !== undefined) {
    const role = Number.isInteger(wanted.roleNumber) ? matching[wanted.roleNumber - 1] : undefined
    if (role) return { role, auto: false }
    throw failure('role', `invalid role number provided: ${wanted.roleNumber}`, {
      hint: `the list has ${matching.length}: cloudtoken roles`,
      code: 'role-number',
    })
  }
  return matching.length === 1 ? { role: first, auto: true } : { menu: matching }
}

function lastRole(roles: readonly Role[], last: NonNullable<Wanted['last']>): Role {
  const same = roles.filter(role => role.roleArn === last.roleArn)
  const role = same.find(({ providerArn }) => providerArn === last.providerArn) ?? same[0]
  if (role) return role
  throw failure('role', `the identity provider no longer offers ${last.roleArn}`, {
    hint: 'choose another: cloudtoken',
    code: 'role-gone',
  })
}

function namedRole(roles: readonly Role[], filtered: readonly Role[], wish: string): Role {
  const wishes = parseRolePair(wish)
  const fits = (role: Role): boolean =>
    wishes
      ? pair(role) === pair(wishes)
      : role.roleArn === wish || roleName(role.roleArn) === wish || rolePath(role.roleArn) === wish
  const all = roles.filter(fits)
  // The name decides; a filter only helps to tell equal names apart.
  const narrowed = all.length > 1 ? all.filter(role => filtered.includes(role)) : all
  const found = narrowed.length > 0 ? narrowed : all
  const [role, second] = found
  if (!role) {
    const close = roles.filter(({ roleArn }) => roleArn.toLowerCase().includes(wish.toLowerCase()))
    throw failure(
      'role',
      `no role ${JSON.stringify(wish)} among the ${roles.length} that the identity provider offers`,
      {
        hint: close.length > 0 ? `did you mean ${some(close.map(({ roleArn }) => roleArn))}` : 'cloudtoken roles',
        code: 'role-unknown',
      },
    )
  }
  if (!second) return role
  const sameArn = found.every(({ roleArn }) => roleArn === role.roleArn)
  const names = found.map(one => (sameArn ? pair(one) : one.roleArn))
  throw failure('role', `${JSON.stringify(wish)} fits ${found.length} roles: ${some([...new Set(names)])}`, {
    hint: sameArn ? '--role ROLE_ARN,PROVIDER_ARN' : '--role ARN',
    code: 'role-ambiguous',
  })
}

/** Roles of IAM Identity Center appear in assertions now and then, but AWS does not let SAML assume them. */
export function isReservedRole(roleArn: string): boolean {
  return roleName(roleArn).startsWith('AWSReservedSSO_')
}

/**
 * The numbered lines of the menu and of `--list`: `    1. arn:…`. Behind it, where there is any, what tells the
 * role apart: the account's name (`names`, by account id), its provider if the same role comes with several, and `marks`.
 */
export function roleLines(
  roles: readonly Role[],
  names: ReadonlyMap<string, string> = new Map(),
  marks: (role: Role) => readonly string[] = () => [],
): string[] {
  const seen = new Map<string, number>()
  for (const { roleArn } of roles) seen.set(roleArn, (seen.get(roleArn) ?? 0) + 1)
  return roles.map((role, index) => {
    const { roleArn, providerArn } = role
    const notes = [
      names.get(accountOf(roleArn)),
      (seen.get(roleArn) ?? 0) > 1 ? `through ${providerName(providerArn)}` : undefined,
      isReservedRole(roleArn) ? 'cannot be assumed with SAML' : undefined,
      ...marks(role),
    ].filter(note => note !== undefined)
    return `    ${index + 1}. ${roleArn}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`
  })
}

function pair({ roleArn, providerArn }: { roleArn: string; providerArn?: string | undefined }): string {
  return providerArn ? `${roleArn},${providerArn}` : roleArn
}

function some(names: readonly string[], limit = 10): string {
  const rest = names.length - limit
  return names.slice(0, limit).join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
