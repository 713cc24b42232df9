import { beforeEach, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../src/run.ts'
import { password, roles, usePlace, withPassword } from './cli.ts'

const foreign = '# mine\r\n[default]\r\nregion = us-west-2\n\n[profile 123456789012-User-Role]\nsso_session = corp\n'
const names = ['123456789012-Read-Only-Role', '123456789012-Sysadmin-Role', '123456789012-User-Role']
const place = await usePlace()
beforeEach(() => {
  mkdirSync(join(place.home, '.aws'))
})

const config = (): string => readFileSync(join(place.home, '.aws/config'), 'utf8')

test('setup-profiles: --dry-run shows what it would do, then it does that; again nothing; --remove takes it back', async () => {
  writeFileSync(join(place.home, '.aws/config'), foreign)
  const words = ['setup-profiles', '--region', 'eu-west-1']
  const preview = await place.run([...words, '--dry-run'], { env: withPassword })
  expect(preview.code).toBe(0)
  expect(preview.stdout).toContain(`+[profile ${names[0]}]\n+credential_process = `)
  expect(config()).toBe(foreign)
  const { code, stdout, stderr } = await place.run(words, { env: withPassword })
  expect([code, stdout]).toEqual([0, `${names[0]}\n${names[1]}\n`])
  expect(stderr).toContain(`the profile ${names[2]} is not of cloudtoken and stays as it is`)
  expect(config()).toStartWith(foreign)
  const after = config()
  const again = await place.run(words, { env: withPassword })
  expect([config(), again.stderr]).toEqual([after, expect.stringContaining('has them all')])
  await place.run(['setup-profiles', '--remove', '--dry-run'], { env: withPassword })
  expect(config()).toBe(after)
  const removal = await place.run(['setup-profiles', '--remove'], { env: withPassword })
  expect([removal.code, removal.stdout]).toEqual([0, `${names[0]}\n${names[1]}\n`])
  expect(config()).toBe(foreign)
  const none = await place.run(['setup-profiles', '--remove', '--json'], { env: withPassword })
  expect(JSON.parse(none.stdout)).toEqual({ removed: [] })
})

test('the line that is written works as the SDKs run it, without what the environment said', async () => {
  const { code } = await place.run(['setup-profiles', '-f', 'sysadmin', '--profile-name', 'ops'], { env: withPassword })
  expect(code).toBe(0)
  const line = /credential_process = (.*)/.exec(config())?.[1] ?? ''
  expect(line).not.toContain(password)
  const { CLOUDTOKEN_URL: _, CLOUDTOKEN_USERNAME: __, ...bare } = place.env
  const result = await run('sh', ['-c', line], { env: { ...bare, ...withPassword } })
  expect(JSON.parse(result.stdout)).toMatchObject({ Version: 1, AccountId: '123456789012' })
  expect(place.sts.assumed().at(-1)).toBe(roles[1] ?? '')
})

test('--all: one password, a profile for each role, other sections as they were', async () => {
  writeFileSync(join(place.home, '.aws/credentials'), '[mine]\naws_access_key_id = AKIAMINE\n', { mode: 0o644 })
  const passwords = place.idp.passwords()
  const { code, stdout, stderr } = await place.run(['--all'], { env: withPassword })
  expect([code, stdout.trim().split('\n')]).toEqual([0, names])
  expect(stderr).toContain('cloudtoken: 3 of 3: ')
  expect(place.idp.passwords()).toBe(passwords + 1)
  const file = readFileSync(join(place.home, '.aws/credentials'), 'utf8')
  expect(file).toStartWith('[mine]\naws_access_key_id = AKIAMINE\n\n')
  expect(file.match(/^\[.*\]$/gm)).toEqual(['[mine]', ...names.map(name => `[${name}]`)])
  expect(new Set(file.match(/ASIA\w+/g)).size).toBe(3)
  expect(statSync(join(place.home, '.aws/credentials')).mode & 0o777).toBe(0o600)
  expect(existsSync(join(place.home, '.config/cloudtoken/tokens.json'))).toBe(false)
})

test('--all with a filter and names of its own, as JSON; a role that is refused does not keep the others away', async () => {
  const words = ['--all', '-f', 'Sysadmin|User', '--profile-name', '{role}', '--json', '-q']
  const { stdout, stderr } = await place.run(words, { env: withPassword })
  expect(JSON.parse(stdout)).toMatchObject([
    { profile: 'Sysadmin-Role', roleArn: roles[1] },
    { profile: 'User-Role', roleArn: roles[2] },
  ])
  expect(stderr).toBe('')
  place.sts.refuse(roles[1] ?? '')
  const partly = await place.run(words, { env: withPassword })
  place.sts.refuse('')
  expect(partly.code).toBe(31)
  expect(JSON.parse(partly.stdout)).toMatchObject([
    { profile: 'User-Role' },
    { profile: 'Sysadmin-Role', error: expect.stringContaining('does not let') },
  ])
})

test('--dry-run of the bare command and of --all: the change with stars for secrets, and no file', async () => {
  for (const words of [['-r', '1'], ['--all']]) {
    const { code, stdout } = await place.run([...words, '--dry-run'], { env: withPassword })
    expect(code).toBe(0)
    expect(stdout).toContain(words[0] === '--all' ? `+[${names[2]}]` : '+[default]')
    expect(stdout).toContain('+aws_secret_access_key = *****')
    expect(stdout).toContain('+aws_session_token = *****')
  }
  expect(existsSync(join(place.home, '.aws/credentials'))).toBe(false)
  expect(existsSync(join(place.home, '.config/cloudtoken/tokens.json'))).toBe(false)
})

test('--dry-run shows no secret that is in the file already, of nobody', async () => {
  const home = mkdtempSync(join(place.home, 'hömé-'))
  const file = join(home, '.aws/credentials')
  mkdirSync(join(home, '.aws'))
  writeFileSync(file, '[default]\naws_access_key_id = AKIAMINE\naws_secret_access_key = long-lived-secret\n')
  await place.run(['--all'], { env: { ...withPassword, HOME: home } })
  const secrets = [...readFileSync(file, 'utf8').matchAll(/(?:secret_access_key|session_token) = (.*)/g)].map(
    ([, value]) => value,
  )
  expect(secrets).toContain('long-lived-secret')
  for (const words of [['-r', '1'], ['--all']]) {
    const { code, stdout } = await place.run([...words, '--dry-run'], { env: { ...withPassword, HOME: home } })
    expect(code).toBe(0)
    expect(stdout).toContain(`--- ${file}\n`)
    expect(secrets.filter(secret => stdout.includes(secret ?? ''))).toEqual([])
  }
})

test('what does not go together is refused before anything happens', async () => {
  for (const words of [
    ['-d', '--all'],
    ['-U', '--dry-run'],
    ['-e', '--all'],
    ['--all', '--role', 'User-Role'],
    ['--json', '--dry-run'],
  ]) {
    expect((await place.run(words, { env: withPassword })).code).toBe(2)
  }
  expect((await place.run(['logout', '--dry-run'], { env: withPassword })).code).toBe(2)
  expect((await place.run(['setup-profiles', '--profile-name', '{rolle}'], { env: withPassword })).code).toBe(2)
})

test.each([['--all'], ['setup-profiles']])(
  '%s with a filter that fits no role says so, and writes nothing',
  async word => {
    const { code, stderr } = await place.run([word, '-f', 'nothing'], { env: withPassword })
    expect([code, stderr]).toEqual([12, expect.stringContaining('none of the 3 roles matches the filter "nothing"')])
    expect(readdirSync(join(place.home, '.aws'))).toEqual([])
  },
)
