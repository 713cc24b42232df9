/** `cloudtoken simulate` against a daemon that runs, over its real port. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../until.ts'
import { makePlace, type Daemon, type Result } from './cli.ts'
import { endpointsIn, readEndpoint } from './container.ts'

// One daemon for all tests but the last.
const place = await makePlace()
let daemon: Daemon
beforeAll(async () => {
  daemon = await start(['--container-endpoint', '127.0.0.1:0'])
})
afterEach(async () => void (await ask('off')))
afterAll(() => place.stop())

const start = (args: readonly string[]): Promise<Daemon> => place.daemon(['--quiet', '-r', '1', ...args])
const ask = (...args: string[]): Promise<Result> => place.run(['simulate', ...args])
const get = (path: string): Promise<Response> => fetch(`${daemon.url}/latest/${path}`)
const text = async (path: string): Promise<string> => (await get(path)).text()
const set = (): Promise<Record<string, string>> => daemon.credentials('Read-Only-Role')

const patience = 30_000

describe('simulate', () => {
  test('a spot interruption: notice, time, life cycle; off takes all of it back', async () => {
    const before = await text('meta-data')
    const { code, stdout } = await ask('spot-interruption', '--in', '90')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^simulated: spot interruption, terminate at .*\n$/)])
    const notice = JSON.parse(await text('meta-data/spot/instance-action'))
    expect(notice).toEqual({ action: 'terminate', time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/) })
    expect(Math.abs(Date.parse(notice.time) - Date.now() - 90_000)).toBeLessThan(10_000)
    expect(await text('meta-data/spot/termination-time')).toBe(notice.time)
    expect(await text('meta-data/spot')).toBe('instance-action\ntermination-time')
    expect(await text('meta-data/instance-life-cycle')).toBe('spot')
    expect((await text('meta-data')).split('\n')).toContain('spot/')
    expect(await (await fetch(`${daemon.url}/2016-09-02/meta-data/spot/termination-time`)).text()).toBe(notice.time)
    expect((await set())['AccessKeyId']).toBe(place.tokens().AccessKeyId)
    await ask('spot-interruption', '--action', 'stop')
    expect((await get('meta-data/spot/termination-time')).status).toBe(404)
    expect((await ask('off')).stdout).toBe('nothing is simulated\n')
    expect((await get('meta-data/spot/instance-action')).status).toBe(404)
    expect(await text('meta-data')).toBe(before)
  })

  test('rebalance and maintenance, side by side', async () => {
    await ask('rebalance')
    const { stdout } = await ask('maintenance', '--code', 'instance-stop', '--json')
    expect(Object.keys(JSON.parse(stdout))).toEqual(['rebalance', 'maintenance'])
    expect(JSON.parse(await text('meta-data/events/recommendations/rebalance'))).toEqual({
      noticeTime: expect.any(String),
    })
    const [event, ...more] = JSON.parse(await text('meta-data/events/maintenance/scheduled'))
    expect([event.Code, event.State, event.Description, more]).toEqual([
      'instance-stop',
      'active',
      'scheduled stop',
      [],
    ])
    expect(event.NotBefore).toMatch(/^\d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/)
    expect(await text('meta-data/events/maintenance/history')).toBe('[]')
    expect(await text('meta-data/events/')).toBe('maintenance/\nrecommendations/')
  })

  test('user data and tags', async () => {
    const file = join(place.home, 'data')
    writeFileSync(file, new Uint8Array([1, 0, 255]))
    expect((await ask('user-data', file)).stdout).toBe('simulated: user data of 3 bytes\n')
    await ask('tags', 'Name=web', 'Stage=test')
    const answer = await get('user-data')
    expect(answer.headers.get('content-type')).toBe('application/octet-stream')
    expect([...new Uint8Array(await answer.arrayBuffer())]).toEqual([1, 0, 255])
    expect(await text('')).toBe('dynamic\nmeta-data\nuser-data')
    expect(await text('meta-data/tags/instance')).toBe('Name\nStage')
    expect(await text('meta-data/tags/instance/Name')).toBe('web')
    await ask('tags', 'Other=x')
    expect(await text('meta-data/tags/instance')).toBe('Other')
  })

  test('expiry: an end that is near, then no keys, while the real ones live on', async () => {
    const real = place.tokens()
    const [endpoint = { uri: '', file: '' }] = endpointsIn(await daemon.seen(/TOKEN_FILE=(.*)\n/))
    const contained = async (): Promise<Record<string, string>> => (await readEndpoint(endpoint)).set
    await ask('expiry', '--in', '360')
    const near = await set()
    expect([near['Code'], near['AccessKeyId']]).toEqual(['Success', real.AccessKeyId])
    expect(Math.abs(Date.parse(near['Expiration'] ?? '') - Date.now() - 360_000)).toBeLessThan(10_000)
    expect((await contained())['Expiration']).toBe(near['Expiration'] ?? '')
    await ask('expiry', '--in', '0')
    expect((await contained())['code']).toBe('CredentialsExpired')
    const ended = await set()
    expect(ended).toMatchObject({
      Code: 'CredentialsExpired',
      Message: expect.stringContaining('cloudtoken simulate off'),
    })
    expect(ended).not.toHaveProperty('AccessKeyId')
    // What the daemon itself knows is the truth.
    expect(await place.status()).toMatchObject({
      state: 'serving',
      expiration: real.Expiration,
      simulated: { expiry: {} },
    })
    await ask('off', 'expiry')
    expect(await set()).toMatchObject({ Code: 'Success', Expiration: real.Expiration })
    expect((await contained())['Expiration']).toBe(real.Expiration)
  })

  test(
    'slow and error, for a time, for tokens too; status says both',
    async () => {
      await ask('slow', '400')
      const begin = performance.now()
      expect((await get('meta-data/profile')).status).toBe(200)
      expect(performance.now() - begin).toBeGreaterThanOrEqual(390)
      await ask('off', 'slow')
      await ask('error', '503', 'for', '60')
      const { stdout } = await place.run(['status'])
      expect(stdout).toMatch(/^simulated: {4}every answer 503, until .*$/m)
      const failed = await get('meta-data/profile')
      expect([failed.status, await failed.text()]).toEqual([503, expect.stringContaining('503 - Service Unavailable')])
      const put = { method: 'PUT', headers: { 'x-aws-ec2-metadata-token-ttl-seconds': '60' } }
      expect((await fetch(`${daemon.url}/latest/api/token`, put)).status).toBe(503)
      // Who may not ask is refused all the same.
      expect((await fetch(`${daemon.url}/latest/`, { headers: { origin: 'http://x' } })).status).toBe(403)
      await ask('error', '503', 'for', '1')
      await until(async () => (await get('meta-data/profile')).ok, 'an end')
      expect((await ask()).stdout).toBe('nothing is simulated\n')
    },
    patience,
  )

  test('words that are wrong are exit code 2, without a daemon as well; no daemon is 3', async () => {
    const nobody = { env: { HOME: mkdtempSync(join(place.home, 'n-')) } }
    for (const each of [nobody, {}]) {
      expect((await place.run(['simulate', 'spot'], each)).code).toBe(2)
      expect((await place.run(['simulate', 'slow', '--action', 'stop'], each)).code).toBe(2)
    }
    expect((await place.run(['simulate', 'rebalance'], nobody)).code).toBe(3)
  })

  test(
    'a simulation ends with its daemon; a file of amazon-ec2-metadata-mock begins some',
    async () => {
      await ask('maintenance')
      daemon.child.kill('SIGTERM')
      await daemon.done
      const file = join(place.home, 'aemm.json')
      writeFileSync(
        file,
        JSON.stringify({
          metadata: { values: { 'instance-type': 'm5.large' } },
          spot: { action: 'stop' },
          'mock-delay-sec': 2,
        }),
      )
      mkdirSync(join(place.home, '.config/cloudtoken'), { recursive: true })
      writeFileSync(
        join(place.home, '.config/cloudtoken/config.yaml'),
        'metadata:\n  tags/instance/Name: from config\n',
      )
      daemon = await start(['--metadata-config', file])
      expect(await text('meta-data/instance-type')).toBe('m5.large')
      expect(await text('meta-data/tags/instance/Name')).toBe('from config')
      expect(await text('meta-data/events/maintenance/scheduled')).toBe('[]')
      expect((await get('meta-data/events/recommendations/rebalance')).status).toBe(200)
      expect((await get('meta-data/spot/instance-action')).status).toBe(404)
      await until(async () => (await get('meta-data/spot/instance-action')).ok, 'the notice')
      expect(JSON.parse(await text('meta-data/spot/instance-action'))['action']).toBe('stop')
      expect((await set())['AccessKeyId']).toBe(place.tokens().AccessKeyId)
    },
    patience,
  )
})
