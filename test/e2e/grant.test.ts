import { expect, test } from 'bun:test'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Granted } from '../../src/daemon-grants.ts'
import { until } from '../until.ts'
import { roles, usePlace, type Daemon, type Result } from './cli.ts'
import { endpointsIn, readEndpoint } from './container.ts'

const place = await usePlace()

const daemon = (args: readonly string[] = ['--container-endpoint', '127.0.0.1:0']): Promise<Daemon> =>
  place.daemon(['--role', 'Read-Only-Role', ...args])

const grant = (...args: string[]): Promise<Result> => place.run(['grant', ...args])

async function granted(...args: string[]): Promise<Granted> {
  const { code, stdout, stderr } = await grant('--json', ...args)
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

const policy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 's3:GetObject', Resource: '*' }] }

test('a token for one client: a session of its own, with less than the role, in two lines', async () => {
  await daemon()
  writeFileSync(join(place.home, 'policy.json'), JSON.stringify(policy, undefined, 2))
  const { stdout } = await grant('--role', 'Sysadmin-Role', '--policy', 'policy.json', '--ttl', '600')
  const [{ uri, file } = { uri: '', file: '' }] = endpointsIn(stdout)
  expect(stdout.split('\n')).toHaveLength(3)
  expect([statSync(file).mode & 0o777, uri]).toEqual([0o600, expect.stringMatching(/\/role\/Sysadmin-Role$/)])
  const { set } = await readEndpoint({ uri, file })
  expect(set['RoleArn']).toBe(roles[1] ?? '')
  // Ten minutes are less than STS gives; a quarter of an hour is the least.
  expect(place.sts.wishesOf(set['AccessKeyId'] ?? '')).toMatchObject({ policy: JSON.stringify(policy), seconds: '900' })
  const { stdout: status } = await place.run(['status'])
  expect(status).toMatch(/^granted: +arn:.*Sysadmin-Role, with a policy, until /m)
  // The current role is what it was, and its token opens nothing of this one.
  const other = await granted()
  expect([other.role, other.narrowed, other.until]).toEqual([roles[0] ?? '', false, null])
  expect((await readEndpoint({ uri, file: other.file })).status).toBe(403)
  expect((await readEndpoint(other)).set['AccessKeyId']).not.toBe(set['AccessKeyId'] ?? '')
})

test('it is renewed with the same policy', async () => {
  await daemon(['--container-endpoint', '127.0.0.1:0', '--refresh-interval', '1'])
  writeFileSync(join(place.home, 'policy.json'), JSON.stringify(policy))
  const own = await granted('--policy', 'policy.json')
  const seen = new Set<string>()
  await until(async () => seen.add((await readEndpoint(own)).set['AccessKeyId'] ?? '').size === 3, 'three keys')
  expect([...seen].map(key => place.sts.wishesOf(key)?.policy)).toEqual(Array(3).fill(JSON.stringify(policy)))
})

test('it ends when its time has come, and with the daemon', async () => {
  await daemon()
  const short = await granted('--ttl', '1')
  const long = await granted()
  const headers = { authorization: readFileSync(short.file, 'utf8') }
  await until(() => !existsSync(short.file), 'its end')
  expect((await fetch(short.uri, { headers })).status).toBe(403)
  expect((await readEndpoint(long)).status).toBe(200)
  // Its folder had a name of its own that nobody looks for again.
  await until(() => !existsSync(dirname(short.file)), 'the end of its folder')
  await place.run(['stop'])
  expect(existsSync(long.file)).toBe(false)
})

test('it ends when a person says so, that one or all, and not for other words', async () => {
  await daemon()
  const [one, two, three] = [await granted(), await granted('--ttl', '600'), await granted()]
  const headers = { authorization: readFileSync(one.file, 'utf8') }
  const wrong = await grant('--revoke', 'elsewhere')
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    expect.stringContaining(`no token of this daemon is in ${place.home}/elsewhere`),
  ])
  expect((await grant('--revoke', one.file, '--ttl', '5')).code).toBe(2)
  const { code, stdout } = await grant('--revoke', one.file)
  expect([code, stdout]).toEqual([0, `the token for ${one.role} has ended\n`])
  expect([existsSync(one.file), (await fetch(one.uri, { headers })).status]).toEqual([false, 403])
  expect([(await readEndpoint(two)).status, (await readEndpoint(three)).status]).toEqual([200, 200])
  expect(JSON.parse((await grant('--revoke', 'all', '--json')).stdout)).toEqual([two, three])
  const grants = (await place.status())?.grants
  expect([grants, existsSync(two.file), existsSync(three.file)]).toEqual([[], false, false])
  expect((await grant('--revoke', 'all')).code).toBe(0)
})

test('what cannot be: no daemon, no endpoint, no such role, no such policy, a second policy', async () => {
  expect((await grant()).code).toBe(3)
  const first = await daemon([])
  const closed = await grant()
  expect([closed.code, closed.stderr]).toEqual([2, expect.stringContaining('hint: cloudtoken -d --container-endpoint')])
  first.child.kill('SIGTERM')
  await first.done
  writeFileSync(join(place.home, 'policy.json'), JSON.stringify(policy))
  await daemon(['--container-endpoint', '127.0.0.1:0', '--session-policy', join(place.home, 'policy.json')])
  expect((await grant('--role', 'Nobody-Role')).code).toBe(12)
  expect((await grant('--policy', 'nowhere.json')).code).toBe(20)
  expect((await grant('--ttl', '0')).code).toBe(2)
  const wider = await grant('--policy', 'arn:aws:iam::aws:policy/AdministratorAccess')
  expect([wider.code, wider.stderr]).toEqual([2, expect.stringContaining('would widen it')])
  // Without one it has that of the daemon.
  const { set } = await readEndpoint(await granted())
  expect(place.sts.wishesOf(set['AccessKeyId'] ?? '')?.policy).toBe(JSON.stringify(policy))
})
