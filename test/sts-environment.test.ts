/**
 * T09: nothing of this machine's AWS configuration reaches the calls. The files are named pipes that nobody writes
 * to: whoever opens one waits for ever.
 */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { assumed, identity, startFakeSts, type FakeSts } from './fake-sts.ts'
import { providerArn, roleArn, samlResponse } from './saml.ts'

let sts: FakeSts
let home: string

beforeEach(async () => {
  sts = await startFakeSts()
  home = mkdtempSync(join(tmpdir(), 'cloudtoken-sts-'))
  mkdirSync(join(home, '.aws'))
})
afterEach(async () => {
  rmSync(home, { recursive: true })
  await sts.stop()
})

const source = (file: string): string => JSON.stringify(join(import.meta.dirname, '..', 'src', file))

/** Both calls, as a program of its own: the SDK reads the real environment. */
const program = `
  import { assumeRoleWithSaml, callerIdentity } from ${source('sts.ts')}
  import { createHttp } from ${source('http.ts')}
  import { createLog } from ${source('log.ts')}
  const { TEST_STS: url, TEST_RESPONSE: response } = process.env
  const role = { roleArn: '${roleArn('Admin')}', providerArn: '${providerArn()}' }
  const options = { env: { AWS_ENDPOINT_URL_STS: url }, http: createHttp(), now: () => Date.now(), log: createLog() }
  const credentials = await assumeRoleWithSaml({ role, response, ...options })
  const { arn } = await callerIdentity(credentials, options)
  console.log(credentials.accessKeyId, arn)
`

/** The SDK as it is: the trap has to catch it. */
const control = `
  import { STSClient, GetCallerIdentityCommand } from '@aws-sdk/client-sts'
  await new STSClient({ endpoint: process.env.TEST_STS }).send(new GetCallerIdentityCommand({}))
`

/** `undefined` when it did not end in time. */
function execute(text: string, env: Record<string, string>, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const cwd = join(import.meta.dirname, '..')
    const { PATH = '' } = process.env
    const all = { PATH, HOME: home, TEST_STS: sts.url, TEST_RESPONSE: samlResponse(), ...env }
    const child = spawn(process.execPath, ['-e', text], { cwd, env: all, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, timeoutMs)
    child.stdout.on('data', chunk => (output += chunk))
    child.stderr.on('data', chunk => (output += chunk))
    child.on('error', reject)
    child.on('close', () => {
      clearTimeout(timer)
      resolve(late ? undefined : output)
    })
  })
}

const garbage = {
  AWS_PROFILE: 'missing',
  AWS_DEFAULT_PROFILE: 'missing',
  AWS_REGION: '../nowhere',
  AWS_DEFAULT_REGION: '!',
  AWS_ENDPOINT_URL: 'http://127.0.0.1:1',
  AWS_CA_BUNDLE: '/nonexistent',
  AWS_ACCESS_KEY_ID: 'stale',
  AWS_SECRET_ACCESS_KEY: 'stale',
  AWS_SESSION_TOKEN: 'stale',
  AWS_WEB_IDENTITY_TOKEN_FILE: '/nonexistent',
  AWS_ROLE_ARN: 'junk',
  AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:1',
  AWS_MAX_ATTEMPTS: 'many',
  AWS_RETRY_MODE: 'bogus',
  AWS_DEFAULTS_MODE: 'bogus',
  AWS_USE_FIPS_ENDPOINT: 'maybe',
  AWS_USE_DUALSTACK_ENDPOINT: 'maybe',
  AWS_STS_REGIONAL_ENDPOINTS: 'bogus',
  AWS_AUTH_SCHEME_PREFERENCE: 'bogus',
  AWS_SIGV4A_SIGNING_REGION_SET: '*',
  AWS_SDK_UA_APP_ID: 'x'.repeat(200),
}
const arn = 'arn:aws:sts::123456789012:assumed-role/Admin/ada@example.com'
const good = `ASIAFAKEFAKEFAKEFAKE ${arn}\n`

describe('T09 the AWS configuration of this machine', () => {
  test('is never opened', async () => {
    for (const file of ['config', 'credentials']) execFileSync('mkfifo', [join(home, '.aws', file)])
    sts.queue('AssumeRoleWithSAML', assumed())
    sts.queue('GetCallerIdentity', identity(arn))
    expect(await execute(program, { AWS_PROFILE: 'missing' }, 10_000)).toBe(good)
  }, 15_000)

  test('while the SDK left to itself would', async () => {
    for (const file of ['config', 'credentials']) execFileSync('mkfifo', [join(home, '.aws', file)])
    expect(await execute(control, {}, 1500)).toBeUndefined()
  })

  test('does not matter, files and variables full of nonsense', async () => {
    for (const file of ['config', 'credentials']) writeFileSync(join(home, '.aws', file), '[broken\n\0= =\nprofile')
    sts.queue('AssumeRoleWithSAML', assumed())
    sts.queue('GetCallerIdentity', identity(arn))
    expect(await execute(program, garbage, 10_000)).toBe(good)
    expect(sts.requests[1]?.headers['authorization']).toContain('Credential=ASIAFAKEFAKEFAKEFAKE/')
    expect(sts.requests[1]?.headers['authorization']).toContain('/us-east-1/sts/')
  }, 15_000)
})
