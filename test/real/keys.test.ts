/**
 * The keys of a user, as moto's IAM makes them and the AWS CLI writes them down.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { python } from '../../scripts/components.ts'
import { command, makePlace, type Place, type Result } from '../e2e/cli.ts'
import { startMoto, type Moto } from './moto.ts'
import { present } from './present.ts'

const ready = await present('moto', 'boto3', 'cli')
const role = 'arn:aws:iam::210987654321:role/Audit'

describe.skipIf(!ready)('keys of a user of moto', () => {
  let moto: Moto
  let place: Place
  let key: { AccessKeyId: string; SecretAccessKey: string }
  beforeAll(async () => {
    place = await makePlace()
    moto = await startMoto()
    await aws('iam', 'create-user', '--user-name', 'ada')
    key = JSON.parse(await aws('iam', 'create-access-key', '--user-name', 'ada')).AccessKey
    for (const [name, value] of [
      ['aws_access_key_id', key.AccessKeyId],
      ['aws_secret_access_key', key.SecretAccessKey],
    ] as const)
      await aws('configure', 'set', name, value, '--profile', 'base')
  }, 60_000)
  afterAll(async () => {
    await moto.stop()
    await place.stop()
  })

  const env = (): Record<string, string> => ({
    HOME: place.home,
    AWS_ENDPOINT_URL: moto.url,
    AWS_ENDPOINT_URL_STS: moto.url,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    CLOUDTOKEN_URL: '',
  })

  async function aws(...words: string[]): Promise<string> {
    const keys = key ? {} : { AWS_ACCESS_KEY_ID: 'AKIATESTING000000000', AWS_SECRET_ACCESS_KEY: 'testing' }
    const child = Bun.spawn([python('aws') ?? 'aws', ...words, '--output', 'json'], {
      env: { PATH: place.env['PATH'] ?? '', ...env(), ...keys },
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    if ((await child.exited) !== 0) throw new Error(`aws ${words.join(' ')}: ${stderr}`)
    return stdout
  }

  const run = (...words: string[]): Promise<Result> => place.run(words, { env: env() })
  const base = ['--provider', 'profile', '--source-profile', 'base']

  test('a session of the user, in the files that the AWS CLI reads', async () => {
    const { code, stdout } = await run(...base)
    expect([code, stdout]).toEqual([0, 'Using role arn:aws:iam::123456789012:user/ada\n'])
    // moto does not know whose session it is, but that it is none of a role.
    expect(JSON.parse(await aws('sts', 'get-caller-identity')).Arn).toBe('arn:aws:sts::123456789012:user/moto')
    const { Token } = JSON.parse(readFileSync(join(place.home, '.config/cloudtoken/tokens.json'), 'utf8'))
    expect(await aws('configure', 'get', 'aws_session_token')).toBe(`${Token}\n`)
  })

  test('a chain, through a profile that boto3 runs', async () => {
    const config = join(place.home, '.aws/config')
    const words = [...command, 'credential-process', ...base, '--chain', role]
    writeFileSync(config, `[profile audit]\ncredential_process = ${words.join(' ')}\n`)
    const text = await aws('sts', 'get-caller-identity', '--profile', 'audit')
    expect(JSON.parse(text).Arn).toStartWith('arn:aws:sts::210987654321:assumed-role/Audit/')
  })

  test('a code of a device: GetSessionToken takes it, and the role is assumed from that session', async () => {
    const words = ['--mfa-serial', 'arn:aws:iam::123456789012:mfa/ada', '--chain', role]
    expect((await run(...base, ...words, '--mfa-code', '123456')).code).toBe(0)
    expect((await run(...base, ...words)).stdout).toBe(`Using role ${role}\n`)
  })
})
