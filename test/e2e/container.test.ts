import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { makePlace, password, roles, type Place, type Running } from './cli.ts'

let place: Place
let running: Running | undefined
let home: string
beforeAll(async () => {
  place = await makePlace()
})
beforeEach(() => {
  home = mkdtempSync(join(place.home, 'home-'))
})
afterEach(async () => {
  running?.child.kill('SIGKILL')
  await running?.done
  running = undefined
})
afterAll(() => place.stop())

interface Client {
  readonly url: string
  readonly file: string
  get(url?: string): Promise<{ status: number; set: Record<string, string> }>
}

/** A daemon without root; one client for each pair of lines that it prints. */
async function start(args: readonly string[], env = {}): Promise<readonly Client[]> {
  running = place.start(['-d', '--listen', '127.0.0.1:0', ...args], {
    env: { HOME: home, CLOUDTOKEN_PASSWORD: password, ...env },
  })
  const shown = await running.seen(/AWS_EC2_METADATA_SERVICE_ENDPOINT=/)
  const lines = /-{54}\n((?:AWS_CONTAINER_.*\n)+)/.exec(shown)?.[1] ?? ''
  const pairs = lines.matchAll(
    /^AWS_CONTAINER_CREDENTIALS_FULL_URI=(.*)\nAWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=(.*)\n/gm,
  )
  return [...pairs].map(([, url = '', file = '']) => ({
    url,
    file,
    async get(other = url) {
      const response = await fetch(other, { headers: { authorization: readFileSync(file, 'utf8') } })
      return { status: response.status, set: (await response.json()) as Record<string, string> }
    },
  }))
}

async function keys(client: Client | undefined, seconds: number): Promise<Set<string>> {
  const seen = new Set<string>()
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await Bun.sleep(50)) {
    const { set } = (await client?.get()) ?? {}
    seen.add(set?.['AccessKeyId'] ?? JSON.stringify(set))
  }
  return seen
}

describe('-d --container-endpoint', () => {
  test('hands out what the metadata service does, to who has the token; the file goes with the daemon', async () => {
    const [client, ...more] = await start(['--role', 'Read-Only-Role', '--container-endpoint', '127.0.0.1:0'])
    expect(more).toEqual([])
    expect(client?.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/role\/Read-Only-Role$/)
    const { set } = (await client?.get()) ?? {}
    const tokens = JSON.parse(readFileSync(join(home, '.config/cloudtoken/tokens.json'), 'utf8'))
    expect(set).toEqual({
      AccessKeyId: tokens.AccessKeyId,
      SecretAccessKey: tokens.SecretAccessKey,
      Token: tokens.Token,
      Expiration: tokens.Expiration,
      AccountId: '123456789012',
      RoleArn: roles[0] ?? '',
    })
    const file = client?.file ?? ''
    expect([statSync(file).mode & 0o777, statSync(join(file, '..')).mode & 0o777]).toEqual([0o600, 0o700])
    expect((await fetch(client?.url ?? '')).status).toBe(401)
    running?.child.kill('SIGTERM')
    const { code, stdout, stderr } = await (running as Running).done
    expect(code).toBe(0)
    expect(stdout + stderr).not.toContain(set?.['SecretAccessKey'] ?? '?')
    expect(stderr).toContain(`"GET ${client?.url} HTTP/1.1" 401`)
    expect(existsSync(file)).toBe(false)
  })

  test('several roles: a path and a token each, one sign-in, each renewed by its own loop', async () => {
    const before = [place.idp.passwords(), place.idp.assertions()]
    const also = ['--role', 'User-Role', '--role', `${roles[0]},arn:aws:iam::123456789012:saml-provider/demo`]
    const args = ['--role', 'Sysadmin-Role', ...also, '--also-role', 'Sysadmin-Role', '--refresh-interval', '1']
    const clients = await start([...args, '--container-endpoint', '127.0.0.1:0'])
    expect(clients.map(({ url }) => url.replace(/.*\//, ''))).toEqual(['Sysadmin-Role', 'User-Role', 'Read-Only-Role'])
    expect(place.idp.assertions()).toBe((before[1] ?? 0) + 1)
    for (const [index, role] of [roles[1], roles[2], roles[0]].entries()) {
      expect((await clients[index]?.get())?.set['RoleArn']).toBe(role ?? '')
    }
    expect((await clients[0]?.get(clients[1]?.url))?.status).toBe(403)
    const seen = await Promise.all(clients.map(client => keys(client, 4)))
    for (const each of seen) expect(each.size).toBeGreaterThan(2)
    const rounds = Math.max(...seen.map(each => each.size))
    expect(place.idp.passwords()).toBe((before[0] ?? 0) + 1)
    // One sign-in serves a round of all three.
    expect(place.idp.assertions() - (before[1] ?? 0)).toBeLessThanOrEqual(rounds + 2)
  }, 60_000)

  test('when a person is needed, one message for all roles; one sign-in elsewhere, and all go on', async () => {
    const file = join(home, 'password')
    writeFileSync(file, password, { mode: 0o600 })
    const args = ['--role', 'Sysadmin-Role', '--also-role', 'User-Role', '--refresh-interval', '1']
    const clients = await start([...args, '--password-file', file, '--container-endpoint', '127.0.0.1:0'], {
      CLOUDTOKEN_PASSWORD: '',
    })
    writeFileSync(file, 'not the password any more', { mode: 0o600 })
    place.idp.endSessions()
    await running?.seen(/hint: run cloudtoken in another terminal/)
    await Bun.sleep(1500)
    const posted = place.idp.passwords()
    const now = (): Promise<(string | undefined)[]> =>
      Promise.all(clients.map(async client => (await client.get()).set['AccessKeyId']))
    const kept = await now()
    expect(kept).toEqual([expect.stringMatching(/^ASIA/), expect.stringMatching(/^ASIA/)])
    expect(place.idp.passwords()).toBe(posted)
    await place.run(['-r', '1'], { env: { HOME: home, CLOUDTOKEN_PASSWORD: password } })
    let renewed = kept
    for (const end = Date.now() + 20_000; Date.now() < end && renewed.some((key, index) => key === kept[index]);) {
      await Bun.sleep(100)
      renewed = await now()
    }
    expect(renewed).toEqual([expect.stringMatching(/^ASIA/), expect.stringMatching(/^ASIA/)])
    expect(renewed.some(key => kept.includes(key))).toBe(false)
    running?.child.kill('SIGTERM')
    expect((await (running as Running).done).stderr.match(/cannot renew/g)).toHaveLength(1)
  }, 60_000)

  test('what cannot be: a taken port, no HOST:PORT, other roles without an endpoint, a role that is not offered', async () => {
    const holder = createServer()
    await new Promise<void>(resolve => holder.listen(0, '127.0.0.1', resolve))
    const address = holder.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const run = async (...args: string[]): Promise<readonly [number | null, string]> => {
      const env = { HOME: home, CLOUDTOKEN_PASSWORD: password }
      const { code, stderr } = await place.run(['-d', '-r', '1', '--listen', '127.0.0.1:0', ...args], { env })
      return [code, stderr]
    }
    const before = place.idp.passwords()
    expect(await run('--container-endpoint', `127.0.0.1:${port}`)).toEqual([
      40,
      expect.stringContaining('hint: --container-endpoint 127.0.0.1:0'),
    ])
    holder.close()
    expect(await run('--container-endpoint', 'here')).toEqual([
      2,
      expect.stringContaining('hint: --container-endpoint'),
    ])
    expect(await run('--also-role', 'User-Role')).toEqual([2, expect.stringContaining('--container-endpoint')])
    expect(place.idp.passwords()).toBe(before)
    const args = ['--container-endpoint', '127.0.0.1:0', '--also-role', 'Nobody']
    expect((await run(...args))[0]).toBe(12)
  })

  test('a host that no client takes is told', async () => {
    await start(['-r', '1', '--container-endpoint', '0.0.0.0:0'])
    await running?.seen(
      /AWS clients take container credentials over http from loopback alone, not from http:\/\/0\.0\.0\.0/,
    )
  })
})
