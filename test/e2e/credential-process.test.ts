import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { makePlace, password, roles, type Place } from './cli.ts'

let place: Place
beforeAll(async () => {
  place = await makePlace()
})
afterAll(() => place.stop())

const fresh = (): string => mkdtempSync(join(place.home, 'home-'))

test('answers as the SDKs want it, from the cache the second time', async () => {
  const HOME = fresh()
  const args = ['credential-process', '--role', roles[1] ?? '']
  const first = await place.run(args, { env: { HOME, CLOUDTOKEN_PASSWORD: password } })
  expect(JSON.parse(first.stdout)).toEqual({
    Version: 1,
    AccessKeyId: expect.stringMatching(/^ASIA/),
    SecretAccessKey: expect.any(String),
    SessionToken: expect.any(String),
    Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    AccountId: '123456789012',
  })
  expect(first.stderr).toBe('')
  const assumed = place.sts.assumed().length
  const second = await place.run(args, { env: { HOME, CLOUDTOKEN_PASSWORD: password } })
  expect(second.stdout).toBe(first.stdout)
  // Other words, same role: the cache behind the quick answer.
  const third = await place.run([...args, '--debug'], { env: { HOME, CLOUDTOKEN_PASSWORD: password } })
  expect(third.stdout).toBe(first.stdout)
  expect(place.sts.assumed().length).toBe(assumed)
  const folder = join(HOME, '.local/state/cloudtoken/quick')
  for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600)
})

test('without --role it follows the role of the last run', async () => {
  const HOME = fresh()
  const env = { HOME, CLOUDTOKEN_PASSWORD: password }
  const nothing = await place.run(['credential-process'], { env })
  expect([nothing.code, nothing.stderr]).toEqual([11, expect.stringContaining('--role ARN')])
  await place.run(['-r', '1'], { env })
  const one = JSON.parse((await place.run(['credential-process'], { env })).stdout)
  await place.run(['-r', '2'], { env })
  const two = JSON.parse((await place.run(['credential-process'], { env })).stdout)
  expect(two.AccessKeyId).not.toBe(one.AccessKeyId)
  expect(place.sts.assumed().at(-1)).toBe(roles[1] ?? '')
})

test('X04 however many start at once, one signs in', async () => {
  const HOME = fresh()
  const [passwords, assumed] = [place.idp.passwords(), place.sts.assumed().length]
  const env = { HOME, CLOUDTOKEN_PASSWORD: password }
  const runs = await Promise.all(
    Array.from({ length: 12 }, () => place.run(['credential-process', '--role', 'User-Role'], { env })),
  )
  expect(new Set(runs.map(run => run.stdout)).size).toBe(1)
  expect(place.idp.passwords()).toBe(passwords + 1)
  expect(place.sts.assumed().length).toBe(assumed + 1)
})

test('logout empties the cache', async () => {
  const HOME = fresh()
  const args = ['credential-process', '--role', roles[1] ?? '']
  await place.run(args, { env: { HOME, CLOUDTOKEN_PASSWORD: password } })
  await place.run(['logout'], { env: { HOME } })
  const after = await place.run(args, { env: { HOME } })
  expect([after.code, after.stdout]).toEqual([11, ''])
})

test('X01 a failure has nothing on stdout, and its words on stderr', async () => {
  const { code, stdout, stderr } = await place.run(['credential-process', '--role', 'User-Role'], {
    env: { HOME: fresh() },
  })
  expect([code, stdout]).toEqual([11, ''])
  expect(stderr).toContain('cloudtoken: hint: ')
})
