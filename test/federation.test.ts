import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createServer } from 'node:http'
import { listen, readForm, type Loopback } from '../scripts/demo-http.ts'
import { consoleUrl, destinationOf } from '../src/federation.ts'
import { createHttp } from '../src/http.ts'
import { createLog, redact } from '../src/log.ts'
import type { Credentials } from '../src/types.ts'
import { failureOf } from './failure.ts'

const credentials = (partition = 'aws'): Credentials => ({
  accessKeyId: 'ASIAKEY',
  secretAccessKey: 'secret/+ &key',
  sessionToken: 'token==',
  expiration: new Date('2026-03-01T11:00:00Z'),
  issued: new Date('2026-03-01T10:00:00Z'),
  roleArn: `arn:${partition}:iam::123456789012:role/Admin`,
  accountId: '123456789012',
})

let server: Loopback
let requests: Record<string, string>[]
let answers: (readonly [status: number, body: string])[]
let problems: string[]
let said: string

beforeEach(async () => {
  requests = []
  problems = []
  answers = []
  said = ''
  server = await listen(
    createServer(async (request, response) => {
      if (request.method !== 'POST' || request.url !== '/federation') problems.push(`${request.method} ${request.url}`)
      if (request.headers['content-type'] !== 'application/x-www-form-urlencoded') problems.push('content type')
      requests.push(Object.fromEntries(await readForm(request)))
      const [status, body] = answers.shift() ?? [500, 'nothing queued']
      response.writeHead(status).end(body)
    }),
  )
})
afterEach(async () => {
  await server.stop()
  expect(problems).toEqual([])
})

const log = createLog({ debug: true, stderr: text => (said += text) })

function urlOf(destination: string): Promise<string> {
  return consoleUrl({
    credentials: credentials(),
    destination,
    durationSeconds: 7200,
    issuer: 'https://idp.example.com',
    env: { AWS_ENDPOINT_URL_SIGNIN: server.origin },
    http: createHttp({ log }),
    log,
  })
}

describe('the sign-in URL', () => {
  test('keys go in the body, the URL holds the token alone, every value percent-encoded', async () => {
    answers = [[200, '{"SigninToken":"tok/en +1=="}']]
    const url = await urlOf('https://eu-west-1.console.aws.amazon.com/x/home?region=eu-west-1#logs:a b')
    expect(requests).toEqual([
      {
        Action: 'getSigninToken',
        SessionDuration: '7200',
        Session: '{"sessionId":"ASIAKEY","sessionKey":"secret/+ &key","sessionToken":"token=="}',
      },
    ])
    expect(url).toBe(
      `${server.origin}/federation?Action=login&Issuer=https%3A%2F%2Fidp.example.com` +
        '&Destination=https%3A%2F%2Feu-west-1.console.aws.amazon.com%2Fx%2Fhome%3Fregion%3Deu-west-1%23logs%3Aa%20b' +
        '&SigninToken=tok%2Fen%20%2B1%3D%3D',
    )
    expect(redact(`go to ${url}`)).toBe('go to *****')
    expect(said).not.toMatch(/secret|tok\/en|tok%2Fen|ASIAKEY/)
  })

  test('a length that AWS does not take is left out, once', async () => {
    answers = [
      [400, ''],
      [200, '{"SigninToken":"t"}'],
    ]
    expect(await urlOf('https://console.aws.amazon.com/')).toEndWith('&SigninToken=t')
    expect(requests.map(request => request['SessionDuration'])).toEqual(['7200', undefined])
  })

  test.each([
    [[400, 400], 'sts', 'federation-refused'],
    [[403], 'sts', 'federation-refused'],
    [[503], 'network', 'federation-unreadable'],
    [[200], 'network', 'federation-unreadable'],
  ] as const)('answers %p are refused as %s', async (statuses, kind, code) => {
    answers = statuses.map(status => [status, '<html>no</html>'])
    const error = await failureOf(() => urlOf('https://console.aws.amazon.com/'))
    expect([error.kind, error.code]).toEqual([kind, code])
    expect(requests).toHaveLength(statuses.length)
  })

  test('credentials do not travel in the clear', async () => {
    const options = { credentials: credentials(), destination: 'https://x/', durationSeconds: 900, issuer: 'x', log }
    const env = { AWS_ENDPOINT_URL_SIGNIN: 'http://signin.example.com' }
    expect((await failureOf(() => consoleUrl({ ...options, env, http: createHttp() }))).code).toBe('insecure')
    const wrong = { AWS_ENDPOINT_URL_SIGNIN: 'nowhere' }
    expect((await failureOf(() => consoleUrl({ ...options, env: wrong, http: createHttp() }))).kind).toBe('config')
  })
})

describe('where it leads', () => {
  test.each([
    ['aws', undefined, undefined, 'https://console.aws.amazon.com/console/home'],
    ['aws', 's3', undefined, 'https://console.aws.amazon.com/s3/home'],
    ['aws', 'ec2', 'eu-west-1', 'https://eu-west-1.console.aws.amazon.com/ec2/home?region=eu-west-1'],
    ['aws', 'DynamoDB', undefined, 'https://console.aws.amazon.com/dynamodbv2/home'],
    ['aws', 'route53', undefined, 'https://console.aws.amazon.com/route53/v2/home'],
    [
      'aws',
      '/s3/buckets/my-bucket?tab=objects',
      undefined,
      'https://console.aws.amazon.com/s3/buckets/my-bucket?tab=objects',
    ],
    [
      'aws',
      'logs',
      'eu-west-1',
      'https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups',
    ],
    [
      'aws-us-gov',
      'ec2',
      'us-gov-east-1',
      'https://us-gov-east-1.console.amazonaws-us-gov.com/ec2/home?region=us-gov-east-1',
    ],
    ['aws-cn', 'rds', undefined, 'https://console.amazonaws.cn/rds/home'],
    // A region of another partition is passed over.
    ['aws-cn', 'rds', 'eu-west-1', 'https://cn-north-1.console.amazonaws.cn/rds/home?region=cn-north-1'],
    ['aws-eusc', 'ec2', undefined, 'https://console.amazonaws-eusc.eu/ec2/home'],
  ])('%s %s %s', (partition, service, region, url) => {
    expect(destinationOf(credentials(partition), service, region)).toBe(url)
  })

  test.each(['@evil.example', ':80/', 'a b', '//evil.example', '\\evil', ''])('%p is no service', async service => {
    const url = await (async () => destinationOf(credentials(), service))().catch((error: unknown) => error)
    if (typeof url === 'string') expect(new URL(url).host).toBe('console.aws.amazon.com')
    else expect(url).toMatchObject({ kind: 'usage' })
  })

  test('a console that is not public, a partition that is not known', async () => {
    expect((await failureOf(() => destinationOf(credentials('aws-iso')))).code).toBe('console-unknown')
    expect((await failureOf(() => destinationOf(credentials('aws-x')))).code).toBe('partition-unknown')
  })
})
