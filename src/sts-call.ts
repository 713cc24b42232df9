/**
 * What all calls of STS that hand out credentials have in common: where to call, how long, and what comes back.
 */
import type { STSClient } from '@aws-sdk/client-sts'
import { accountOf, partitionOf, regionFor, roleName, stsEndpoint } from './arn.ts'
import { failure } from './errors.ts'
import type { Http } from './http.ts'
import { keepSecret, type Log } from './log.ts'
import { clockNote, shorterDuration, stsFailure, type StsCall } from './sts-errors.ts'
import { isKey } from './tokens.ts'
import type { AccessKey, Credentials } from './types.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface StsOptions {
  /** `--region`; one of another partition than the role's is passed over. */
  readonly region?: string | undefined
  readonly env: Env
  readonly http: Http
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly log: Pick<Log, 'warn' | 'info' | 'debug'>
  readonly signal?: AbortSignal | undefined
}

/** What a session may do at most: it can never do more than its role. */
export interface SessionScope {
  /** A policy document, JSON. */
  readonly policy?: string | undefined
  /** Managed policies, at most ten. */
  readonly policyArns?: readonly string[]
}

export interface Assume extends StsOptions {
  readonly call: Omit<StsCall, 'endpoint' | 'region' | 'skewMs'>
  /** Seconds to ask for. */
  readonly seconds: number
  /** The option with which a person asked for this length; without one nobody is told that it had to be shorter. */
  readonly askedWith?: string | undefined
  /** Signs the call; without them it is unsigned. */
  readonly credentials?: AccessKey
  readonly send: (client: STSClient, seconds: number) => Promise<AssumeResult>
  /** Goes into the credentials beside what STS says. */
  readonly origin?: Pick<Credentials, 'samlProvider' | 'issuer'>
}

interface AssumeResult {
  readonly Credentials?:
    | {
        readonly AccessKeyId: string | undefined
        readonly SecretAccessKey: string | undefined
        readonly SessionToken: string | undefined
        readonly Expiration: Date | undefined
      }
    | undefined
  readonly AssumedRoleUser?: { readonly Arn: string | undefined } | undefined
  /** Of AssumeRoleWithSAML, of AssumeRoleWithWebIdentity. */
  readonly Issuer?: string | undefined
  readonly Provider?: string | undefined
}

/**
 * One call until it is settled: a duration that the role does not allow is shortened rather than refused, with a warning
 * if the person asked for it. Fails with kind `sts` and the AWS code, or `network` when STS gives no answer.
 */
export async function assume(options: Assume): Promise<Credentials> {
  const { call, credentials, http, log, now, signal, askedWith } = options
  let { seconds } = options
  const target = findTarget(call.roleArn, options)
  const { createSts } = await import('./sts-client.ts')
  let skewMs: number | undefined
  const onDate = (date: Date): void => void (skewMs = now() - date.getTime())
  const client = createSts({ ...target, http, onDate, ...(credentials && { credentials: keysOf(credentials) }) })
  for (;;) {
    log.debug(`asking ${target.endpoint} for ${call.roleArn}, ${seconds} seconds`)
    try {
      const result = await abortable(() => options.send(client, seconds), signal)
      const clock = clockNote(skewMs, 5 * 60_000)
      if (clock) log.warn(`${clock}, and AWS refuses requests more than 5 minutes off`, 'set the clock of this machine')
      return readCredentials(result, options)
    } catch (error) {
      signal?.throwIfAborted()
      const shorter = shorterDuration(error, seconds)
      if (shorter === undefined) throw stsFailure(error, { ...target, ...call, skewMs })
      const message = `${roleName(call.roleArn)} does not allow sessions of ${seconds} seconds; asking for ${shorter}`
      if (askedWith === undefined) log.info(message)
      else log.warn(message, `${askedWith} ${shorter}`)
      seconds = shorter
    }
  }
}

/** As the SDK spells it; the key is left out where there is none. */
export function scopeParameters({ policy, policyArns = [] }: SessionScope): {
  Policy?: string
  PolicyArns?: { arn: string }[]
} {
  return {
    ...(policy !== undefined && { Policy: policy }),
    ...(policyArns.length > 0 && { PolicyArns: policyArns.map(arn => ({ arn })) }),
  }
}

/** Long-term keys have no token. */
export function keysOf({ accessKeyId, secretAccessKey, sessionToken }: AccessKey): AccessKey {
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) }
}

/** `undefined` stays so; outside 900 to 43200 seconds STS would refuse, and so do we, before anybody signs in. */
export function checkDuration(seconds: number | undefined): number | undefined {
  if (seconds === undefined || (Number.isInteger(seconds) && seconds >= 900 && seconds <= 43_200)) return seconds
  throw failure('usage', `--session-duration must be 900 to 43200 seconds, not ${seconds}`, {
    hint: '--session-duration 3600',
  })
}

/** The call itself goes on to its end, but nobody waits for it. */
export async function abortable<T>(call: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
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
export function findTarget(
  roleArn: string,
  { region: wish, env }: Pick<StsOptions, 'region' | 'env'>,
): Pick<StsCall, 'endpoint' | 'region'> {
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

function readCredentials(result: AssumeResult, { call, now, origin }: Assume): Credentials {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = result.Credentials ?? {}
  if (!isKey(AccessKeyId) || !isKey(SecretAccessKey) || !isKey(SessionToken) || !Expiration?.getTime()) {
    throw incomplete()
  }
  keepSecret(SecretAccessKey)
  keepSecret(SessionToken)
  const assumedRoleArn = result.AssumedRoleUser?.Arn
  const issuer = result.Issuer ?? result.Provider
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiration: new Date(Math.floor(Expiration.getTime() / 1000) * 1000),
    issued: new Date(now()),
    roleArn: call.roleArn,
    accountId: accountOf(call.roleArn),
    ...origin,
    ...(issuer && { issuer }),
    ...(assumedRoleArn && { assumedRoleArn }),
  }
}

export function incomplete(): Error {
  return failure('network', 'the answer of STS is incomplete', { hint: 'try again', code: 'sts-unreadable' })
}
