import { afterEach, beforeEach, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { another, until } from '../until.ts'
import process from 'node:process'
import { run } from '../../src/run.ts'
import { makeProgram } from '../fake-runner.ts'
import { assumed, startFakeSts } from '../fake-sts.ts'
import { startFakeSso, type FakeSso } from '../fake-sso.ts'
import { command, usePlace, type Result } from './cli.ts'
import { atTerminal } from './screen.ts'

const production = '111111111111'
const admin = `arn:aws:iam::${production}:role/AdministratorAccess`
const reader = `arn:aws:iam::${production}:role/ReadOnly`
const developer = 'arn:aws:iam::222222222222:role/Developer'

const place = await usePlace()
let sso: FakeSso
beforeEach(async () => {
  sso = await startFakeSso({
    accounts: {
      [production]: { name: 'Production', roles: ['AdministratorAccess', 'ReadOnly'] },
      '222222222222': { name: 'Sandbox', roles: ['Developer'] },
    },
  })
})
afterEach(() => sso.stop())

const cacheFile = (): string =>
  join(place.home, '.aws/sso/cache', `${createHash('sha1').update(sso.startUrl).digest('hex')}.json`)
const cached = (): Record<string, string> => JSON.parse(readFileSync(cacheFile(), 'utf8')) as Record<string, string>

/** As `aws sso login` leaves it. */
function signIn(change: Record<string, string> = {}): void {
  mkdirSync(join(place.home, '.aws/sso/cache'), { recursive: true })
  writeFileSync(cacheFile(), JSON.stringify({ ...sso.issue(), ...change }))
}

function env(): Record<string, string> {
  return { CLOUDTOKEN_URL: sso.startUrl, CLOUDTOKEN_SSO_REGION: sso.region, ...sso.env }
}

const ask = (...words: string[]): Promise<Result> => place.run(words, { env: env() })

test('at a terminal: a code, the menu with names of accounts, and the next run asks nothing', async () => {
  const screen = atTerminal(place, [...command, '--device-code'], env())
  await screen.seen(/confirm the code ABCD-EFGH/)
  await screen.seen(/3\. arn:aws:iam::222222222222:role\/Developer/)
  await screen.type('sandb')
  await screen.seen(/Sandbox/)
  await screen.type('\r')
  await screen.seen(/Using role arn:aws:iam::222222222222:role\/Developer/)
  expect(await screen.ended).toBe(0)
  const tokens = place.tokens()
  expect(tokens.AccessKeyId).toBe('ASIA222222222222')
  const later = atTerminal(place, [...command], env())
  await later.seen(/3\. arn:aws:iam::222222222222:role\/Developer \(Sandbox, last used\)[^]*1\. arn/)
  // Number 1 is number 1, although it is not the first any more.
  await later.type('1')
  await later.seen(/1 match/)
  await later.type('\r')
  await later.seen(/Using role arn:aws:iam::111111111111:role\/AdministratorAccess/)
  sso.calls.length = 0
  const again = await ask('--refresh')
  expect([again.code, again.stdout]).toEqual([0, `Using role ${admin}\n`])
  expect(sso.calls).toEqual([`GET /federation/credentials ${production} AdministratorAccess`])
})

test('with a screen: the browser that xdg-open opens, and back', async () => {
  const follow = `
    const page = await Bun.file(process.argv.at(-1)).text()
    const url = /url=([^"]+)"/.exec(page)[1].replaceAll('&#38;', '&')
    if (!(await (await fetch(url)).text()).includes('You are signed in')) process.exit(1)
  `
  const bin = join(place.home, 'bin')
  makeProgram(bin, 'xdg-open', `exec '${process.execPath}' -e '${follow.replaceAll("'", `'\\''`)}' "$@"`)
  const screen = atTerminal(place, [...command, '--role', admin], {
    ...env(),
    PATH: `${bin}:${process.env['PATH']}`,
    DISPLAY: ':0',
  })
  await screen.seen(/sign in at IAM Identity Center in the browser/)
  await screen.seen(/Using role arn:aws:iam::111111111111:role\/AdministratorAccess/)
  expect(await screen.ended).toBe(0)
  expect(sso.calls).toContain('POST /token authorization_code')
  expect(existsSync(cacheFile())).toBe(true)
})

test('piped: the numbered list; --list with the names, as JSON too', async () => {
  signIn()
  const { code, stdout } = await place.run([], { env: env(), input: '2\n' })
  expect(code).toBe(0)
  const arns = [admin, reader, developer]
  const lines = arns.map((arn, at) => `    ${at + 1}. ${arn}`)
  expect(stdout).toBe(
    `Available roles to choose from:\n${lines.join('\n')}\n\n\nEnter number of role you want: 2\nUsing role ${reader}\n`,
  )
  const list = await ask('--list')
  expect(list.stdout).toBe(lines.map((line, at) => `${line} (${at === 2 ? 'Sandbox' : 'Production'})\n`).join(''))
  expect(JSON.parse((await ask('--list', '--json')).stdout)).toEqual(
    arns.map((roleArn, at) => ({
      number: at + 1,
      roleArn,
      providerArn: null,
      account: at === 2 ? '222222222222' : production,
      accountName: at === 2 ? 'Sandbox' : 'Production',
    })),
  )
})

test('a role by name is looked for, one by ARN is taken at once; one that is not ours is refused in words', async () => {
  signIn()
  expect((await ask('credential-process', '--role', 'Developer')).code).toBe(0)
  expect(sso.calls).toContain('GET /assignment/accounts')
  sso.calls.length = 0
  const one = await ask('credential-process', '--browser', '--role', admin)
  expect(JSON.parse(one.stdout)).toMatchObject({ Version: 1, AccessKeyId: `ASIA${production}`, AccountId: production })
  expect(sso.calls).toEqual([`GET /federation/credentials ${production} AdministratorAccess`])
  const other = await ask('credential-process', '--role', `arn:aws:iam::${production}:role/Root`)
  expect([other.code, other.stdout]).toEqual([12, ''])
  expect(other.stderr).toContain(`does not give you Root in the account ${production}`)
})

test('--all and setup-profiles: a profile for each role, by the names of the accounts', async () => {
  signIn()
  const all = await ask('--all', '--profile-name', '{name}-{role}')
  expect([all.code, all.stdout]).toEqual([
    0,
    'Production-AdministratorAccess\nProduction-ReadOnly\nSandbox-Developer\n',
  ])
  expect(all.stderr).toContain('3 of 3: ')
  expect(readFileSync(join(place.home, '.aws/credentials'), 'utf8').match(/^\[.*\]$/gm)).toHaveLength(3)
  const some = await ask('setup-profiles', '-f', 'Developer', '--profile-name', 'sandbox')
  expect([some.code, some.stdout]).toEqual([0, 'sandbox\n'])
  const line = /credential_process = (.*)/.exec(readFileSync(join(place.home, '.aws/config'), 'utf8'))?.[1] ?? ''
  const { CLOUDTOKEN_URL: _, CLOUDTOKEN_SSO_REGION: __, ...bare } = { ...place.env, ...env() }
  const { stdout } = await run('sh', ['-c', line], { env: bare })
  expect(JSON.parse(stdout)).toMatchObject({ AccountId: '222222222222' })
})

test('--all: what goes wrong with every role is said once, and what is there is written', async () => {
  signIn()
  const policy = ['--session-policy', 'arn:aws:iam::aws:policy/ReadOnlyAccess']
  const { code, stderr } = await ask('--all', ...policy)
  expect([code, stderr.match(/takes no --session-policy/g)?.length]).toEqual([2, 1])
})

test('a chain starts from the role', async () => {
  signIn()
  const sts = await startFakeSts()
  const deploy = 'arn:aws:iam::333333333333:role/Deploy'
  const expiration = '2099-01-01T00:00:00Z'
  sts.queue('AssumeRole', assumed({ action: 'AssumeRole', role: 'Deploy', expiration }))
  const { code, stdout } = await place.run(['--role', admin, '--chain', deploy], { env: { ...env(), ...sts.env } })
  expect([code, stdout]).toEqual([0, expect.stringContaining(`Using role ${admin}\n`)])
  const [request] = sts.requests
  expect(request?.parameters['RoleArn']).toBe(deploy)
  expect(String(request?.headers['authorization'])).toContain(`Credential=ASIA${production}/`)
  await sts.stop()
})

test('a policy without a chain is refused, not passed over', async () => {
  signIn()
  const policy = 'arn:aws:iam::aws:policy/ReadOnlyAccess'
  const { code, stderr } = await ask('--role', admin, '--session-policy', policy)
  expect([code, stderr]).toEqual([2, expect.stringContaining('identity-center takes no --session-policy')])
  expect(sso.calls).toEqual([])
})

test('nobody is there: exit code 11, with what to type', async () => {
  const { code, stderr } = await ask('credential-process', '--role', admin)
  expect([code, stderr]).toEqual([11, expect.stringContaining('hint: sign in with cloudtoken, or with aws sso login')])
  expect(sso.calls).toEqual([])
})

test('the daemon renews in silence; another role; the end of the session is known and told, and aws sso login is enough', async () => {
  sso.tokens.refresh = false
  signIn()
  const daemon = await place.daemon(['--role', admin, '--refresh-interval', '1'], {
    env: { ...env(), CLOUDTOKEN_PASSWORD: '' },
  })
  const secret = async (): Promise<string | undefined> => (await daemon.credentials())['SecretAccessKey']
  const first = await daemon.credentials()
  expect(first['AccessKeyId']).toBe(`ASIA${production}`)
  expect((await place.status())?.idpSessionEnd).toBe(cached()['expiresAt'] ?? '')
  await another(secret, first['SecretAccessKey'])
  const use = await ask('use', 'Developer')
  expect([use.code, (await daemon.credentials())['AccessKeyId']]).toEqual([0, 'ASIA222222222222'])
  sso.endSessions()
  await daemon.seen(/the session at d-1234567890\.awsapps\.com has ended/)
  // The last set goes on as long as it is good; nothing is tried before somebody signs in.
  expect((await daemon.credentials())['AccessKeyId']).toBe('ASIA222222222222')
  expect(await place.status()).toMatchObject({ state: 'needs-person' })
  const calls = sso.calls.length
  await Bun.sleep(1500)
  expect(sso.calls).toHaveLength(calls)
  sso.tokens.seconds = 7200
  signIn()
  await until(() => sso.calls.length > calls, 'another attempt')
  expect(sso.calls.at(-1)).toBe('GET /federation/credentials 222222222222 Developer')
}, 60_000)

test('logout ends the session there, and removes its file', async () => {
  signIn()
  const { code } = await ask('logout')
  expect([code, existsSync(cacheFile())]).toEqual([0, false])
  expect(sso.calls).toEqual(['POST /logout'])
})
