/**
 * Real clients of AWS under `exec`, and at the daemon's container endpoint. STS is the demo's, with sessions that end
 * within seconds and keys that are refused from then on.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { python } from '../../scripts/components.ts'
import { startDemoSts, type DemoSts } from '../../scripts/demo-sts.ts'
import { makePlace, password, roles, type Place, type Result } from '../e2e/cli.ts'
import { present } from './present.ts'

const root = join(import.meta.dirname, '../..')
const life = 6
const work = 15

let place: Place
let short: DemoSts
beforeAll(async () => {
  place = await makePlace()
  short = await startDemoSts({ seconds: life })
})
afterAll(async () => {
  await short.stop()
  await place.stop()
})

type Env = Readonly<Record<string, string>>

function exec(words: readonly string[], env: Env = {}): Promise<Result> {
  const HOME = mkdtempSync(join(place.home, 'home-'))
  const all = { HOME, CLOUDTOKEN_PASSWORD: password, ...env }
  return place.run(['exec', '--role', 'User-Role', '--region', 'eu-west-1', ...words], { env: all, cwd: root })
}

/** A home whose `[default]` would win over any endpoint. */
function homeWithDefault(): string {
  const home = mkdtempSync(join(place.home, 'home-'))
  mkdirSync(join(home, '.aws'))
  const keys = 'aws_access_key_id = AKIAWRONG\naws_secret_access_key = wrong\n'
  writeFileSync(join(home, '.aws/credentials'), `[default]\n${keys}`)
  return home
}

const arn = ':assumed-role/User-Role/'
const javascript = `
  import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
  const client = new STSClient({})
  const who = async () => (await client.send(new GetCallerIdentityCommand({}))).Arn
`

const aws = (): string[] => [
  ...[python('aws') ?? 'aws', 'sts', 'get-caller-identity', '--output', 'text'],
  ...['--endpoint-url', place.sts.origin],
]

describe.skipIf(!(await present('cli')))('the AWS CLI', () => {
  test.each([[[]], [['--serve']]])('exec %p', async mode => {
    const { stdout, stderr, code } = await exec([...mode, '--', ...aws()])
    expect([code, stdout, stderr]).toEqual([0, expect.stringContaining(arn), ''])
  })

  test('--serve beside keys of [default]', async () => {
    const words = ['--serve', '--', ...aws()]
    const { code, stdout } = await exec(words, { HOME: homeWithDefault() })
    expect([code, stdout]).toEqual([0, expect.stringContaining(arn)])
  })
})

describe.skipIf(!(await present('boto3')))('boto3', () => {
  test(`one client works for ${work} s with sessions of ${life} s`, async () => {
    const program = `
import boto3, time
client = boto3.client('sts')
keys, end = set(), time.time() + ${work}
while time.time() < end:
    assert '${arn}' in client.get_caller_identity()['Arn']
    keys.add(client._request_signer._credentials.access_key)
    time.sleep(0.3)
print(len(keys))
`
    const words = ['--serve', '--refresh-interval', '2', '--', python('python3') ?? 'python3', '-c', program]
    const { code, stdout, stderr } = await exec(words, { AWS_ENDPOINT_URL_STS: short.origin })
    expect([code, stderr]).toEqual([0, ''])
    expect(Number(stdout)).toBeGreaterThan(2)
  })

  test('with keys in the environment the same work does not', async () => {
    const program = `
import boto3, time
client = boto3.client('sts')
for _ in range(${work}):
    client.get_caller_identity()
    time.sleep(1)
`
    const { code, stderr } = await exec(['--', python('python3') ?? 'python3', '-c', program], {
      AWS_ENDPOINT_URL_STS: short.origin,
    })
    expect([code, stderr]).toEqual([1, expect.stringMatching(/expired/i)])
  })
})

describe('the SDK for JavaScript', () => {
  const bun = (body: string): string[] => ['--', process.execPath, '-e', javascript + body]

  test.each([[[]], [['--serve']]])('exec %p', async mode => {
    const { stdout, stderr, code } = await exec([...mode, ...bun('console.log(await who())')])
    expect([code, stdout, stderr]).toEqual([0, expect.stringContaining(arn), ''])
  })

  test(`one client works for ${work} s with sessions of ${life} s`, async () => {
    const body = `
      for (const end = Date.now() + ${work * 1000}; Date.now() < end; await Bun.sleep(300)) await who()
      console.log(await who())
    `
    const { code, stdout } = await exec(['--serve', '--refresh-interval', '2', ...bun(body)], {
      AWS_ENDPOINT_URL_STS: short.origin,
    })
    expect([code, stdout]).toEqual([0, expect.stringContaining(arn)])
  })

  test('fromContainerMetadata, which knows the token but no file of it', async () => {
    const body = `
      import { fromContainerMetadata } from '@smithy/credential-provider-imds'
      import { readFileSync } from 'node:fs'
      process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN = readFileSync(process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, 'utf8')
      const own = new STSClient({ credentials: fromContainerMetadata() })
      console.log((await own.send(new GetCallerIdentityCommand({}))).Arn)
    `
    const { code, stdout } = await exec(['--serve', ...bun(body)])
    expect([code, stdout]).toEqual([0, expect.stringContaining(arn)])
  })
})

describe.skipIf(!(await present('cli', 'boto3')))('the container endpoint of the daemon', () => {
  test('two roles at once, each with its own two variables', async () => {
    const env = { HOME: mkdtempSync(join(place.home, 'home-')), CLOUDTOKEN_PASSWORD: password }
    const words = ['-d', '--listen', '127.0.0.1:0', '--container-endpoint', '127.0.0.1:0']
    const daemon = place.start([...words, '--role', 'User-Role', '--also-role', 'Read-Only-Role'], { env })
    const shown = await daemon.seen(/AWS_EC2_METADATA_SERVICE_ENDPOINT=/)
    const pairs = [...shown.matchAll(/^(AWS_CONTAINER_\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value])
    const client = async (from: number, program: readonly string[]): Promise<string> => {
      const child = Bun.spawn([...program], {
        env: {
          ...place.env,
          AWS_REGION: 'eu-west-1',
          AWS_DEFAULT_REGION: 'eu-west-1',
          ...Object.fromEntries(pairs.slice(from, from + 2)),
        },
        cwd: root,
        stdout: 'pipe',
      })
      return await new Response(child.stdout).text()
    }
    const clients = [
      [...aws(), '--query', 'Arn'],
      [python('python3') ?? 'python3', '-c', "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"],
      [process.execPath, '-e', `${javascript}console.log(await who())`],
    ]
    for (const program of clients) {
      expect(await client(0, program)).toContain(`:assumed-role/${roles[2]?.split('/')[1]}/`)
      expect(await client(2, program)).toContain(`:assumed-role/${roles[0]?.split('/')[1]}/`)
    }
    daemon.child.kill('SIGTERM')
    expect((await daemon.done).code).toBe(0)
  })
})
