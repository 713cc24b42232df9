/**
 * From credentials to the AWS console: a sign-in token from the federation endpoint, and the URL that spends it.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html
 */
import { isUserArn, partitionOf, regionFor, signInOrigin, type Partition } from './arn.ts'
import { failure, type Failure } from './errors.ts'
import type { Http } from './http.ts'
import { readFields } from './json.ts'
import { keepSecret, type Log } from './log.ts'
import type { Credentials } from './types.ts'

export interface ConsoleUrl {
  readonly credentials: Credentials
  /** Where in the console; see `destinationOf`. */
  readonly destination: string
  /** Seconds, 900 to 43200. Where AWS does not take a length, as for chained sessions, the session ends with the credentials. */
  readonly durationSeconds: number
  /** Where people sign in again when the session is over. */
  readonly issuer: string
  readonly region?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly http: Http
  readonly log: Pick<Log, 'debug'>
}

/**
 * A URL that signs in whoever opens it, for fifteen minutes: as good as a password. Fails with kind `sts` when AWS refuses,
 * `network` when it gives no answer. The credentials go there in the body, so that no address holds them.
 */
export async function consoleUrl(options: ConsoleUrl): Promise<string> {
  const { credentials, destination, issuer, region, env } = options
  if (isUserArn(credentials.roleArn)) {
    throw failure('sts', 'AWS opens its console for the session of a role, not for that of a user', {
      hint: '--chain ROLE_ARN',
    })
  }
  const partition = knownPartition(credentials)
  const origin = env['AWS_ENDPOINT_URL_SIGNIN'] || signInOrigin(partition, region)
  if (!URL.canParse(origin)) {
    throw failure('config', 'AWS_ENDPOINT_URL_SIGNIN is not a URL', { hint: 'unset AWS_ENDPOINT_URL_SIGNIN' })
  }
  const endpoint = new URL('/federation', origin).href
  const token = await signInToken(endpoint, options)
  const query = { Action: 'login', Issuer: issuer, Destination: destination, SigninToken: token }
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
  const url = `${endpoint}?${pairs.join('&')}`
  keepSecret(url)
  return url
}

/**
 * An address in the console of the partition: `service` is a service by its usual name or a path such as
 * `s3/buckets/NAME`. Fails with `config` where the partition's console is not public, `usage` for what is no path.
 */
export function destinationOf(credentials: Credentials, service?: string, region?: string): string {
  const partition = knownPartition(credentials)
  const host = partition.consoleHost
  if (host === undefined) {
    throw failure('config', `the address of the console of ${partition.name} is not public`, {
      code: 'console-unknown',
    })
  }
  const place = region ? regionFor(partition, region) : undefined
  const path = pathOf(service ?? 'console')
  const url = new URL(`https://${place === undefined ? '' : `${place}.`}${host}/${path}`)
  if (url.host !== `${place === undefined ? '' : `${place}.`}${host}`) throw noService(service)
  if (place !== undefined && !url.searchParams.has('region')) url.searchParams.set('region', place)
  return url.href
}

/** What people call a service, where its address calls it something else. */
const nicknames: Readonly<Record<string, string>> = {
  cfn: 'cloudformation',
  cw: 'cloudwatch',
  ddb: 'dynamodbv2',
  dynamodb: 'dynamodbv2',
  eb: 'elasticbeanstalk',
  logs: 'cloudwatch/home#logsV2:log-groups',
  r53: 'route53/v2',
  route53: 'route53/v2',
  sfn: 'states',
  sm: 'secretsmanager',
  ssm: 'systems-manager',
  stepfunctions: 'states',
  vpc: 'vpcconsole',
}

function pathOf(service: string): string {
  const known = Object.hasOwn(nicknames, service.toLowerCase()) ? nicknames[service.toLowerCase()] : undefined
  const path = known ?? service.replace(/^\/+/, '')
  if (!/^[A-Za-z0-9][\w/.:?=&#%+~-]*$/.test(path)) throw noService(service)
  return /[/?#]/.test(path) && path !== 'route53/v2' ? path : `${path}/home`
}

function noService(service: string | undefined): Failure {
  const message = `${JSON.stringify(service)} is no service of the console`
  return failure('usage', message, { hint: '--service s3, or a path in the console' })
}

function knownPartition(credentials: Credentials): Partition {
  const partition = partitionOf(credentials.roleArn)
  if (partition) return partition
  throw failure('config', `the partition of ${credentials.roleArn} is not known`, { code: 'partition-unknown' })
}

async function signInToken(endpoint: string, options: ConsoleUrl): Promise<string> {
  const { credentials, durationSeconds, http, log } = options
  const Session = JSON.stringify({
    sessionId: credentials.accessKeyId,
    sessionKey: credentials.secretAccessKey,
    sessionToken: credentials.sessionToken,
  })
  const ask = (fields: Readonly<Record<string, string>>): ReturnType<Http['request']> =>
    http.request({
      url: endpoint,
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: new URLSearchParams({ Action: 'getSigninToken', ...fields, Session }).toString(),
      sensitive: true,
    })
  let answer = await ask({ SessionDuration: String(durationSeconds) })
  if (answer.status === 400) {
    log.debug('AWS takes no length for a console session of these credentials; asking without')
    answer = await ask({})
  }
  if (answer.status === 200) {
    const token = tokenIn(answer.text)
    if (token === undefined) throw unreadable(endpoint)
    keepSecret(token)
    return token
  }
  if (answer.status >= 500) throw unreadable(endpoint, answer.status)
  throw failure('sts', `AWS opens no console session for ${credentials.roleArn} (HTTP ${answer.status})`, {
    hint: 'sign in again: cloudtoken; the credentials must be those of a role and not have expired',
    code: 'federation-refused',
  })
}

function tokenIn(text: string): string | undefined {
  const { SigninToken: token } = readFields(text)
  return typeof token === 'string' && token !== '' ? token : undefined
}

function unreadable(endpoint: string, status?: number): Failure {
  const message = `the answer from ${endpoint} holds no sign-in token${status ? ` (HTTP ${status})` : ''}`
  return failure('network', message, { hint: 'try again in a minute', code: 'federation-unreadable' })
}
