import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { startFakeRunner, webToken, type FakeRunner } from '../fake-runner.ts'
import { freePort } from '../../scripts/demo-http.ts'
import { makePlace, type Place, type Running } from './cli.ts'

const role = 'arn:aws:iam::123456789012:role/Deploy'
const sign = ['--provider', 'web-identity', '--role', role]
let place: Place
let runner: FakeRunner
let running: Running | undefined
let home: string
beforeAll(async () => {
  place = await makePlace()
})
afterAll(() => place.stop())
beforeEach(async () => {
  runner = await startFakeRunner()
  home = mkdtempSync(join(place.home, 'job-'))
})
afterEach(async () => {
  running?.child.kill('SIGKILL')
  await running?.done
  running = undefined
  await runner.stop()
})

test('GitHub Actions: keys for the next steps, hidden before anything shows them, and in no other file', async () => {
  const file = join(home, 'github_env')
  writeFileSync(file, 'EARLIER=1\n', { mode: 0o644 })
  const env = { ...runner.github, HOME: home, GITHUB_ENV: file }
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
  expect(existsSync(join(home, '.aws'))).toBe(false)
  expect(existsSync(join(home, '.config'))).toBe(false)
})

test('CircleCI: the file that each step sources', async () => {
  const file = join(home, 'bash_env')
  const env = { HOME: home, CI: 'true', CIRCLECI: 'true', BASH_ENV: file, CIRCLE_OIDC_TOKEN_V2: webToken() }
  const { code, stdout } = await place.run([...sign, '--ci-env'], { env })
  expect([code, stdout]).toEqual([0, `Using role ${role}\n`])
  expect(readFileSync(file, 'utf8')).toMatch(/^export AWS_ACCESS_KEY_ID=ASIA\w+\nexport AWS_SECRET_ACCESS_KEY=/)
})

test('Azure Pipelines: logging commands, secrets first', async () => {
  const audience = webToken()
  const env = { HOME: home, TF_BUILD: 'True', TOKEN: audience }
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
  const env = { HOME: home, GITLAB_CI: 'true', GITLAB_OIDC_TOKEN: webToken(), BASH_ENV: join(home, 'mine') }
  const { code, stdout, stderr } = await place.run([...sign, '--ci-env'], { env })
  expect([code, stdout]).toEqual([20, `Using role ${role}\n`])
  expect(stderr).toContain('eval "$(cloudtoken env)"')
  expect(existsSync(join(home, 'mine'))).toBe(false)
})

test('env within a step: assignments and nothing else', async () => {
  const { code, stdout, stderr } = await place.run(['env', ...sign], { env: { ...runner.github, HOME: home } })
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toMatch(/^export AWS_ACCESS_KEY_ID=ASIA/)
  expect(stdout).not.toContain('::add-mask::')
})

test('credential-process: a fresh token for each start, and nothing kept that another job could use', async () => {
  const env = { ...runner.github, HOME: home }
  const first = await place.run(['credential-process', ...sign], { env })
  const second = await place.run(['credential-process', ...sign], { env })
  expect(JSON.parse(first.stdout).AccessKeyId).not.toBe(JSON.parse(second.stdout).AccessKeyId)
  expect(runner.given()).toBe(2)
  const secret: string = JSON.parse(second.stdout).SecretAccessKey
  const files = readdirSync(home, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  for (const entry of files) expect(readFileSync(join(entry.parentPath, entry.name), 'utf8')).not.toContain(secret)
  const stranger = await place.run(['credential-process', ...sign], { env: { HOME: home, GITHUB_ACTIONS: 'true' } })
  expect([stranger.code, stranger.stdout]).toEqual([20, ''])
})

/** Asks its endpoint until it shows a second key. */
const twoKeys = `
  const { readFileSync } = require('node:fs')
  const seen = new Set()
  while (seen.size < 2) {
    const authorization = readFileSync(process.env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, 'utf8')
    const answer = await fetch(process.env.AWS_CONTAINER_CREDENTIALS_FULL_URI, { headers: { authorization } })
    seen.add((await answer.json()).AccessKeyId)
    await Bun.sleep(50)
  }
  console.log([...seen].join(' '))
`

test('exec --serve: work longer than a session, with a fresh token for each renewal', async () => {
  const words = ['exec', '--serve', '--refresh-interval', '1', ...sign, '--', process.execPath, '-e', twoKeys]
  const { code, stdout } = await place.run(words, { env: { ...runner.github, HOME: home } })
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^ASIA\w+ ASIA\w+\n$/)])
  expect(runner.given()).toBeGreaterThan(1)
})

test('the daemon renews with a fresh token each time', async () => {
  const port = await freePort()
  running = place.start(['-d', '--listen', `127.0.0.1:${port}`, '--refresh-interval', '1', ...sign], {
    env: { ...runner.github, HOME: home },
  })
  await running.seen(/-{54}/)
  const key = async (): Promise<unknown> => {
    const url = `http://127.0.0.1:${port}/latest/meta-data/iam/security-credentials/Deploy`
    return Reflect.get(Object(await (await fetch(url)).json()), 'AccessKeyId')
  }
  const first = await key()
  expect(first).toMatch(/^ASIA/)
  for (let turn = 0; turn < 200 && (await key()) === first; turn += 1) await Bun.sleep(100)
  expect(await key()).not.toBe(first)
  expect(runner.given()).toBeGreaterThan(1)
})

test('what AWS refuses is said with the claims that its trust policy has to name', async () => {
  const token = webToken({ aud: 'someone else' })
  const { code, stderr } = await place.run([...sign, '--token-variable', 'T'], { env: { HOME: home, T: token } })
  expect(code).toBe(31)
  expect(stderr).toContain('AWS does not accept the token: Incorrect token audience')
  expect(stderr).toContain('https://token.example.com with the audience someone else')
  expect(stderr).not.toContain(token)
})

test('without a job and without a role', async () => {
  const nothing = await place.run(sign, { env: { HOME: home } })
  expect([nothing.code, nothing.stderr]).toEqual([20, expect.stringContaining('--token-file FILE')])
  const noRole = await place.run(['--provider', 'web-identity'], { env: { HOME: home } })
  expect([noRole.code, noRole.stderr]).toEqual([2, expect.stringContaining('--role arn:')])
})
