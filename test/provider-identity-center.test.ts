/** Signing in at IAM Identity Center, against its services as they are documented. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/command-context.ts'
import type { Settings } from '../src/options.ts'
import { createIdentityCenter } from '../src/provider-identity-center.ts'
import type { ProviderContext } from '../src/provider.ts'
import type { Run } from '../src/run.ts'
import type { RoleCounter } from '../src/types.ts'
import { testContext, type TestContext } from './context.ts'
import { failureOf } from './failure.ts'
import { startFakeSso, type FakeSso } from './fake-sso.ts'

const production = '111111111111'
const sandbox = '222222222222'
const admin = `arn:aws:iam::${production}:role/AdministratorAccess`
const accounts = {
  [production]: { name: 'Production', roles: ['AdministratorAccess', 'ReadOnly', 'Billing'] },
  [sandbox]: { name: 'Sandbox (all)', roles: ['Developer'] },
  '333333333333': { name: 'Empty', roles: [] },
}

let sso: FakeSso
let home: string
let stopping: FakeSso['stop']

beforeEach(async () => {
  sso = await startFakeSso({ accounts })
  stopping = sso.stop
  home = mkdtempSync(join(tmpdir(), 'cloudtoken-center-'))
})
afterEach(async () => {
  rmSync(home, { recursive: true })
  await stopping()
})

const cache = (): string => join(home, '.aws', 'sso', 'cache')
const fileOf = (name: string): string => join(cache(), `${createHash('sha1').update(name).digest('hex')}.json`)
const noPrograms: Run = () => Promise.resolve({ code: 127, stdout: '', stderr: '' })

interface Attempt {
  readonly settings?: Partial<Settings>
  readonly mode?: 'login' | 'refresh'
  readonly env?: Readonly<Record<string, string>>
  readonly run?: Run
  readonly context?: Partial<ProviderContext>
}

interface Made extends TestContext {
  readonly offer: RoleCounter
}

async function enter({ settings, mode, env, run = noPrograms, context }: Attempt = {}): Promise<Made> {
  const url = sso.startUrl
  const made = await testContext({ settings: { url, ssoRegion: sso.region, ...settings }, mode: mode ?? 'login' })
  const provider = createIdentityCenter({ platform: 'linux', env: { HOME: home, ...sso.env, ...env }, run })
  const offer = await provider.authenticate({ ...made.context, ...context })
  if (offer.kind !== 'roles') throw new Error(`a ${offer.kind}`)
  return { ...made, offer }
}

function writeCache(name: string, more: Record<string, unknown>): void {
  mkdirSync(cache(), { recursive: true })
  writeFileSync(fileOf(name), JSON.stringify({ startUrl: sso.startUrl, region: sso.region, ...more }))
}

function readCache(name: string): Record<string, string> {
  return JSON.parse(readFileSync(fileOf(name), 'utf8')) as Record<string, string>
}

describe('with a code on any device', () => {
  test('told, waited for, slower when asked to; then accounts, roles and credentials', async () => {
    sso.device.polls = 3
    const { offer, told, asked, logged, waited } = await enter()
    expect(told.join()).toContain('https://device.sso.eu-west-1.amazonaws.com/?user_code=ABCD-EFGH')
    expect(told.join()).toContain('ABCD-EFGH')
    // One second, then five more with each answer after `slow_down`.
    expect(waited()).toBe(1000 + 6000 * 3)
    const { roles, names } = await offer.list()
    expect(roles.map(role => role.roleArn).toSorted()).toEqual([
      admin,
      `arn:aws:iam::${production}:role/Billing`,
      `arn:aws:iam::${production}:role/ReadOnly`,
      `arn:aws:iam::${sandbox}:role/Developer`,
    ])
    expect([...names]).toEqual([
      [production, 'Production'],
      [sandbox, 'Sandbox (all)'],
      ['333333333333', 'Empty'],
    ])
    const credentials = await offer.take({ roleArn: admin, providerArn: '' })
    expect(credentials).toMatchObject({ accessKeyId: `ASIA${production}`, roleArn: admin, accountId: production })
    expect(credentials.expiration.getTime()).toBeGreaterThan(Date.now() + 3_500_000)
    expect(asked).toEqual([])
    const said = [...told, ...logged].join('')
    for (const secret of ['aoaAccess', 'aorRefresh', credentials.secretAccessKey, credentials.sessionToken])
      expect(said).not.toContain(secret)
  })

  test('the token is kept as the AWS CLI keeps it, and used again without a question', async () => {
    await enter()
    const kept = readCache(sso.startUrl)
    expect(Object.keys(kept)).toEqual([
      ...['startUrl', 'region', 'accessToken', 'expiresAt', 'clientId', 'clientSecret'],
      ...['registrationExpiresAt', 'refreshToken'],
    ])
    expect(kept['startUrl']).toBe(sso.startUrl)
    expect(kept['expiresAt']).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(statSync(fileOf(sso.startUrl)).mode & 0o777).toBe(0o600)
    expect(readdirSync(cache())).toHaveLength(1)
    sso.calls.length = 0
    const { offer } = await enter({ mode: 'refresh' })
    await offer.take({ roleArn: admin, providerArn: '' })
    expect(sso.calls).toEqual([`GET /federation/credentials ${production} AdministratorAccess`])
  })

  test('refused, and not confirmed in time', async () => {
    sso.device.answer = 'deny'
    expect(await failureOf(enter())).toMatchObject({ kind: 'refused', code: 'sso-denied' })
    sso.device.answer = 'expire'
    expect(await failureOf(enter())).toMatchObject({ kind: 'refused', code: 'sso-expired' })
    sso.device.polls = 1000
    expect(await failureOf(enter())).toMatchObject({ kind: 'refused', code: 'sso-expired' })
    expect(existsSync(fileOf(sso.startUrl))).toBe(false)
  })

  test('nobody is there: said, and nothing is begun', async () => {
    const ask = { ...(await testContext()).context.ask, interactive: false }
    expect(await failureOf(enter({ context: { ask } }))).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
    expect(await failureOf(enter({ mode: 'refresh' }))).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
    expect(sso.calls).toEqual([])
  })

  test('a start URL that the region does not know', async () => {
    const error = await failureOf(enter({ settings: { url: 'https://d-0000000000.awsapps.com/start' } }))
    expect(error).toMatchObject({ kind: 'config', code: 'sso-portal' })
    expect(error.hint).toContain('--sso-region')
  })
})

describe('in the browser', () => {
  /** Finds the address in the page that the browser is given, and does there what a person does. */
  function browserThat(deed: (address: string) => Promise<void>): Pick<Attempt, 'run' | 'env' | 'context'> {
    const run: Run = async (_, args) => {
      const page = readFileSync(args.at(-1) ?? '', 'utf8')
      const address = /url=([^"]+)"/
        .exec(page)?.[1]
        ?.replace(/&#(\d+);/g, (_all, code: string) => String.fromCharCode(Number(code)))
      await deed(address ?? '')
      return { code: 0, stdout: '', stderr: '' }
    }
    return { run, env: { DISPLAY: ':0' }, context: onDisk() }
  }

  /** Time that passes, and files that a browser can read. */
  function onDisk(): Pick<ProviderContext, 'clock' | 'store'> {
    const store = { read: () => undefined, write() {}, remove() {}, pathOf: (name: string) => join(home, name) }
    return { clock: systemClock, store }
  }

  test('authorization code with PKCE; what is not the answer is passed over', async () => {
    const seen: number[] = []
    const attempt = browserThat(async address => {
      const back = sso.browse(address)
      const forged = new URL(back)
      forged.searchParams.set('state', 'guessed')
      seen.push((await fetch(forged)).status)
      seen.push((await fetch(new URL('/', back))).status)
      seen.push((await fetch(back, { headers: { host: 'evil.example' } })).status)
      seen.push((await fetch(back, { method: 'POST' })).status)
      const page = await fetch(back)
      seen.push(page.status)
      expect(await page.text()).toContain('You are signed in')
      expect(page.headers.get('cache-control')).toBe('no-store')
    })
    const { offer, logged, told } = await enter(attempt)
    expect(seen).toEqual([400, 404, 404, 404, 200])
    expect(sso.calls).toEqual(['POST /client/register', 'POST /token authorization_code'])
    expect((await offer.take({ roleArn: admin, providerArn: '' })).accountId).toBe(production)
    expect([...told, ...logged].join('')).not.toContain('aoaAccess')
    expect(readdirSync(join(home, 'page'))).toEqual([])
  })

  test('refused at the page', async () => {
    const attempt = browserThat(async address => void (await fetch(sso.browse(address, 'deny'))))
    expect(await failureOf(enter(attempt))).toMatchObject({ kind: 'refused', code: 'sso-denied' })
  })

  test('nobody signs in', async () => {
    const attempt = browserThat(async () => {})
    const error = await failureOf(enter({ ...attempt, settings: { browserTimeout: 1 } }))
    expect(error).toMatchObject({ kind: 'person', code: 'sso-timeout' })
  })

  test.each([
    ['there is none to open', { DISPLAY: ':0' }, {}],
    ['there is no screen', {}, {}],
    ['the screen is somewhere else', { DISPLAY: ':0', SSH_CONNECTION: '10.0.0.1 5 10.0.0.2 22' }, {}],
    ['a person says so', { DISPLAY: ':0' }, { deviceCode: true }],
  ])('a code instead: %s', async (_, env, settings) => {
    await enter({ env, settings, context: onDisk() })
    expect(sso.calls.at(-1)).toBe('POST /token device_code')
  })
})

describe('a session that goes on', () => {
  test('an old token is renewed in silence, before it ends', async () => {
    await enter()
    const first = readCache(sso.startUrl)
    writeCache(sso.startUrl, { ...first, expiresAt: new Date(Date.now() + 600_000).toISOString() })
    sso.calls.length = 0
    const { offer } = await enter({ mode: 'refresh' })
    expect(sso.calls).toEqual(['POST /token refresh_token'])
    expect(offer.sessionEnd).toBeUndefined()
    const second = readCache(sso.startUrl)
    expect(second['accessToken']).not.toBe(first['accessToken'])
    expect(second['refreshToken']).not.toBe(first['refreshToken'])
    expect(second['registrationExpiresAt']).toBe(first['registrationExpiresAt'] ?? '')
  })

  test('a new token that cannot be written is good all the same', async () => {
    await enter()
    writeCache(sso.startUrl, { ...readCache(sso.startUrl), expiresAt: new Date(Date.now() - 1000).toISOString() })
    // A name that leaves no room for that of a temporary file beside it.
    const full = join(home, 't'.repeat(250))
    renameSync(fileOf(sso.startUrl), full)
    symlinkSync(full, fileOf(sso.startUrl))
    const { offer, logged } = await enter()
    expect((await offer.take({ roleArn: admin, providerArn: '' })).accountId).toBe(production)
    expect(logged.join('\n')).toContain('cannot write')
  })

  test('a refresh token that is refused: the old token while it is good, then a person', async () => {
    await enter()
    const kept = readCache(sso.startUrl)
    writeCache(sso.startUrl, { ...kept, expiresAt: new Date(Date.now() + 600_000).toISOString(), refreshToken: 'old' })
    await enter({ mode: 'refresh' })
    expect(sso.calls.at(-1)).toBe('POST /token refresh_token')
    writeCache(sso.startUrl, { ...kept, expiresAt: new Date(Date.now() - 1000).toISOString(), refreshToken: 'old' })
    expect(await failureOf(enter({ mode: 'refresh' }))).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
  })

  test('ended by somebody: once more with the refresh token, else a person', async () => {
    const { offer } = await enter()
    await offer.take({ roleArn: admin, providerArn: '' })
    sso.endSessions()
    // A person is there: they sign in again.
    expect((await offer.take({ roleArn: admin, providerArn: '' })).accountId).toBe(production)
    sso.endSessions()
    sso.calls.length = 0
    const many = await Promise.all(Array.from({ length: 6 }, () => offer.take({ roleArn: admin, providerArn: '' })))
    expect(many).toHaveLength(6)
    expect(sso.calls.filter(call => call === 'POST /device_authorization')).toHaveLength(1)
    sso.endSessions()
    const silent = await enter({ mode: 'refresh' })
    const error = await failureOf(silent.offer.take({ roleArn: admin, providerArn: '' }))
    expect(error).toMatchObject({ kind: 'person', code: 'idp-session-ended' })
  })

  test('without a refresh token the end is known', async () => {
    sso.tokens.refresh = false
    const { offer } = await enter()
    const left = (offer.sessionEnd?.getTime() ?? 0) - Date.now()
    expect(Math.abs(left - 3_600_000)).toBeLessThan(60_000)
  })

  test('logout ends it there, and removes the file of this one alone', async () => {
    await enter()
    writeFileSync(fileOf('somebody else'), '{}')
    const { context } = await testContext({ settings: { url: sso.startUrl, ssoRegion: sso.region } })
    const provider = createIdentityCenter({ platform: 'linux', env: { HOME: home, ...sso.env }, run: noPrograms })
    await provider.forget?.(context)
    await provider.forget?.(context)
    expect(sso.calls.filter(call => call === 'POST /logout')).toHaveLength(1)
    expect(readdirSync(cache()).map(name => join(cache(), name))).toEqual([fileOf('somebody else')])
  })

  test('logout with a token that has ended: renewed, so that the session ends', async () => {
    await enter()
    writeCache(sso.startUrl, { ...readCache(sso.startUrl), expiresAt: '2026-01-01T00:00:00Z' })
    const { context } = await testContext({ settings: { url: sso.startUrl, ssoRegion: sso.region } })
    sso.calls.length = 0
    await createIdentityCenter({ platform: 'linux', env: { HOME: home, ...sso.env }, run: noPrograms }).forget?.(
      context,
    )
    expect([sso.calls, readdirSync(cache())]).toEqual([['POST /token refresh_token', 'POST /logout'], []])
  })
})

describe('the cache of the AWS CLI', () => {
  const config = (): void => {
    mkdirSync(join(home, '.aws'), { recursive: true })
    const text = `[sso-session corp]\nsso_region = ${sso.region}\nsso_start_url = ${sso.startUrl}\nsso_registration_scopes = sso:account:access\n`
    writeFileSync(join(home, '.aws', 'config'), text)
  }

  test('a token that it made for a session is used, in its older form too', async () => {
    const { offer } = await enter()
    await offer.list()
    const { accessToken } = readCache(sso.startUrl)
    config()
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z/, 'UTC')
    writeCache('corp', { accessToken, expiresAt })
    rmSync(fileOf(sso.startUrl))
    sso.calls.length = 0
    const { offer: again } = await enter({ mode: 'refresh', settings: { url: undefined, ssoRegion: undefined } })
    await again.take({ roleArn: admin, providerArn: '' })
    expect(sso.calls).toHaveLength(1)
  })

  test('a token of ours goes where it looks for one', async () => {
    config()
    await enter({ settings: { ssoSession: 'corp', url: undefined, ssoRegion: undefined } })
    expect(readdirSync(cache()).map(name => join(cache(), name))).toEqual([fileOf('corp')])
    expect(await failureOf(enter({ settings: { ssoSession: 'crop', url: undefined } }))).toMatchObject({
      kind: 'config',
      hint: 'did you mean corp?',
    })
  })

  test('of another portal, damaged, or empty: none', async () => {
    for (const text of [
      JSON.stringify({ startUrl: 'https://other.example/start', accessToken: 'a', expiresAt: '2099-01-01T00:00:00Z' }),
      '{"accessToken": "a"',
      '{"accessToken": "a\\nb", "expiresAt": "2099-01-01T00:00:00Z"}',
      '[]',
      'null',
      '',
    ]) {
      mkdirSync(cache(), { recursive: true })
      writeFileSync(fileOf(sso.startUrl), text)
      expect(await failureOf(enter({ mode: 'refresh' }))).toMatchObject({ kind: 'person' })
    }
    expect(sso.calls).toEqual([])
  })
})

describe('the portal', () => {
  test('too many requests are sent again, later', async () => {
    const { offer, waited } = await enter()
    const before = waited()
    sso.throttle(3)
    expect((await offer.list()).roles).toHaveLength(4)
    expect(waited()).toBeGreaterThan(before)
    sso.throttle(100)
    const error = await failureOf(offer.take({ roleArn: admin, providerArn: '' }))
    expect(error).toMatchObject({ kind: 'network', code: 'sso-refused' })
    sso.throttle(0)
  })

  test('a role that is not assigned', async () => {
    const { offer } = await enter()
    const error = await failureOf(offer.take({ roleArn: `arn:aws:iam::${sandbox}:role/Root`, providerArn: '' }))
    expect(error).toMatchObject({ kind: 'role', code: 'role-forbidden' })
    expect(error.message).toContain(`Root in the account ${sandbox}`)
  })

  test('hundreds of accounts, eight at a time', async () => {
    await sso.stop()
    const many = Array.from({ length: 60 }, (_, at) => [
      `${100_000_000_000 + at}`,
      { name: `a${at}`, roles: ['R', 'S', 'T'] },
    ])
    sso = await startFakeSso({ accounts: Object.fromEntries(many) as typeof accounts, delayMs: 20, pageSize: 100 })
    stopping = sso.stop
    const { offer, logged } = await enter()
    expect((await offer.list()).roles).toHaveLength(180)
    expect(sso.mostAtOnce()).toBeLessThanOrEqual(8)
    expect(sso.mostAtOnce()).toBeGreaterThan(4)
    expect(logged.join('')).toContain('reading the roles of 60 accounts')
    // Asked for once, however often it is looked at.
    sso.calls.length = 0
    await offer.list()
    expect(sso.calls).toEqual([])
  })

  test.each([
    ['a registration without an end', 'AWS_ENDPOINT_URL_SSO_OIDC', { clientId: 'a', clientSecret: 'b' }],
    ['a list without an end', 'AWS_ENDPOINT_URL_SSO', { accountList: [], nextToken: 'more' }],
    [
      'a key with a line end',
      'AWS_ENDPOINT_URL_SSO',
      { roleCredentials: { accessKeyId: 'a', secretAccessKey: 'b\nc', sessionToken: 'd', expiration: 9e12 } },
    ],
  ])('%s is no answer', async (_, variable, body) => {
    const other = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => Response.json(body) })
    try {
      const env = { [variable]: `http://127.0.0.1:${other.port}` }
      const use = async (): Promise<unknown> => {
        const { offer } = await enter({ env })
        return 'accountList' in body ? await offer.list() : await offer.take({ roleArn: admin, providerArn: '' })
      }
      expect(await failureOf(use())).toMatchObject({ kind: 'network', code: 'sso-answer' })
    } finally {
      await other.stop(true)
    }
  })

  test('an answer of somebody else says so', async () => {
    const other = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: () => new Response('<html>Sign in to the proxy</html>'),
    })
    const env = { AWS_ENDPOINT_URL_SSO_OIDC: `http://127.0.0.1:${other.port}` }
    expect(await failureOf(enter({ env }))).toMatchObject({ kind: 'network', code: 'sso-answer' })
    await other.stop(true)
  })
})
