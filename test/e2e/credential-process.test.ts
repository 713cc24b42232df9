import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../scripts/demo-http.ts'
import { makePlace, password, roles, type Place, type Result, type Running } from './cli.ts'

let place: Place
let daemon: Running | undefined
afterEach(async () => {
  daemon?.child.kill('SIGKILL')
  await daemon?.done
  daemon = undefined
})
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

test('X04 fifty at once: one signs in', async () => {
  const HOME = fresh()
  const [passwords, assumed] = [place.idp.passwords(), place.sts.assumed().length]
  const env = { HOME, CLOUDTOKEN_PASSWORD: password }
  const runs = await Promise.all(
    Array.from({ length: 50 }, () => place.run(['credential-process', '--role', 'User-Role'], { env })),
  )
  expect(new Set(runs.map(run => run.stdout)).size).toBe(1)
  expect(place.idp.passwords()).toBe(passwords + 1)
  expect(place.sts.assumed().length).toBe(assumed + 1)
}, 60_000)

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

describe('--min-ttl', () => {
  const ends = (result: Result): number => (Date.parse(JSON.parse(result.stdout).Expiration) - Date.now()) / 1000

  test('what is left of the cached set is enough, or it is renewed; the quick answer ends with it', async () => {
    const env = { HOME: fresh(), CLOUDTOKEN_PASSWORD: password }
    const args = ['credential-process', '--role', roles[1] ?? '']
    const first = await place.run([...args, '--session-duration', '1800'], { env })
    expect((await place.run([...args, '--min-ttl', '1700'], { env })).stdout).toBe(first.stdout)
    const longer = await place.run([...args, '--min-ttl', '3000'], { env })
    expect(ends(longer)).toBeGreaterThan(3000)
    expect((await place.run(args, { env })).stdout).toBe(longer.stdout)
    const quick = readdirSync(join(env.HOME, '.local/state/cloudtoken/quick')).map(file =>
      JSON.parse(readFileSync(join(env.HOME, '.local/state/cloudtoken/quick', file), 'utf8')),
    )
    const until = quick.find(({ key }) => key.includes('3000')).until
    expect(until).toBe(Date.parse(JSON.parse(longer.stdout).Expiration) - 3_000_000)
  })

  test('nobody can: the failure says what there is, and what would help', async () => {
    const HOME = fresh()
    const args = ['credential-process', '--role', roles[1] ?? '']
    await place.run(args, { env: { HOME, CLOUDTOKEN_PASSWORD: password } })
    const long = await place.run([...args, '--min-ttl', '9000'], { env: { HOME, CLOUDTOKEN_PASSWORD: password } })
    expect([long.code, long.stdout]).toEqual([20, ''])
    expect(long.stderr).toMatch(
      /a new session lasts 3[56]\d\d seconds, and --min-ttl wants 9000\n.*--session-duration 9000/,
    )
    place.idp.endSessions()
    const alone = await place.run([...args, '--min-ttl', '9000'], { env: { HOME } })
    expect([alone.code, alone.stdout]).toEqual([11, ''])
    expect(alone.stderr).toMatch(/; the credentials at hand end in 3[56]\d\d seconds\n/)
  })
})

describe('beside a daemon', () => {
  async function startDaemon(HOME: string, ...words: string[]): Promise<string> {
    const listen = `127.0.0.1:${await freePort()}`
    daemon = place.start(['-d', '--listen', listen, ...words], { env: { HOME, CLOUDTOKEN_PASSWORD: password } })
    await daemon.seen(/-{54}/)
    return `http://${listen}/latest/meta-data/iam/security-credentials/`
  }
  const keyOf = (result: Result): unknown =>
    result.stdout === '' ? result.stderr : JSON.parse(result.stdout).AccessKeyId
  const ask = (HOME: string, ...words: string[]): Promise<Result> =>
    place.run(['credential-process', ...words], { env: { HOME } })

  test('its set is taken, by the role, by the words of its own, and by no word at all', async () => {
    const HOME = fresh()
    const folder = await startDaemon(HOME, '--role', 'Sysadmin-Role')
    const { AccessKeyId } = (await (await fetch(`${folder}Sysadmin-Role`)).json()) as Record<string, string>
    const [before, seen] = [place.sts.assumed().length, place.idp.assertions()]
    const answers = [
      await ask(HOME, '--role', roles[1] ?? ''),
      await ask(HOME, '--role', 'Sysadmin-Role'),
      await ask(HOME),
      await ask(HOME, '--min-ttl', '3000'),
    ]
    expect(answers.map(keyOf)).toEqual(Array(4).fill(AccessKeyId))
    expect([place.sts.assumed().length, place.idp.assertions()]).toEqual([before, seen])
    // It stays when the daemon goes.
    daemon?.child.kill('SIGKILL')
    await daemon?.done
    expect(keyOf(await ask(HOME, '--debug'))).toBe(AccessKeyId)
  })

  test('another role, chain, user or length is none of its business', async () => {
    const HOME = fresh()
    await startDaemon(HOME, '--role', roles[0] ?? '')
    const before = place.sts.assumed().length
    const other = await ask(HOME, '--role', roles[1] ?? '')
    expect(place.sts.assumed().slice(before)).toEqual([roles[1] ?? ''])
    const chain = 'arn:aws:iam::210987654321:role/Audit'
    expect(JSON.parse((await ask(HOME, '--role', roles[0] ?? '', '--chain', chain)).stdout).AccountId).toBe(
      '210987654321',
    )
    expect((await ask(HOME, '--role', roles[0] ?? '', '--username', 'dana')).code).toBe(11)
    expect((await ask(HOME, '--role', roles[0] ?? '', '--min-ttl', '9000')).code).toBe(20)
    expect(keyOf(other)).not.toBe(keyOf(await ask(HOME, '--role', roles[0] ?? '')))
  })

  test('after use ROLE its words mean the new role no more than before', async () => {
    const HOME = fresh()
    await startDaemon(HOME, '--role', 'Sysadmin-Role')
    await place.run(['use', 'User-Role'], { env: { HOME } })
    const before = place.sts.assumed().length
    await ask(HOME)
    await ask(HOME, '--role', roles[2] ?? '')
    expect(place.sts.assumed().length).toBe(before)
    await ask(HOME, '--role', 'Sysadmin-Role')
    expect(place.sts.assumed().slice(before)).toEqual([roles[1] ?? ''])
  })

  test('the roles beside its own are had, too; one that hangs is not waited for', async () => {
    const HOME = fresh()
    await startDaemon(
      HOME,
      '--role',
      roles[0] ?? '',
      '--container-endpoint',
      '127.0.0.1:0',
      '--also-role',
      roles[2] ?? '',
    )
    const before = place.sts.assumed().length
    await ask(HOME, '--role', roles[2] ?? '')
    expect(place.sts.assumed().length).toBe(before)
    daemon?.child.kill('SIGSTOP')
    const start = performance.now()
    const { code } = await ask(HOME, '--role', roles[1] ?? '')
    expect(code).toBe(0)
    expect(performance.now() - start).toBeLessThan(8000)
  })
})
