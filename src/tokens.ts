/**
 * Credentials as files and the metadata service show them: eleven keys, as the first Cloudtoken wrote them.
 */
import { accountOf, isRoleArn, isUserArn } from './arn.ts'
import { readJson } from './json.ts'
import type { Credentials, Role } from './types.ts'

/** Content of `tokens.json`; the names of the metadata service where it has one. Times as `awsTime` writes them. */
export interface Tokens {
  readonly AccessKeyId: string
  readonly AccountId: string
  readonly Code: 'Success'
  readonly Expiration: string
  readonly Issuer: string
  /** ARN of the role. */
  readonly LastRole: string
  readonly LastUpdated: string
  /** ARN of the provider; empty when the role was not assumed with SAML. */
  readonly SAMLProvider: string
  readonly SecretAccessKey: string
  readonly Token: string
  readonly Type: 'AWS-HMAC'
}

/** `YYYY-MM-DDTHH:MM:SSZ`. The fraction is cut off: some SDKs refuse it, and a time is never stretched. */
export function awsTime(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z')
}

/** For a person: `14:05`, or with the date when it is another day. */
export function localTime(date: Date, now = Date.now()): string {
  const today = new Date(now).toDateString() === date.toDateString()
  return date.toLocaleString('sv-SE', today ? { timeStyle: 'short' } : { dateStyle: 'short', timeStyle: 'short' })
}

export function toTokens(credentials: Credentials): Tokens {
  return {
    AccessKeyId: credentials.accessKeyId,
    AccountId: credentials.accountId,
    Code: 'Success',
    Expiration: awsTime(credentials.expiration),
    Issuer: credentials.issuer ?? '',
    LastRole: credentials.roleArn,
    LastUpdated: awsTime(credentials.issued),
    SAMLProvider: credentials.samlProvider ?? '',
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Type: 'AWS-HMAC',
  }
}

/** The same as text, with what only we need to renew them. */
export function toCache(credentials: Credentials): string {
  const { sourceRole } = credentials
  return JSON.stringify({ ...toTokens(credentials), ...(sourceRole && { SourceRole: sourceRole }) })
}

/** Reads what `toTokens` or `toCache` wrote, or the original. Anything incomplete or odd is `undefined`, never half a set. */
export function fromTokens(text: string): Credentials | undefined {
  const values = parse(text)
  if (!values) return undefined
  const word = (key: string): string => {
    const value = values[key]
    return typeof value === 'string' ? value : ''
  }
  const accessKeyId = word('AccessKeyId')
  const secretAccessKey = word('SecretAccessKey')
  const sessionToken = word('Token')
  const roleArn = word('LastRole')
  const expiration = parseTime(word('Expiration'))
  const issued = parseTime(word('LastUpdated'))
  if (![accessKeyId, secretAccessKey, sessionToken].every(isKey)) return undefined
  if (!(isRoleArn(roleArn) || isUserArn(roleArn)) || !expiration || !issued) return undefined
  const samlProvider = printable(word('SAMLProvider'))
  const issuer = printable(word('Issuer'))
  const sourceRole = readRole(values['SourceRole'])
  return {
    accessKeyId,
    secretAccessKey,
    sessionToken,
    expiration,
    issued,
    roleArn,
    accountId: accountOf(roleArn),
    ...(samlProvider && { samlProvider }),
    ...(issuer && { issuer }),
    ...(sourceRole && { sourceRole }),
  }
}

/** Keys end in shells, INI files and headers: no blanks, no line ends, no control characters. */
export function isKey(value: unknown): value is string {
  return typeof value === 'string' && /^[!-~]+$/.test(value)
}

/** A set that went through JSON, which has no dates. */
export function revived(credentials: Credentials): Credentials {
  const { issued, expiration } = credentials
  return { ...credentials, issued: new Date(issued), expiration: new Date(expiration) }
}

function readRole(value: unknown): Role | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { roleArn, providerArn }: Partial<Record<keyof Role, unknown>> = value
  const good =
    typeof roleArn === 'string' && (isRoleArn(roleArn) || isUserArn(roleArn)) && typeof providerArn === 'string'
  return good ? { roleArn, providerArn } : undefined
}

function parse(text: string): Record<string, unknown> | undefined {
  const value = readJson(text)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
}

function printable(value: string): string {
  return /^\P{Control}*$/u.test(value) ? value : ''
}

/** ISO 8601 with seconds, in UTC unless it says otherwise, as SAML and AWS write it; `undefined` for all else. */
export function parseTime(text: string): Date | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/.exec(text.trim())
  if (!match) return undefined
  const date = new Date(`${match[1]}${match[2]?.slice(0, 4) ?? ''}${match[3] ?? 'Z'}`)
  return Number.isNaN(date.getTime()) ? undefined : date
}
