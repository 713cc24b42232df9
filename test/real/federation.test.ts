/**
 * Chains, profiles and jobs as moto and the AWS clients see them.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { webToken } from '../fake-runner.ts'
import { present } from './present.ts'
import { aliceRoles } from './simplesamlphp.ts'
import { makeWorld, whoAmI, type World } from './world.ts'

const ready = await present('simplesamlphp', 'moto', 'boto3', 'aws')

const boto = `
import boto3, json, sys
answers = []
for name in boto3.Session().available_profiles:
    session = boto3.Session(profile_name=name, region_name='us-east-1')
    method = session.get_credentials().method
    answers.append([name, method, session.client('sts').get_caller_identity()['Account']])
print(json.dumps(answers))
`

describe.skipIf(!ready)('from one sign-in to many places', () => {
  let world: World
  beforeAll(async () => {
    world = await makeWorld()
  })
  afterAll(() => world.stop())

  const arnOf = (role: string, account: string): string =>
    `arn:aws:sts::${account}:assumed-role/${role}/alice@example.org`
  // moto tells the account of a SAML session in another account than its own, but not the role.
  const everyone = aliceRoles.map(role => {
    const account = role.split(':')[4] ?? ''
    return [`${account}-${role.split('/').at(-1)}`, account] as const
  })

  test('a chain: the AWS CLI is the last role, under the name of the person', async () => {
    const chain = 'arn:aws:iam::333333333333:role/Audit'
    const { code, stdout } = await world.run(['--role', aliceRoles[0] ?? '', '--chain', chain])
    expect([code, stdout]).toEqual([0, `Using role ${aliceRoles[0]}\nUsing role ${chain}\n`])
    const cli = await world.client('aws', whoAmI(world))
    expect(JSON.parse(cli.stdout).Arn).toBe(arnOf('Audit', '333333333333'))
  })

  test('--all: boto3 finds every role in a profile of its own', async () => {
    const file = join(world.home, 'all-credentials')
    const env = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_CONFIG_FILE: join(world.home, 'none') }
    expect((await world.run(['--all'], { env })).code).toBe(0)
    const { stdout, stderr } = await world.client('python3', ['-c', boto], { ...world.env, ...env })
    expect([JSON.parse(stdout || '[]'), stderr]).toEqual([
      everyone.map(([name, account]) => [name, 'shared-credentials-file', account]),
      '',
    ])
  })

  test('setup-profiles: boto3 and the AWS CLI run what it wrote', async () => {
    const file = join(world.home, 'profiles')
    const env = { AWS_CONFIG_FILE: file, AWS_SHARED_CREDENTIALS_FILE: join(world.home, 'none') }
    expect((await world.run(['setup-profiles', '--region', 'us-east-1'], { env })).code).toBe(0)
    const { stdout, stderr } = await world.client('python3', ['-c', boto], { ...world.env, ...env })
    expect([JSON.parse(stdout || '[]'), stderr]).toEqual([
      everyone.map(([name, account]) => [name, 'custom-process', account]),
      '',
    ])
    const cli = await world.client('aws', [...whoAmI(world), '--profile', '123456789012-admin'], {
      ...world.env,
      ...env,
    })
    expect(JSON.parse(cli.stdout).Arn).toBe(arnOf('admin', '123456789012'))
  })

  test('a job: what --ci-env wrote is all that the next step needs', async () => {
    const [file, token] = [join(world.home, 'github_env'), join(world.home, 'token')]
    writeFileSync(file, '')
    writeFileSync(token, webToken())
    const words = ['--provider', 'web-identity', '--token-file', token, '--role', aliceRoles[1] ?? '', '--ci-env']
    const { code } = await world.run(words, { env: { CI: 'true', GITHUB_ACTIONS: 'true', GITHUB_ENV: file } })
    expect(code).toBe(0)
    const variables = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const)
    const cli = await world.client('aws', whoAmI(world), {
      ...Object.fromEntries(variables),
      AWS_SHARED_CREDENTIALS_FILE: join(world.home, 'none'),
    })
    expect(JSON.parse(cli.stdout).Arn).toStartWith('arn:aws:sts::123456789012:assumed-role/developer/cloudtoken-alice')
  })
})
