/**
 * Assertions in, credentials out. The SDK is loaded when the first call is made.
 */
import { accountOf, partitionOf, regionFor, roleName, stsEndpoint } from './arn.ts'
import { failure } from './errors.ts'
import type { Http } from './http.ts'
import { keepSecret, type Log } from './log.ts'
import { clockNote, shorterDuration, stsFailure, type StsCall } from './sts-errors.ts'
import type { Credentials, Role } from './types.ts'

export { isExpiredAssertion } from './sts-errors.ts'

type Env = Readonly<Record<string, string | undefined>>

interface StsOptions {
  /** `--region`; one of another partition than the role's is passed over. */
  readonly region?: string | undefined
  readonly env: Env
  readonly http: Http
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly log: Pick<Log, 'warn' | 'info' | 'debug'>
  readonly signal?: AbortSignal | undefined
}

export interface AssumeRoleWithSaml extends StsOptions {
  readonly role: Role
  /** Base64 without white space: `SamlResponse.response`. */
  readonly response: string
  /** Seconds that the person asked for: `--session-duration`. */
  readonly durationSeconds?: number | undefined
  /** Seconds that the assertion suggests: `SamlResponse.sessionDuration`. */
  readonly suggestedSeconds?: number | undefined
}

const defaultSeconds = 3600
/** Limit of the API; IAM has no way around it. */
const maxAssertion = 100_000

/**
 * AssumeRoleWithSAML, unsigned. A duration that the role does not allow is shortened rather than refused, with a
 * warning if the person asked for it. Fails with kind `sts` and the AWS code, `network` when STS gives no answer,
 * `usage` for a duration outside 900 to 43200. `isExpiredAssertion` tells whether a fresh assertion would help.
 */
export async function assumeRoleWithSaml(options: AssumeRoleWithSaml): Promise<Credentials> {
  const { role, response, durationSeconds, log, now, signal } = options
  let seconds = checkDuration(durationSeconds) ?? options.suggestedSeconds ?? defaultSeconds
  if (response.length > maxAssertion) {
    const message = `the SAML response has ${response.length} characters, STS takes ${maxAssertion}: it is too large`
    throw failure('sts', message, {
      hint: 'ask the people who run the identity provider to send fewer roles or attributes',
      code: 'assertion-too-large',
    })
  }
  const target = findTarget(role.roleArn, options)
  const { createSts, AssumeRoleWithSAMLCommand } = await import('./sts-client.ts')
  let skewMs: number | undefined
  const client = createSts({ ...target, http: options.http, onDate: date => (skewMs = now() - date.getTime()) })
  for (;;) {
    const command = new AssumeRoleWithSAMLCommand({
      RoleArn: role.roleArn,
      PrincipalArn: role.providerArn,
      SAMLAssertion: response,
      DurationSeconds: seconds,
    })
    log.debug(`asking ${target.endpoint} for ${role.roleArn}, ${seconds} seconds`)
    try {
      const result = await abortable(() => client.send(command), signal)
      const clock = clockNote(skewMs, 5 * 60_000)
      if (clock) log.warn(`${clock}, and AWS refuses requests more than 5 minutes off`, 'set the clock of this machine')
      return readCredentials(result, role, now())
    } catch (error) {
      signal?.throwIfAborted()
      const shorter = shorterDuration(error, seconds)
      if (shorter === undefined) throw stsFailure(error, { ...target, ...role, skewMs })
      const message = `${roleName(role.roleArn)} does not allow sessions of ${seconds} seconds; asking for ${shorter}`
      if (durationSeconds === undefined) log.info(message)
      else log.warn(message, `--session-duration ${shorter}`)
      seconds = shorter
    }
  }
}

export interface CallerIdentity {
  readonly account: string
  /** `arn:…:sts::ACCOUNT:assumed-role/ROLE/SESSION`. */
  readonly arn: string
  readonly userId: string
}

/** GetCallerIdentity: whom AWS takes these credentials for. Needs no permission. Fails like `assumeRoleWithSaml`. */
export async function callerIdentity(credentials: Credentials, options: StsOptions): Promise<CallerIdentity> {
  const target = findTarget(credentials.roleArn, options)
  const { createSts, GetCallerIdentityCommand } = await import('./sts-client.ts')
  let skewMs: number | undefined
  const onDate = (date: Date): void => void (skewMs = options.now() - date.getTime())
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  const client = createSts({
    ...target,
    http: options.http,
    onDate,
    credentials: { accessKeyId, secretAccessKey, sessionToken },
  })
  try {
    const result = await abortable(() => client.send(new GetCallerIdentityCommand({})), options.signal)
    const { Account: account, Arn: arn, UserId: userId } = result
    if (account && arn && userId) return { account, arn, userId }
    throw incomplete()
  } catch (error) {
    options.signal?.throwIfAborted()
    throw stsFailure(error, { ...target, roleArn: credentials.roleArn, skewMs })
  }
}

/** `undefined` stays so; outside 900 to 43200 seconds STS would refuse, and so do we, before anybody signs in. */
export function checkDuration(seconds: number | undefined): number | undefined {
  if (seconds === undefined || (Number.isInteger(seconds) && seconds >= 900 && seconds <= 43_200)) return seconds
  throw failure('usage', `--session-duration must be 900 to 43200 seconds, not ${seconds}`, {
    hint: '--session-duration 3600',
  })
}

/** The call itself goes on to its end, but nobody waits for it. */
async function abortable<T>(call: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return await call()
  signal.throwIfAborted()
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal.reason)
  signal.addEventListener('abort', abort)
  try {
    return await Promise.race([call(), aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** The regional endpoint of the role's partition, or AWS_ENDPOINT_URL_STS. */
function findTarget(roleArn: string, { region: wish, env }: StsOptions): Pick<StsCall, 'endpoint' | 'region'> {
  const partition = partitionOf(roleArn)
  const override = env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS'] === 'true' ? undefined : env['AWS_ENDPOINT_URL_STS']
  if (override) {
    if (!/^https?:$/.test(URL.canParse(override) ? new URL(override).protocol : '')) {
      throw failure('config', 'AWS_ENDPOINT_URL_STS is not a URL', { hint: 'unset AWS_ENDPOINT_URL_STS' })
    }
    return { endpoint: override, region: partition ? regionFor(partition, wish) : wish || 'us-east-1' }
  }
  if (partition) return { endpoint: stsEndpoint(partition, wish), region: regionFor(partition, wish) }
  throw failure('sts', `the partition of ${roleArn} is not known`, {
    hint: 'name its STS endpoint: AWS_ENDPOINT_URL_STS=https://sts.REGION.DOMAIN cloudtoken',
    code: 'partition-unknown',
  })
}

interface AssumeRoleResult {
  readonly Credentials?:
    | {
        readonly AccessKeyId: string | undefined
        readonly SecretAccessKey: string | undefined
        readonly SessionToken: string | undefined
        readonly Expiration: Date | undefined
      }
    | undefined
  readonly AssumedRoleUser?: { readonly Arn: string | undefined } | undefined
  readonly Issuer?: string | undefined
}

function readCredentials(result: AssumeRoleResult, { roleArn, providerArn }: Role, nowMs: number): Credentials {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = result.Credentials ?? {}
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration || Number.isNaN(Expiration.getTime())) {
    throw incomplete()
  }
  keepSecret(SecretAccessKey)
  keepSecret(SessionToken)
  const assumedRoleArn = result.AssumedRoleUser?.Arn
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiration: new Date(Math.floor(Expiration.getTime() / 1000) * 1000),
    issued: new Date(nowMs),
    roleArn,
    accountId: accountOf(roleArn),
    samlProvider: providerArn,
    ...(result.Issuer && { issuer: result.Issuer }),
    ...(assumedRoleArn && { assumedRoleArn }),
  }
}

function incomplete(): Error {
  return failure('network', 'the answer of STS is incomplete', { hint: 'try again', code: 'sts-unreadable' })
}
