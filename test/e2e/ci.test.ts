import { afterEach, beforeEach, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { startFakeRunner, webToken, type FakeRunner } from '../fake-runner.ts'
import { another } from '../until.ts'
import { usePlace } from './cli.ts'
import { twoSets } from './container.ts'

const role = 'arn:aws:iam::123456789012:role/Deploy'
const sign = ['--provider', 'web-identity', '--role', role]
const place = await usePlace()
let runner: FakeRunner
beforeEach(async () => {
  runner = await startFakeRunner()
})
afterEach(() => runner.stop())

test('GitHub Actions: keys for the next steps, hidden before anything shows them, and in no other file', async () => {
  const file = join(place.home, 'github_env')
  writeFileSync(file, 'EARLIER=1\n', { mode: 0o644 })
  const env = { ...runner.github, GITHUB_ENV: file }
  const { code, stdout, stderr } = await place.run([...sign, '--ci-env', '--region', 'eu-west-1'], { env })
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^cloudtoken: credentials until /)])
  const text = readFileSync(file, 'utf8')
  const values = Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map(line => /^(\w+)=(.*)$/.exec(line)?.slice(1) ?? []),
  )
  expect(values).toEqual({
    EARLIER: '1',
    AWS_ACCESS_KEY_ID: expect.stringMatching(/^ASIA/),
    AWS_SECRET_ACCESS_KEY: expect.any(String),
    AWS_SESSION_TOKEN: expect.any(String),
    AWS_CREDENTIAL_EXPIRATION: expect.stringMatching(/Z$/),
    AWS_REGION: 'eu-west-1',
    AWS_DEFAULT_REGION: 'eu-west-1',
  })
  const secrets = [values['AWS_ACCESS_KEY_ID'], values['AWS_SECRET_ACCESS_KEY'], values['AWS_SESSION_TOKEN']]
  expect(stdout).toBe(`Using role ${role}\n${secrets.map(secret => `::add-mask::${secret}\n`).join('')}`)
  expect(existsSync(join(place.home, '.aws'))).toBe(false)
  expect(existsSync(join(place.home, '.config'))).toBe(false)
})

test('CircleCI: the file that each step sources', async () => {
  const file = join(place.home, 'bash_env')
  const env = { CI: 'true', CIRCLECI: 'true', BASH_ENV: file, CIRCLE_OIDC_TOKEN_V2: webToken() }
  const { code, stdout } = await place.run([...sign, '--ci-env'], { env })
  expect([code, stdout]).toEqual([0, `Using role ${role}\n`])
  expect(readFileSync(file, 'utf8')).toMatch(/^export AWS_ACCESS_KEY_ID=ASIA\w+\nexport AWS_SECRET_ACCESS_KEY=/)
})

test('Azure Pipelines: logging commands, secrets first', async () => {
  const audience = webToken()
  const env = { TF_BUILD: 'True', TOKEN: audience }
  const { stdout } = await place.run([...sign, '--ci-env', '--token-variable', 'TOKEN'], { env })
  const commands = stdout.split('\n').map(line => /^##vso\[(.*?)\]/.exec(line)?.[1])
  expect(commands.filter(Boolean)).toEqual([
    ...Array.from({ length: 3 }, () => 'task.setsecret'),
    'task.setvariable variable=AWS_ACCESS_KEY_ID',
    'task.setvariable variable=AWS_SECRET_ACCESS_KEY',
    'task.setvariable variable=AWS_SESSION_TOKEN',
    'task.setvariable variable=AWS_CREDENTIAL_EXPIRATION',
  ])
})

test('where steps share no environment, it says what to do instead and shows no key', async () => {
  const env = { GITLAB_CI: 'true', GITLAB_OIDC_TOKEN: webToken(), BASH_ENV: join(place.home, 'mine') }
  const { code, stdout, stderr } = await place.run([...sign, '--ci-env'], { env })
  expect([code, stdout]).toEqual([20, `Using role ${role}\n`])
  expect(stderr).toContain('eval "$(cloudtoken env)"')
  expect(existsSync(join(place.home, 'mine'))).toBe(false)
})

test('env within a step: assignments and nothing else', async () => {
  const { code, stdout, stderr } = await place.run(['env', ...sign], { env: runner.github })
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^export AWS_ACCESS_KEY_ID=ASIA/)
  expect(stdout).not.toContain('::add-mask::')
})

test('credential-process: a fresh token for each start, and nothing kept that another job could use', async () => {
  const env = runner.github
  const first = await place.run(['credential-process', ...sign], { env })
  const second = await place.run(['credential-process', ...sign], { env })
  expect(JSON.parse(first.stdout).AccessKeyId).not.toBe(JSON.parse(second.stdout).AccessKeyId)
  expect(runner.given()).toBe(2)
  const secret: string = JSON.parse(second.stdout).SecretAccessKey
  const files = readdirSync(place.home, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  for (const entry of files) expect(readFileSync(join(entry.parentPath, entry.name), 'utf8')).not.toContain(secret)
  const stranger = await place.run(['credential-process', ...sign], { env: { GITHUB_ACTIONS: 'true' } })
  expect([stranger.code, stranger.stdout]).toEqual([20, ''])
})

test('exec --serve: work longer than a session, with a fresh token for each renewal', async () => {
  const words = ['exec', '--serve', '--refresh-interval', '1', ...sign, '--', process.execPath, '-e', twoSets]
  const { code, stdout } = await place.run(words, { env: runner.github })
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^ASIA\w+ \S+Deploy\nASIA\w+ \S+Deploy\n$/)])
  expect(runner.given()).toBeGreaterThan(1)
})

test('the daemon renews with a fresh token each time', async () => {
  const words = ['--refresh-interval', '1', ...sign]
  const daemon = await place.daemon(words, { env: { ...runner.github, CLOUDTOKEN_PASSWORD: '' } })
  const key = async (): Promise<string | undefined> => (await daemon.credentials('Deploy'))['AccessKeyId']
  const first = await key()
  expect(first).toMatch(/^ASIA/)
  expect(await another(key, first)).toMatch(/^ASIA/)
  expect(runner.given()).toBeGreaterThan(1)
})

test('what AWS refuses is said with the claims that its trust policy has to name', async () => {
  const token = webToken({ aud: 'someone else' })
  const { code, stderr } = await place.run([...sign, '--token-variable', 'T'], { env: { T: token } })
  expect(code).toBe(31)
  expect(stderr).toContain('AWS does not accept the token: Incorrect token audience')
  expect(stderr).toContain('https://token.example.com with the audience someone else')
  expect(stderr).not.toContain(token)
})

test('without a job and without a role', async () => {
  const nothing = await place.run(sign)
  expect([nothing.code, nothing.stderr]).toEqual([20, expect.stringContaining('--token-file FILE')])
  const noRole = await place.run(['--provider', 'web-identity'])
  expect([noRole.code, noRole.stderr]).toEqual([2, expect.stringContaining('--role arn:')])
})
