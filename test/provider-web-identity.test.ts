import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { Settings } from '../src/options.ts'
import { createWebIdentity } from '../src/provider-web-identity.ts'
import { run } from '../src/run.ts'
import { tokenSources } from '../src/token-sources.ts'
import { readClaims } from '../src/web-token.ts'
import { testContext } from './context.ts'
import { failureOf } from './failure.ts'
import { makeProgram, startFakeRunner, webToken, type FakeRunner } from './fake-runner.ts'

const role = 'arn:aws:iam::123456789012:role/Deploy'
let runner: FakeRunner
let folder: string

beforeEach(async () => {
  runner = await startFakeRunner()
  folder = mkdtempSync(join(tmpdir(), 'cloudtoken-job-'))
})
afterEach(async () => {
  rmSync(folder, { recursive: true })
  await runner.stop()
})

type Env = Readonly<Record<string, string>>

async function take(env: Env, settings: Partial<Settings> = {}): Promise<string> {
  const made = await testContext({ settings: { role, ...settings } })
  const provider = createWebIdentity({ env: { PATH: `${folder}:${process.env['PATH']}`, ...env }, run })
  try {
    const assertion = await provider.authenticate(made.context)
    if (assertion.kind !== 'oidc' || assertion.role === undefined) throw new Error(`a ${assertion.kind}`)
    return assertion.token
  } finally {
    expect(made.logged.join('')).not.toContain('the-request-token-of-the-job')
    expect(made.asked).toEqual([])
  }
}

const audienceOf = (token: string): string | undefined => readClaims(token).audience

describe('GitHub Actions', () => {
  test('a fresh token for AWS each time, or for another audience', async () => {
    const first = await take(runner.github)
    expect(audienceOf(first)).toBe('sts.amazonaws.com')
    expect(await take(runner.github)).not.toBe(first)
    expect(audienceOf(await take(runner.github, { audience: 'sts.amazonaws.com.cn' }))).toBe('sts.amazonaws.com.cn')
  })

  test('a job without the permission is told which', async () => {
    const error = await failureOf(take({ GITHUB_ACTIONS: 'true' }))
    expect(error).toMatchObject({ kind: 'config', hint: expect.stringContaining('id-token: write') })
  })

  test.each([
    [500, 'oops'],
    [403, '{}'],
    [200, '{"count":1}'],
    [200, '<html>'],
  ])('an answer %d %s is no token', async (status, body) => {
    runner.next(status, body)
    expect(await failureOf(take(runner.github))).toMatchObject({ kind: 'network', code: 'token-refused' })
  })

  test('the request token goes nowhere in the clear', async () => {
    const error = await failureOf(take({ ...runner.github, ACTIONS_ID_TOKEN_REQUEST_URL: 'http://10.0.0.1/x' }))
    expect(error).toMatchObject({ kind: 'config', code: 'token-address' })
  })

  test('a redirect elsewhere does not take the request token along', async () => {
    const other = await startFakeRunner()
    runner.next(302, '', { location: `${other.origin}/github/idtoken?api-version=2.0` })
    expect((await failureOf(take(runner.github))).kind).toBe('network')
    await expect(other.stop()).rejects.toThrow('GitHub: undefined')
  })
})

describe('Azure Pipelines', () => {
  test('with and without a service connection', async () => {
    expect(readClaims(await take(runner.azure)).subject).toBe('sc://org/project/')
    expect(readClaims(await take(runner.azure, { serviceConnection: 'a b' })).subject).toBe('sc://org/project/a b')
    const named = { ...runner.azure, AZURESUBSCRIPTION_SERVICE_CONNECTION_ID: '42' }
    expect(readClaims(await take(named)).subject).toBe('sc://org/project/42')
  })

  test('a step without the access token is told which', async () => {
    const error = await failureOf(take({ TF_BUILD: 'True', SYSTEM_OIDCREQUESTURI: `${runner.origin}/azure/oidctoken` }))
    expect(error.hint).toContain('SYSTEM_ACCESSTOKEN: $(System.AccessToken)')
  })

  test('its audience is fixed: another one is an early failure', async () => {
    const error = await failureOf(take(runner.azure, { audience: 'sts.amazonaws.com' }))
    expect(error).toMatchObject({
      code: 'token-audience',
      message: expect.stringContaining('api://AzureADTokenExchange'),
    })
  })
})

describe('Google Cloud', () => {
  test('by name only', async () => {
    const token = await take(runner.google, { tokenSource: 'google' })
    expect(readClaims(token)).toMatchObject({ issuer: 'https://accounts.google.com', audience: 'sts.amazonaws.com' })
    const before = runner.given()
    expect((await failureOf(take(runner.google))).code).toBe('token-missing')
    expect(runner.given()).toBe(before)
  })

  test('what is no metadata server of Google is not believed', async () => {
    runner.next(200, webToken())
    expect((await failureOf(take(runner.google, { tokenSource: 'google' }))).message).toContain('no metadata server')
  })
})

describe('a variable of the job', () => {
  test.each([
    ['gitlab', { GITLAB_CI: 'true' }, 'GITLAB_OIDC_TOKEN', 'id_tokens'],
    ['bitbucket', { BITBUCKET_BUILD_NUMBER: '7' }, 'BITBUCKET_STEP_OIDC_TOKEN', 'oidc: true'],
    ['circleci', { CIRCLECI: 'true' }, 'CIRCLE_OIDC_TOKEN_V2', 'CircleCI'],
  ])('%s', async (name, mark: Env, variable, hint) => {
    const token = webToken({ aud: 'something' })
    expect(await take({ ...mark, [variable]: token })).toBe(token)
    expect(await take({ ...mark, [variable]: token }, { tokenSource: name })).toBe(token)
    const error = await failureOf(take(mark))
    expect([error.code, error.hint]).toEqual(['token-missing', expect.stringContaining(hint)])
  })

  test('of any name', async () => {
    const token = webToken()
    expect(await take({ GITLAB_CI: 'true', MY_TOKEN: token }, { tokenVariable: 'MY_TOKEN' })).toBe(token)
    expect((await failureOf(take({}, { tokenVariable: 'MY_TOKEN' }))).message).toContain('MY_TOKEN')
  })
})

describe('a program of the job', () => {
  const lines = (name: string): string[] =>
    readFileSync(join(folder, `${name}.args`), 'utf8')
      .trim()
      .split('\n')

  test('buildkite-agent', async () => {
    const token = webToken()
    makeProgram(folder, 'buildkite-agent', `echo ${token}`)
    expect(await take({ BUILDKITE: 'true' })).toBe(token)
    expect(lines('buildkite-agent')).toEqual(['oidc', 'request-token', '--audience', 'sts.amazonaws.com'])
  })

  test('circleci, for an audience that its variable is not for', async () => {
    const token = webToken({ aud: 'sts.amazonaws.com' })
    makeProgram(folder, 'circleci', `echo ${token}`)
    const env = { CIRCLECI: 'true', CIRCLE_OIDC_TOKEN_V2: webToken({ aud: 'org' }) }
    expect(await take(env, { audience: 'sts.amazonaws.com' })).toBe(token)
    expect(lines('circleci')).toEqual(['run', 'oidc', 'get', '--claims', '{"aud":"sts.amazonaws.com"}'])
  })

  test('--token-command, without a shell', async () => {
    const token = webToken()
    makeProgram(folder, 'mint', `test -z "$CLOUDTOKEN_PASSWORD" && echo ${token}`)
    expect(await take({ CLOUDTOKEN_PASSWORD: 'secret' }, { tokenCommand: `mint 'a b' "c;d" $(e) C:\\x` })).toBe(token)
    expect(lines('mint')).toEqual(['a b', 'c;d', '$(e)', 'C:\\x'])
  })

  test('that fails, or is not there', async () => {
    makeProgram(folder, 'mint', 'echo no token today >&2; exit 3')
    const error = await failureOf(take({}, { tokenCommand: 'mint' }))
    expect(error.message).toBe('mint brought no token (exit code 3): no token today')
    expect((await failureOf(take({ BUILDKITE: 'true', PATH: folder }))).code).toBe('token-refused')
    expect((await failureOf(take({}, { tokenCommand: 'mint "a' }))).kind).toBe('usage')
  })
})

describe('a file', () => {
  test('of Kubernetes, read anew each time, with the role of EKS', async () => {
    const file = join(folder, 'token')
    const env = { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: role }
    const made = await testContext()
    const provider = createWebIdentity({ env, run })
    for (const token of [webToken(), webToken()]) {
      writeFileSync(file, `${token}\n`)
      expect(await provider.authenticate(made.context)).toEqual({ kind: 'oidc', token, role })
    }
  })

  test('--token-file comes before all else', async () => {
    const token = webToken()
    writeFileSync(join(folder, 'mine'), token)
    expect(await take(runner.github, { tokenFile: join(folder, 'mine') })).toBe(token)
    expect((await failureOf(take({}, { tokenFile: join(folder, 'absent') }))).code).toBe('token-missing')
  })

  test('a runner in a pod takes the identity of the job, not its own', async () => {
    const env = { ...runner.github, AWS_WEB_IDENTITY_TOKEN_FILE: join(folder, 'absent') }
    expect(audienceOf(await take(env))).toBe('sts.amazonaws.com')
  })
})

describe('what is no good is not sent', () => {
  test.each([
    ['no token', 'hello', 'token-invalid'],
    ['a page', '<html></html>', 'token-invalid'],
    ['an old token', webToken({ exp: 1 }), 'token-expired'],
  ])('%s', async (_, text, code) => {
    expect((await failureOf(take({ X: text }, { tokenVariable: 'X' }))).code).toBe(code)
  })

  test('without a role, or with the name of one, nothing is fetched', async () => {
    for (const name of [undefined, 'Deploy']) {
      const made = await testContext({ settings: { role: name } })
      const error = await failureOf(createWebIdentity({ env: runner.github, run }).authenticate(made.context))
      expect([error.kind, error.hint]).toEqual(['usage', expect.stringContaining('--role arn:')])
    }
    expect(runner.given()).toBe(0)
  })
})

test('the option knows every source, and the other way round', async () => {
  const { tokenOptions } = await import('../src/options-sign-in.ts')
  const names: readonly string[] = tokenOptions['token-source'].values
  expect(names.toSorted()).toEqual(tokenSources.map(({ name }) => name).toSorted())
})
