import { describe, expect, test } from 'bun:test'
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { listen } from '../../scripts/demo-http.ts'
import { until } from '../until.ts'
import { password, roles, usePlace, withPassword, type Daemon } from './cli.ts'
import { endpointsIn, readEndpoint, type Endpoint } from './container.ts'

const place = await usePlace()
const nowhere: Endpoint = { uri: '', file: '' }

/** A daemon without root, and the endpoints that it prints. */
async function start(args: readonly string[], env = {}): Promise<{ daemon: Daemon; endpoints: Endpoint[] }> {
  const daemon = await place.daemon(args, { env })
  const shown = await daemon.seen(/TOKEN_FILE=[^]*AWS_EC2_METADATA_SERVICE_ENDPOINT=/)
  return { daemon, endpoints: endpointsIn(shown) }
}

const keysOf = (endpoints: readonly Endpoint[]): Promise<(string | undefined)[]> =>
  Promise.all(endpoints.map(async endpoint => (await readEndpoint(endpoint)).set['AccessKeyId']))

describe('-d --container-endpoint', () => {
  test('hands out what the metadata service does, to who has the token; the file goes with the daemon', async () => {
    const words = ['--role', 'Read-Only-Role', '--container-endpoint', '127.0.0.1:0']
    const { daemon, endpoints } = await start(words)
    const [{ uri, file } = nowhere, ...more] = endpoints
    expect([more, uri]).toEqual([[], expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/role\/Read-Only-Role$/)])
    const { set } = await readEndpoint({ uri, file })
    const tokens = place.tokens()
    expect(set).toEqual({
      AccessKeyId: tokens.AccessKeyId,
      SecretAccessKey: tokens.SecretAccessKey,
      Token: tokens.Token,
      Expiration: tokens.Expiration,
      AccountId: '123456789012',
      RoleArn: roles[0] ?? '',
    })
    expect([statSync(file).mode & 0o777, statSync(join(file, '..')).mode & 0o777]).toEqual([0o600, 0o700])
    expect((await fetch(uri)).status).toBe(401)
    daemon.child.kill('SIGTERM')
    const { code, stdout, stderr } = await daemon.done
    expect(code).toBe(0)
    expect(stdout + stderr).not.toContain(set['SecretAccessKey'] ?? '?')
    expect(stderr).toContain(`"GET ${uri} HTTP/1.1" 401`)
    expect(existsSync(file)).toBe(false)
  })

  test('several roles: a path and a token each, one sign-in, each renewed by its own loop', async () => {
    const before = [place.idp.passwords(), place.idp.assertions(), place.sts.assumed().length] as const
    const also = ['--role', 'User-Role', '--role', `${roles[0]},arn:aws:iam::123456789012:saml-provider/demo`]
    const args = ['--role', 'Sysadmin-Role', ...also, '--also-role', 'Sysadmin-Role', '--refresh-interval', '1']
    const { endpoints } = await start([...args, '--container-endpoint', '127.0.0.1:0'])
    expect(endpoints.map(({ uri }) => uri.replace(/.*\//, ''))).toEqual([
      'Sysadmin-Role',
      'User-Role',
      'Read-Only-Role',
    ])
    expect(place.idp.assertions()).toBe(before[1] + 1)
    for (const [index, role] of [roles[1], roles[2], roles[0]].entries()) {
      expect((await readEndpoint(endpoints[index] ?? nowhere)).set['RoleArn']).toBe(role ?? '')
    }
    const [first = nowhere, second = nowhere] = endpoints
    expect((await readEndpoint({ ...first, uri: second.uri })).status).toBe(403)
    const seen = endpoints.map(() => new Set<string>())
    await until(async () => {
      for (const [index, key] of (await keysOf(endpoints)).entries()) seen[index]?.add(key ?? '')
      return seen.every(each => each.size > 2)
    }, 'three keys of each')
    for (const each of seen) expect([...each].join(' ')).toMatch(/^ASIA\w+( ASIA\w+)+$/)
    const times = place.sts.assumed().slice(before[2])
    const rounds = Math.max(...roles.map(role => times.filter(assumed => assumed === role).length))
    expect(place.idp.passwords()).toBe(before[0] + 1)
    // One sign-in serves a round of all three.
    expect(place.idp.assertions() - before[1]).toBeLessThanOrEqual(rounds + 2)
  }, 60_000)

  test('when a person is needed, one message for all roles; one sign-in elsewhere, and all go on', async () => {
    const file = join(place.home, 'password')
    writeFileSync(file, password, { mode: 0o600 })
    const args = ['--role', 'Sysadmin-Role', '--also-role', 'User-Role', '--refresh-interval', '1']
    const words = [...args, '--password-file', file, '--container-endpoint', '127.0.0.1:0']
    const { daemon, endpoints } = await start(words, { CLOUDTOKEN_PASSWORD: '' })
    writeFileSync(file, 'not the password any more', { mode: 0o600 })
    place.idp.endSessions()
    await daemon.seen(/hint: run cloudtoken in another terminal/)
    await Bun.sleep(1500)
    const posted = place.idp.passwords()
    const kept = await keysOf(endpoints)
    expect(kept).toEqual([expect.stringMatching(/^ASIA/), expect.stringMatching(/^ASIA/)])
    expect(place.idp.passwords()).toBe(posted)
    await place.run(['-r', '1'], { env: withPassword })
    const renewed = await until(async () => {
      const keys = await keysOf(endpoints)
      return keys.every(key => !kept.includes(key)) && keys
    }, 'new keys')
    expect(renewed).toEqual([expect.stringMatching(/^ASIA/), expect.stringMatching(/^ASIA/)])
    daemon.child.kill('SIGTERM')
    expect((await daemon.done).stderr.match(/cannot renew/g)).toHaveLength(1)
  }, 60_000)

  test('what cannot be: a taken port, no HOST:PORT, other roles without an endpoint, a role that is not offered', async () => {
    const holder = await listen(createServer())
    const run = async (...args: string[]): Promise<readonly [number | null, string]> => {
      const words = ['-d', '-r', '1', '--listen', '127.0.0.1:0', ...args]
      const { code, stderr } = await place.run(words, { env: withPassword })
      return [code, stderr]
    }
    const before = place.idp.passwords()
    expect(await run('--container-endpoint', new URL(holder.origin).host)).toEqual([
      40,
      expect.stringContaining('hint: --container-endpoint 127.0.0.1:0'),
    ])
    await holder.stop()
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
    const { daemon } = await start(['-r', '1', '--container-endpoint', '0.0.0.0:0'])
    await daemon.seen(
      /AWS clients take container credentials over http from loopback alone, not from http:\/\/0\.0\.0\.0/,
    )
  })
})
