import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from '../run-program.ts'
import { command, roles, usePlace, withPassword, type Result } from './cli.ts'

const place = await usePlace()

test('answers as the SDKs want it, from the cache the second time', async () => {
  const args = ['credential-process', '--role', roles[1] ?? '']
  const first = await place.run(args, { env: withPassword })
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
  const second = await place.run(args, { env: withPassword })
  expect(second.stdout).toBe(first.stdout)
  // Other words, same role: the cache behind the quick answer.
  const third = await place.run([...args, '--debug'], { env: withPassword })
  expect(third.stdout).toBe(first.stdout)
  expect(place.sts.assumed().length).toBe(assumed)
  const folder = join(place.home, '.local/state/cloudtoken/quick')
  for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600)
})

test('without --role it follows the role of the last run', async () => {
  const env = withPassword
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
  const [passwords, assumed] = [place.idp.passwords(), place.sts.assumed().length]
  const env = withPassword
  const runs = await Promise.all(
    Array.from({ length: 50 }, () => place.run(['credential-process', '--role', 'User-Role'], { env })),
  )
  expect(new Set(runs.map(run => run.stdout)).size).toBe(1)
  expect(place.idp.passwords()).toBe(passwords + 1)
  expect(place.sts.assumed().length).toBe(assumed + 1)
}, 60_000)

test('logout empties the cache', async () => {
  const args = ['credential-process', '--role', roles[1] ?? '']
  await place.run(args, { env: withPassword })
  await place.run(['logout'])
  const after = await place.run(args)
  expect([after.code, after.stdout]).toEqual([11, ''])
})

test('X01 a failure has nothing on stdout, and its words on stderr', async () => {
  const { code, stdout, stderr } = await place.run(['credential-process', '--role', 'User-Role'])
  expect([code, stdout]).toEqual([11, ''])
  expect(stderr).toContain('cloudtoken: hint: ')
})

test.skipIf(spawnSync('unshare', ['-rm', 'true']).status !== 0)(
  'on a full disk: what cannot be kept is told, and takes no credentials from anybody',
  async () => {
    await place.run(['credential-process', '--role', roles[0] ?? ''], { env: withPassword })
    const script = [
      'cd "$HOME/.local"',
      'mount -t tmpfs -o size=1m,mode=0700 tmpfs share',
      'cp -a state/. share && mount --move share state',
      'dd if=/dev/zero of=state/filler bs=1k 2>/dev/null || cd / && exec "$@"',
    ].join('\n')
    mkdirSync(join(place.home, '.local/share'))
    const words = [...command, 'credential-process', '--role', roles[1] ?? '']
    const { code, stdout, stderr } = await runProgram('unshare', ['-rm', 'sh', '-c', script, 'sh', ...words], {
      env: place.env,
    })
    expect([code, stdout]).toEqual([0, expect.stringContaining('"SecretAccessKey"')])
    expect(stderr).toMatch(/^(cloudtoken: (warning: cannot write .*no space|hint: df ).*\n)+$/i)
  },
)

describe('--min-ttl', () => {
  const ends = (result: Result): number => (Date.parse(JSON.parse(result.stdout).Expiration) - Date.now()) / 1000

  test('what is left of the cached set is enough, or it is renewed; the quick answer ends with it', async () => {
    const env = withPassword
    const args = ['credential-process', '--role', roles[1] ?? '']
    const first = await place.run([...args, '--session-duration', '1800'], { env })
    expect((await place.run([...args, '--min-ttl', '1700'], { env })).stdout).toBe(first.stdout)
    const longer = await place.run([...args, '--min-ttl', '3000'], { env })
    expect(ends(longer)).toBeGreaterThan(3000)
    expect((await place.run(args, { env })).stdout).toBe(longer.stdout)
    const quick = readdirSync(join(place.home, '.local/state/cloudtoken/quick')).map(file =>
      JSON.parse(readFileSync(join(place.home, '.local/state/cloudtoken/quick', file), 'utf8')),
    )
    const until = quick.find(({ key }) => key.includes('3000')).until
    expect(until).toBe(Date.parse(JSON.parse(longer.stdout).Expiration) - 3_000_000)
  })

  test('nobody can: the failure says what there is, and what would help', async () => {
    const args = ['credential-process', '--role', roles[1] ?? '']
    await place.run(args, { env: withPassword })
    const long = await place.run([...args, '--min-ttl', '9000'], { env: withPassword })
    expect([long.code, long.stdout]).toEqual([20, ''])
    expect(long.stderr).toMatch(
      /a new session lasts 3[56]\d\d seconds, and --min-ttl wants 9000\n.*--session-duration 9000/,
    )
    place.idp.endSessions()
    const alone = await place.run([...args, '--min-ttl', '9000'])
    expect([alone.code, alone.stdout]).toEqual([11, ''])
    expect(alone.stderr).toMatch(/; the credentials at hand end in 3[56]\d\d seconds\n/)
  })
})

describe('beside a daemon', () => {
  const keyOf = (result: Result): unknown =>
    result.stdout === '' ? result.stderr : JSON.parse(result.stdout).AccessKeyId
  const ask = (...words: string[]): Promise<Result> => place.run(['credential-process', ...words])

  test('its set is taken, by the role, by the words of its own, and by no word at all', async () => {
    const daemon = await place.daemon(['--role', 'Sysadmin-Role'])
    const { AccessKeyId } = await daemon.credentials()
    const [before, seen] = [place.sts.assumed().length, place.idp.assertions()]
    const answers = [
      await ask('--role', roles[1] ?? ''),
      await ask('--role', 'Sysadmin-Role'),
      await ask(),
      await ask('--min-ttl', '3000'),
    ]
    expect(answers.map(keyOf)).toEqual(Array(4).fill(AccessKeyId))
    expect([place.sts.assumed().length, place.idp.assertions()]).toEqual([before, seen])
    // It stays when the daemon goes.
    await daemon.kill()
    expect(keyOf(await ask('--debug'))).toBe(AccessKeyId)
  })

  test('another role, chain, user or length is none of its business', async () => {
    await place.daemon(['--role', roles[0] ?? ''])
    const before = place.sts.assumed().length
    const other = await ask('--role', roles[1] ?? '')
    expect(place.sts.assumed().slice(before)).toEqual([roles[1] ?? ''])
    const chain = 'arn:aws:iam::210987654321:role/Audit'
    expect(JSON.parse((await ask('--role', roles[0] ?? '', '--chain', chain)).stdout).AccountId).toBe('210987654321')
    expect((await ask('--role', roles[0] ?? '', '--username', 'dana')).code).toBe(11)
    expect((await ask('--role', roles[0] ?? '', '--min-ttl', '9000')).code).toBe(20)
    expect(keyOf(other)).not.toBe(keyOf(await ask('--role', roles[0] ?? '')))
  })

  test('after use ROLE its words mean the new role no more than before', async () => {
    await place.daemon(['--role', 'Sysadmin-Role'])
    await place.run(['use', 'User-Role'])
    const before = place.sts.assumed().length
    await ask()
    await ask('--role', roles[2] ?? '')
    expect(place.sts.assumed().length).toBe(before)
    await ask('--role', 'Sysadmin-Role')
    expect(place.sts.assumed().slice(before)).toEqual([roles[1] ?? ''])
  })

  test('the roles beside its own are had, too; one that hangs is not waited for', async () => {
    const also = ['--container-endpoint', '127.0.0.1:0', '--also-role', roles[2] ?? '']
    const daemon = await place.daemon(['--role', roles[0] ?? '', ...also])
    const before = place.sts.assumed().length
    await ask('--role', roles[2] ?? '')
    expect(place.sts.assumed().length).toBe(before)
    daemon.child.kill('SIGSTOP')
    const start = performance.now()
    const { code } = await ask('--role', roles[1] ?? '')
    expect(code).toBe(0)
    expect(performance.now() - start).toBeLessThan(20_000)
  })
})
