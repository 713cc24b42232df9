/**
 * From one role to the next: which roles a session goes through after sign-in, and what it may do at the end.
 */
import { isRoleArn, parseArn, partitionOf, roleName } from './arn.ts'
import { failure, messageOf } from './errors.ts'
import { readText } from './files.ts'
import { unknownName } from './names.ts'
import type { Settings } from './options.ts'
import { assumeRole } from './sts.ts'
import type { SessionScope, StsOptions } from './sts-call.ts'
import type { Credentials, SourceRole } from './types.ts'

/** A role to assume with the session before. */
export interface Hop {
  /** An ARN, or `ACCOUNT/ROLE` in the partition of the session before. */
  readonly role: string
  readonly externalId?: string | undefined
  readonly sourceIdentity?: string | undefined
  readonly tags?: Readonly<Record<string, string>>
  readonly scope?: SessionScope
  /** Where they are other than those of the chain. */
  readonly sessionName?: string | undefined
  readonly durationSeconds?: number | undefined
}

export interface Chain {
  readonly hops: readonly Hop[]
  /** Narrows the sign-in's own session; only where no hop follows, which would be narrowed instead. */
  readonly scope: SessionScope
  readonly sessionName: string | undefined
  /** Seconds of each hop. */
  readonly durationSeconds: number
}

/** What a session is to be less than its role; JSON. */
export interface Less {
  readonly scope: SessionScope
  readonly seconds?: number | undefined
}

export type Aliases = Readonly<Record<string, string>>

/** STS gives no session of a session more than this, whatever the role allows. */
const longestHop = 3600

/**
 * From the options; `aliases` are those of config.yaml. Fails with `usage` or `config` before anybody signs in: for a role
 * that is none, for tags, an external id or a source identity without a role to assume, for a policy that is no JSON.
 */
export function planChain(settings: Settings, aliases: Aliases): Chain {
  const roles = [...settings.chain.map(word => roleOf(word, aliases)), ...destination(settings, aliases)]
  if (settings.assumeRole && roles.length === 0) {
    throw failure('usage', '--assume-role does not say which role', { hint: '--dest-role-arn ARN, or --chain ARN' })
  }
  if (settings.alsoRole.length > 0 && roles.length > 0) {
    throw failure('usage', 'a chain of roles leads to one role: --also-role has no place beside it')
  }
  const scope = readScope(settings.sessionPolicy)
  const tags = readTags(settings.sessionTag)
  const { externalId, sourceIdentity } = settings
  const orphan = Object.entries({
    '--external-id': externalId,
    '--source-identity': sourceIdentity,
    '--session-tag': settings.sessionTag[0],
  }).find(([, value]) => value !== undefined)?.[0]
  if (orphan && roles.length === 0) {
    throw failure('usage', `${orphan} is for a role that is assumed with a role`, { hint: '--chain ROLE_ARN' })
  }
  checkWord('--external-id', externalId, /^[\w+=,.@:/-]{2,1224}$/)
  checkWord('--source-identity', sourceIdentity, /^[\w+=,.@-]{2,64}$/)
  checkWord('--role-session-name', settings.roleSessionName, /^[\w+=,.@-]{2,64}$/)
  const last = roles.length - 1
  const hops = roles.map((role, index) => ({
    role,
    // It stays with the session from the first hop on, and must not be said twice.
    ...(index === 0 && sourceIdentity !== undefined && { sourceIdentity }),
    ...(index === last && { externalId, tags, scope }),
  }))
  return {
    hops,
    scope: hops.length === 0 ? scope : {},
    sessionName: settings.roleSessionName,
    durationSeconds: Math.min(settings.switchRoleSessionDuration, longestHop),
  }
}

/**
 * The chain of who has keys and no role yet: first the roles that the source of the keys names. `seconds` is what the person
 * wants of the first session, which may be longer than an hour, since no role is behind it.
 */
export function chainFromKeys(chain: Chain, roles: readonly SourceRole[], seconds: number | undefined): Chain {
  const before = roles.map(({ roleArn, externalId, sessionName, duration }, index) => ({
    role: roleArn,
    externalId,
    sessionName: chain.sessionName ?? sessionName,
    durationSeconds: index === 0 ? duration : undefined,
    ...(chain.hops.length === 0 && index === roles.length - 1 && { scope: chain.scope }),
  }))
  const [first, ...rest] = [...before, ...chain.hops]
  const hops = first ? [{ ...first, durationSeconds: seconds ?? first.durationSeconds }, ...rest] : []
  return { ...chain, hops }
}

export interface FollowChain extends StsOptions {
  readonly chain: Chain
  /** For the session's name where nothing else names it. */
  readonly username: string
}

/** Assumes one role after the other; answers with the credentials of the last, or with `first` where no role follows. */
export async function followChain(first: Credentials, options: FollowChain): Promise<Credentials> {
  const { chain, username } = options
  let source = first
  for (const { role, ...hop } of chain.hops) {
    source = await assumeRole({
      ...options,
      ...hop,
      roleArn: roleArnOf(role, source),
      source,
      sessionName: hop.sessionName ?? chain.sessionName ?? nameOf(source) ?? sessionNameFrom(username),
      durationSeconds: hop.durationSeconds ?? chain.durationSeconds,
    })
  }
  return source
}

/** Letters that STS takes, two at least. */
export function sessionNameFrom(text: string): string {
  return text
    .replace(/[^\w+=,.@-]+/g, '-')
    .slice(0, 64)
    .padEnd(2, '-')
}

function roleArnOf(role: string, source: Credentials): string {
  if (isRoleArn(role)) return role
  const [account, ...name] = role.split('/')
  return `arn:${partitionOf(source.roleArn)?.name ?? 'aws'}:iam::${account}:role/${name.join('/')}`
}

/** The name that the session before has, so that the trail of AWS keeps saying who it was. */
function nameOf({ assumedRoleArn }: Credentials): string | undefined {
  const name = assumedRoleArn?.split('/').at(-1) ?? ''
  return /^[\w+=,.@-]{2,64}$/.test(name) ? name : undefined
}

function roleOf(word: string, aliases: Aliases): string {
  const role = Object.hasOwn(aliases, word) ? aliases[word] : word
  if (role !== undefined && isRoleArn(role)) return role
  if (role?.startsWith('arn:')) throw failure('usage', `${JSON.stringify(role)} is no ARN of a role`)
  if (role !== word) throw failure('config', `the alias ${word} does not stand for the ARN of a role: ${role}`)
  const message = `${JSON.stringify(word)} is neither the ARN of a role nor one of the aliases: of config.yaml`
  const names = Object.keys(aliases)
  if (names.length > 0) throw unknownName(message, word, names, 'usage')
  throw failure('usage', message, { hint: '--chain arn:aws:iam::ACCOUNT:role/NAME' })
}

/** What the options of the first Cloudtoken's second version say; at most one role. */
function destination(settings: Settings, aliases: Aliases): string[] {
  const { destRoleArn, destRoleAlias, destAccount, destRoleName } = settings
  const named = [destRoleArn, destRoleAlias, destAccount ?? destRoleName].filter(value => value !== undefined)
  if (named.length > 1) {
    throw failure('usage', 'the role to assume is named in several ways', {
      hint: 'keep one of --dest-role-arn, --dest-role-alias, and --dest-account with --dest-role-name',
    })
  }
  if (destRoleArn !== undefined) {
    if (isRoleArn(destRoleArn)) return [destRoleArn]
    throw failure('usage', `--dest-role-arn ${JSON.stringify(destRoleArn)} is no ARN of a role`)
  }
  if (destRoleAlias !== undefined) return [roleOf(destRoleAlias, aliases)]
  if (destAccount === undefined && destRoleName === undefined) return []
  if (destAccount === undefined || destRoleName === undefined) {
    const [given, missing] = destAccount === undefined ? ['name', 'account'] : ['account', 'role-name']
    throw failure('usage', `the ${given} of the role to assume is given, but not its ${missing.replace('-', ' ')}`, {
      hint: '--dest-account ID --dest-role-name NAME',
    })
  }
  if (!/^\d{12}$/.test(destAccount)) {
    throw failure('usage', `--dest-account ${JSON.stringify(destAccount)} is no account id: twelve digits`)
  }
  const role = `${destAccount}/${destRoleName.replace(/^\//, '')}`
  if (roleName(`arn:aws:iam::${role.replace('/', ':role/')}`) === '') {
    throw failure('usage', `--dest-role-name ${JSON.stringify(destRoleName)} is no name of a role`)
  }
  return [role]
}

/**
 * The same chain with a narrower session at its end. Policies of one session add up, so a second one would widen it: fails
 * with `usage` where there is one already.
 */
export function lessOf(chain: Chain, less: Less | undefined): Chain {
  if (!less) return chain
  const { hops, scope, durationSeconds } = chain
  const own = hops.at(-1)?.scope ?? scope
  if (Object.keys(less.scope).length > 0 && Object.keys(own).length > 0) {
    throw failure('usage', 'the session has a policy already, and a second one would widen it', {
      hint: 'leave out --policy, or start the daemon without --session-policy',
    })
  }
  const last = Object.keys(less.scope).length > 0 ? less.scope : own
  return {
    ...chain,
    scope: hops.length === 0 ? last : scope,
    hops: hops.map((hop, index) => (index === hops.length - 1 ? { ...hop, scope: last } : hop)),
    durationSeconds: Math.min(durationSeconds, less.seconds ?? durationSeconds),
  }
}

/** Files with a policy (one), and ARNs of managed policies. */
export function readScope(words: readonly string[], option = '--session-policy'): SessionScope {
  const policyArns = words.filter(word => parseArn(word)?.service === 'iam')
  const [file, second] = words.filter(word => !policyArns.includes(word))
  if (second !== undefined) throw failure('usage', 'STS takes one policy document, and ARNs of managed policies')
  if (policyArns.length > 10) throw failure('usage', `STS takes ten managed policies, not ${policyArns.length}`)
  return {
    ...(file !== undefined && { policy: readPolicy(file, option) }),
    ...(policyArns.length > 0 && { policyArns }),
  }
}

/** Without white space: 2048 characters are all that STS takes. */
function readPolicy(file: string, option: string): string {
  const text = readText(file)
  if (text === undefined) {
    throw failure('config', `there is no file ${file}`, {
      hint: `${option} FILE, or the ARN of a managed policy`,
    })
  }
  let policy: string
  try {
    policy = JSON.stringify(JSON.parse(text))
  } catch (error) {
    throw failure('config', `${file} is no JSON: ${messageOf(error)}`)
  }
  if (policy.length <= 2048) return policy
  throw failure('config', `the policy in ${file} has ${policy.length} characters, STS takes 2048`)
}

function readTags(words: readonly string[]): Record<string, string> {
  if (words.length > 50) throw failure('usage', `STS takes 50 tags, not ${words.length}`)
  const tags = words.map(word => {
    const [, key, value] = /^([^=]{1,128})=(.{0,256})$/s.exec(word) ?? []
    if (key !== undefined && value !== undefined) return [key, value]
    throw failure('usage', `--session-tag ${JSON.stringify(word)} is not KEY=VALUE`)
  })
  return Object.fromEntries(tags)
}

function checkWord(option: string, value: string | undefined, shape: RegExp): void {
  if (value !== undefined && !shape.test(value)) {
    throw failure('usage', `${option} ${JSON.stringify(value)} has characters or a length that STS does not take`)
  }
}
