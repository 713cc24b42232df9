import { beforeEach, expect, test } from 'bun:test'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { webToken } from '../fake-runner.ts'
import { another } from '../until.ts'
import { twoSets } from './container.ts'
import { roles, usePlace, withPassword } from './cli.ts'

const audit = 'arn:aws:iam::210987654321:role/Audit'
const deep = 'arn:aws:iam::333333333333:role/team/Deep'
const place = await usePlace()
beforeEach(() => {
  mkdirSync(join(place.home, '.config/cloudtoken'), { recursive: true })
  writeFileSync(join(place.home, '.config/cloudtoken/config.yaml'), `aliases:\n    audit: ${audit}\n`)
})

test('through two roles: files and whoami are of the last', async () => {
  const { code, stdout } = await place.run(['-r', '1', '--chain', 'audit', '--chain', deep], { env: withPassword })
  expect([code, stdout]).toEqual([0, `Using role ${roles[0]}\nUsing role ${deep}\n`])
  expect(place.sts.assumed().slice(-3)).toEqual([roles[0] ?? '', audit, deep])
  const tokens = place.tokens()
  expect([tokens.LastRole, tokens.AccountId]).toEqual([deep, '333333333333'])
  const who = await place.run(['whoami'], { env: withPassword })
  expect(who.stdout).toStartWith('arn:aws:sts::333333333333:assumed-role/Deep/charlie@')
})

test('--refresh signs in to the first role and follows the chain again', async () => {
  await place.run(['-r', '2', '--chain', audit], { env: withPassword })
  const { stdout } = await place.run(['--refresh', '--chain', audit])
  expect(stdout).toBe(`Using role ${roles[1]}\nUsing role ${audit}\n`)
})

test('the options of the older Cloudtoken', async () => {
  const alias = await place.run(['-r', '1', '-a', 'audit'], { env: withPassword })
  expect(alias.stdout).toEndWith(`Using role ${audit}\n`)
  const named = await place.run(
    ['-r', '1', '--assume-role', '--dest-account', '333333333333', '--dest-role-name', 'X'],
    { env: withPassword },
  )
  expect(named.stdout).toEndWith('Using role arn:aws:iam::333333333333:role/X\n')
})

test('credential-process: each chain has a set of its own', async () => {
  const ask = async (...more: string[]): Promise<string> => {
    const { stdout } = await place.run(['credential-process', '--role', roles[0] ?? '', ...more], { env: withPassword })
    return JSON.parse(stdout).AccountId
  }
  const answers = [
    await ask(),
    await ask('--chain', audit),
    await ask('--chain', deep),
    await ask(),
    await ask('-a', 'audit'),
  ]
  expect(answers).toEqual(['123456789012', '210987654321', '333333333333', '123456789012', '210987654321'])
  const before = place.sts.assumed().length
  expect(await ask('--chain', deep, '--debug')).toBe('333333333333')
  expect(place.sts.assumed().length).toBe(before)
})

test('exec --serve renews a chain from its first role, from the cached set on', async () => {
  const words = ['--role', roles[0] ?? '', '--chain', audit]
  await place.run(['credential-process', ...words], { env: withPassword })
  const { code, stdout } = await place.run(
    ['exec', '--serve', '--refresh-interval', '1', ...words, '--', process.execPath, '-e', twoSets],
    { env: withPassword },
  )
  expect([
    code,
    stdout
      .trim()
      .split('\n')
      .map(line => line.split(' ')[1]),
  ]).toEqual([0, [audit, audit]])
})

test('a mistake costs no password; a refusal says what both sides have to allow', async () => {
  const before = place.idp.passwords()
  const wrong = await place.run(['-r', '1', '--chain', 'adit'], { env: withPassword })
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('did you mean audit?')])
  expect(place.idp.passwords()).toBe(before)
  place.sts.refuse('arn:aws:iam::210987654321:role/Nobody')
  const no = await place.run(['-r', '1', '--chain', 'arn:aws:iam::210987654321:role/Nobody'], { env: withPassword })
  expect(no.code).toBe(31)
  expect(no.stderr).toContain('may not assume arn:aws:iam::210987654321:role/Nobody')
  expect(no.stderr).toContain('trust policy must name the first')
})

test('several roles at once have no place beside a chain', async () => {
  const words = ['-d', '--listen', '127.0.0.1:0', '--container-endpoint', '127.0.0.1:0', '--also-role', 'User-Role']
  const { code, stderr } = await place.run([...words, '-r', '1', '--chain', audit], { env: withPassword })
  expect([code, stderr]).toEqual([2, expect.stringContaining('--also-role has no place')])
})

test('the daemon serves the last role, and renews from the session before when the sign-in is over', async () => {
  const token = join(place.home, 'token')
  writeFileSync(token, webToken())
  const words = ['--provider', 'web-identity', '--token-file', token, '--role', roles[0] ?? '', '--chain', audit]
  const daemon = await place.daemon([...words, '--refresh-interval', '1'], { env: { CLOUDTOKEN_PASSWORD: '' } })
  rmSync(token)
  const key = async (): Promise<string | undefined> => (await daemon.credentials('Audit'))['AccessKeyId']
  expect(await another(key, await key())).toMatch(/^ASIA/)
  expect(await daemon.seen(/goes on from/)).toContain(`the chain goes on from ${roles[0]}, until `)
})
