/**
 * ~/.aws/sso/cache, where the AWS CLI, the SDKs and cloudtoken share the token of a sign-in at IAM Identity Center: a
 * JSON file, named after the SHA-1 of the sso-session's name, or of the start URL where it has none.
 */
import { createHash } from 'node:crypto'
import path from 'node:path'
import { readText, writeFile } from './files.ts'
import { readFields } from './json.ts'
import { keepSecret } from './log.ts'
import { isSameStart, type Portal } from './sso-portal.ts'
import { awsTime, isKey } from './tokens.ts'

export interface SsoToken {
  readonly accessToken: string
  readonly expiresAt: Date
  /** With it, and with the client that it was given to, a new token is had without a person. */
  readonly refreshToken?: string
  readonly clientId?: string
  readonly clientSecret?: string
  readonly registrationExpiresAt?: Date
}

export function tokenFile(home: string, { session, startUrl }: Pick<Portal, 'session' | 'startUrl'>): string {
  const name = createHash('sha1')
    .update(session ?? startUrl)
    .digest('hex')
  return path.join(home, '.aws', 'sso', 'cache', `${name}.json`)
}

/** `undefined` where there is none, or none for this portal: the file of a name may be of an earlier start URL. */
export function readToken(file: string, portal: Pick<Portal, 'startUrl'>): SsoToken | undefined {
  const kept = readFields(readText(file))
  const accessToken = textOf(kept['accessToken'])
  const expiresAt = dateOf(kept['expiresAt'])
  const startUrl = textOf(kept['startUrl'])
  if (!isKey(accessToken) || !expiresAt || !isSameStart(startUrl ?? portal.startUrl, portal.startUrl)) return undefined
  const refreshToken = textOf(kept['refreshToken'])
  const clientId = textOf(kept['clientId'])
  const clientSecret = textOf(kept['clientSecret'])
  const registrationExpiresAt = dateOf(kept['registrationExpiresAt'])
  const token: SsoToken = {
    accessToken,
    expiresAt,
    ...(refreshToken && { refreshToken }),
    ...(clientId && { clientId }),
    ...(clientSecret && { clientSecret }),
    ...(registrationExpiresAt && { registrationExpiresAt }),
  }
  hide(token)
  return token
}

/** The keys and times as the AWS CLI writes them; 0600. */
export function writeToken(file: string, { startUrl, region }: Portal, token: SsoToken): void {
  hide(token)
  const { accessToken, expiresAt, clientId, clientSecret, registrationExpiresAt, refreshToken } = token
  const kept = {
    startUrl,
    region,
    accessToken,
    expiresAt: awsTime(expiresAt),
    ...(clientId && { clientId }),
    ...(clientSecret && { clientSecret }),
    ...(registrationExpiresAt && { registrationExpiresAt: awsTime(registrationExpiresAt) }),
    ...(refreshToken && { refreshToken }),
  }
  writeFile(file, JSON.stringify(kept))
}

function hide({ accessToken, refreshToken, clientSecret }: SsoToken): void {
  for (const secret of [accessToken, refreshToken, clientSecret]) if (secret !== undefined) keepSecret(secret)
}

/** Older versions of the AWS CLI wrote `2020-06-17T10:02:08UTC`. */
function dateOf(value: unknown): Date | undefined {
  const time = typeof value === 'string' ? Date.parse(value.replace(/UTC$/, 'Z')) : Number.NaN
  return Number.isNaN(time) ? undefined : new Date(time)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
