/**
 * The AWS CLI and boto3 share ~/.aws/sso/cache with cloudtoken, each with the other's token, at the same services.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { awsCli2, python } from '../../scripts/components.ts'
import { run } from '../../src/run.ts'
import { command, makePlace, type Place, type Result } from '../e2e/cli.ts'
import { atTerminal } from '../e2e/screen.ts'
import { startFakeSso, type FakeSso } from '../fake-sso.ts'
import { present } from './present.ts'

const account = '111111111111'
const role = `arn:aws:iam::${account}:role/Admin`

let place: Place
let sso: FakeSso
let home: string
beforeAll(async () => {
  place = await makePlace()
})
afterAll(() => place.stop())
beforeEach(async () => {
  sso = await startFakeSso({ accounts: { [account]: { name: 'Production', roles: ['Admin'] } } })
  home = mkdtempSync(join(place.home, 'home-'))
  mkdirSync(join(home, '.aws'))
})
afterEach(() => sso.stop())

const portal = (): string => `sso_region = ${sso.region}\nsso_start_url = ${sso.startUrl}\n`
const taken = `sso_account_id = ${account}\nsso_role_name = Admin\nregion = eu-west-1\n`
const forms = {
  'an sso-session': () =>
    `[sso-session corp]\n${portal()}sso_registration_scopes = sso:account:access\n[profile work]\nsso_session = corp\n${taken}`,
  'a start URL in the profile': () => `[profile work]\n${portal()}${taken}`,
}
const writeConfig = (form: keyof typeof forms): void => writeFileSync(join(home, '.aws/config'), forms[form]())

const env = (): Record<string, string> => ({
  ...{ HOME: home, PATH: process.env['PATH'] ?? '', AWS_PAGER: '', BROWSER: 'true' },
  ...{ CLOUDTOKEN_URL: sso.startUrl, CLOUDTOKEN_SSO_REGION: sso.region, ...sso.env },
})
const cloudtoken = (...words: string[]): Promise<Result> => place.run(words, { env: env() })
const credentials = async (): Promise<Result> => cloudtoken('credential-process', '--role', role)

async function signInAtTerminal(): Promise<void> {
  const screen = atTerminal(place, [...command, '--device-code', '--role', role], env())
  await screen.seen(/Using role/)
  expect(await screen.ended).toBe(0)
}

/** Version 2.9 of the AWS CLI calls elsewhere only where its rules for endpoints say so. */
function pointCliAt(url: string): void {
  const flag = (builtIn: string): object => ({ builtIn, required: true, default: false, type: 'Boolean' })
  const text = (builtIn: string): object => ({ builtIn, required: false, type: 'String' })
  const rules = {
    version: '1.0',
    parameters: {
      Region: text('AWS::Region'),
      UseDualStack: flag('AWS::UseDualStack'),
      UseFIPS: flag('AWS::UseFIPS'),
      Endpoint: text('SDK::Endpoint'),
    },
    rules: [{ conditions: [], endpoint: { url, properties: {}, headers: {} }, type: 'endpoint' }],
  }
  for (const service of ['sso', 'sso-oidc']) {
    const folder = join(home, '.aws/models', service, '2019-06-10')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'endpoint-rule-set-1.json'), JSON.stringify(rules))
  }
}

describe.skipIf(!(await present('cli2')))('the AWS CLI, version 2', () => {
  async function aws(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await run(awsCli2, words, { env: env(), timeoutMs: 60_000 })
    expect([code, stderr]).toEqual([0, ''])
    return stdout
  }
  const keysOfCli = async (): Promise<unknown> =>
    JSON.parse(await aws('configure', 'export-credentials', '--profile', 'work'))

  test.each(Object.keys(forms) as (keyof typeof forms)[])('%s: its sign-in is ours, its logout too', async form => {
    pointCliAt(sso.url)
    writeConfig(form)
    await aws('sso', 'login', '--profile', 'work', '--no-browser')
    sso.calls.length = 0
    const { code, stdout } = await credentials()
    expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ AccessKeyId: `ASIA${account}` })])
    expect(sso.calls).toEqual([`GET /federation/credentials ${account} Admin`])
    await aws('sso', 'logout')
    const after = await cloudtoken('--role', role)
    expect([after.code, after.stderr]).toEqual([11, expect.stringContaining('aws sso login')])
  })

  test.each(Object.keys(forms) as (keyof typeof forms)[])('%s: our sign-in is its own', async form => {
    pointCliAt(sso.url)
    writeConfig(form)
    await signInAtTerminal()
    sso.calls.length = 0
    expect(await keysOfCli()).toMatchObject({ AccessKeyId: `ASIA${account}` })
    expect(sso.calls).toEqual([`GET /federation/credentials ${account} Admin`])
  })
})

describe.skipIf(!(await present('boto3')))('boto3', () => {
  const script = `
import boto3
print(boto3.Session(profile_name='work').get_credentials().get_frozen_credentials().access_key)
`
  async function boto(): Promise<string> {
    const { stdout, stderr } = await run(python('python3') ?? 'python3', ['-c', script], {
      env: env(),
      timeoutMs: 60_000,
    })
    expect(stderr).toBe('')
    return stdout.trim()
  }
  const files = (): string[] =>
    readdirSync(join(home, '.aws/sso/cache')).map(name => join(home, '.aws/sso/cache', name))

  test.each(Object.keys(forms) as (keyof typeof forms)[])('%s: our sign-in is its own', async form => {
    writeConfig(form)
    await signInAtTerminal()
    expect(await boto()).toBe(`ASIA${account}`)
  })

  test('what it renews we use, and the other way round', async () => {
    writeConfig('an sso-session')
    sso.tokens.seconds = 600
    await signInAtTerminal()
    const [file = ''] = files()
    const tokenOf = (): string =>
      (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>)['accessToken'] ?? ''
    const first = tokenOf()
    sso.calls.length = 0
    expect(await boto()).toBe(`ASIA${account}`)
    expect(sso.calls[0]).toBe('POST /token refresh_token')
    const second = tokenOf()
    expect(second).not.toBe(first)
    sso.calls.length = 0
    expect((await credentials()).code).toBe(0)
    expect(sso.calls[0]).toBe('POST /token refresh_token')
    expect(tokenOf()).not.toBe(second)
    expect(await boto()).toBe(`ASIA${account}`)
    expect(files()).toEqual([file])
  })
})
