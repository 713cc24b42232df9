/**
 * Every client of scripts/clients.ts against the daemon at its real address, each way in: what it signs with, or prints,
 * is what the daemon serves.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { clients, modes, type Client, type Mode } from '../../scripts/clients.ts'
import { makePlace, password, type Place, type Running } from '../e2e/cli.ts'
import { startAws, type Aws } from './aws.ts'

const wanted = process.env['CLOUDTOKEN_CLIENTS']?.split(',') ?? []
const address = 'http://169.254.169.254/latest'
const credentials = `${address}/meta-data/iam/security-credentials/User-Role`

const flags: Readonly<Record<Mode, readonly string[]>> = {
  IMDSv1: [],
  IMDSv2: ['--require-imdsv2'],
  container: ['--container-endpoint', '127.0.0.1:0'],
}

let place: Place
let aws: Aws
beforeAll(async () => {
  place = await makePlace()
  aws = await startAws(place.sts)
})
afterAll(async () => {
  await aws.stop()
  await place.stop()
})

async function metadata(url: string): Promise<string> {
  const headers = { 'X-aws-ec2-metadata-token-ttl-seconds': '60' }
  const token = await (await fetch(`${address}/api/token`, { method: 'PUT', headers })).text()
  return (await fetch(url, { headers: { 'X-aws-ec2-metadata-token': token } })).text()
}

/** A machine with nothing configured: only where AWS is. */
function surroundings(client: Client): Record<string, string> {
  const home = mkdtempSync(join(place.home, 'client-'))
  return {
    HOME: home,
    PATH: process.env['PATH'] ?? '',
    LANG: 'C.UTF-8',
    AWS_REGION: 'us-east-1',
    // Python's name for it.
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_STS: aws.origin,
    AWS_ENDPOINT_URL_S3: aws.origin,
    ...client.env,
  }
}

async function run(command: readonly string[], env: Record<string, string>): Promise<string> {
  const [program = '', ...args] = command
  const child = spawn(program, args, { env, cwd: env['HOME'], stdio: ['ignore', 'pipe', 'pipe'] })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${stderr}\n${stdout}`)
  return stdout
}

// Only where `bun run test:clients` has made a network namespace for it.
const suite = wanted.length > 0 ? describe : describe.skip
suite.each(modes)('%s', mode => {
  let running: Running
  let way: Record<string, string> = {}
  let served: Record<string, string>
  let instance: string
  beforeAll(async () => {
    const env = { HOME: mkdtempSync(join(place.home, 'home-')), CLOUDTOKEN_PASSWORD: password }
    running = place.start(['-d', '--role', 'User-Role', '--force', ...flags[mode]], { env })
    const said = await running.seen(mode === 'container' ? /AUTHORIZATION_TOKEN_FILE=.*\n/ : /-{54}\n/)
    served = JSON.parse(await metadata(credentials))
    instance = await metadata(`${address}/meta-data/instance-id`)
    const lines = [...said.matchAll(/^(AWS_CONTAINER_\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value])
    // Nobody reads from the other way by mistake.
    if (mode === 'container') way = { ...Object.fromEntries(lines), AWS_EC2_METADATA_DISABLED: 'true' }
  })
  afterAll(async () => {
    running.child.kill('SIGTERM')
    await running.done
  })

  const able = clients.filter(({ modes: known }) => known.includes(mode))
  const ready = able.filter(({ name }) => wanted.includes(name))
  test.each(ready.map(client => [client.name, client] as const))('#98 #99 %s', async (_, client) => {
    const env = { ...surroundings(client), ...way }
    const file = way['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']
    if (client.tokenInVariable && file) env['AWS_CONTAINER_AUTHORIZATION_TOKEN'] = readFileSync(file, 'utf8')
    aws.signers()
    const output = await run(client.command(env['HOME'] ?? ''), env)
    if (client.prints === undefined) {
      const signers = aws.signers()
      expect(signers.length).toBeGreaterThan(0)
      for (const signer of signers)
        expect(signer).toEqual({ key: served['AccessKeyId'] ?? '', token: served['Token'] ?? '' })
    } else {
      expect(output).toContain(instance)
      if (client.prints === 'keys') expect(output).toContain(served['AccessKeyId'] ?? '?')
    }
    const text = client.version === undefined ? output : await run(client.version, env)
    const version = /\d+(?:\.\d+)+/.exec(text)?.[0]
    expect(version).toBeDefined()
    const line = JSON.stringify({ client: client.name, mode, version })
    if (process.env['CLOUDTOKEN_MATRIX']) appendFileSync(process.env['CLOUDTOKEN_MATRIX'], `${line}\n`)
  })
})
