import { beforeEach, describe, expect, test } from 'bun:test'
import { connect, createServer } from 'node:net'
import { freePort } from '../../scripts/demo-http.ts'
import { until } from '../until.ts'
import { roles, usePlace, withPassword } from './cli.ts'
import { desktop } from './desktop.ts'

const place = await usePlace()
let listen: string
beforeEach(async () => {
  listen = `127.0.0.1:${await freePort()}`
  place.idp.endSessions()
})

const person = (...args: string[]) => place.run(args, { env: withPassword })
const get = (path = '') => fetch(`http://${listen}/latest/meta-data/iam/security-credentials/${path}`)

describe('-d --no-input without a session at the identity provider', () => {
  test('in the background it serves, says what is missing, and takes up the sign-in of a person with the role they had', async () => {
    expect((await person('-r', '2')).code).toBe(0)
    place.idp.endSessions()
    const { env, shown } = desktop(place.home, place.env['PATH'])
    const started = await place.run(['-d', '--background', '--no-input', '--listen', listen], { env })
    expect([started.code, started.stderr]).toEqual([0, expect.stringContaining('the daemon waits for a sign-in')])
    expect(await place.status()).toMatchObject({ state: 'needs-person', role: roles[1] })
    expect((await person('status')).stdout).toContain('run cloudtoken in a terminal and sign in')
    expect(await (await get()).text()).toBe('Sysadmin-Role')
    const answer = await get('Sysadmin-Role')
    expect(answer.status).toBe(200)
    const said = (await answer.json()) as Record<string, string>
    expect(said).toMatchObject({ Code: 'SignInRequired', Message: expect.stringContaining('run: cloudtoken') })
    expect(said).not.toHaveProperty('AccessKeyId')
    expect(await (await fetch(`http://${listen}/latest/meta-data`)).text()).toContain('iam/')

    expect((await person('-r', '2')).code).toBe(0)
    const served = await until(async () => {
      const set = (await (await get('Sysadmin-Role')).json()) as Record<string, string>
      return set['Code'] === 'Success' && set
    }, 'credentials')
    expect(served['AccessKeyId']).toStartWith('ASIA')
    expect(await place.status()).toMatchObject({ state: 'serving', role: roles[1], lastError: null })
    expect(shown()).toHaveLength(1)
    await person('stop')
  }, 60_000)

  test('with no role known there is none to serve, until one is taken', async () => {
    const running = place.start(['-d', '--no-input', '--listen', listen])
    await running.seen(/waits for a sign-in/)
    expect((await until(get, 'the port')).status).toBe(404)
    expect(await place.status()).toMatchObject({ state: 'needs-person', role: null })
    expect((await person('-r', '3')).code).toBe(0)
    expect(await until(async () => (await get()).ok && (await get()).text(), 'a role')).toBe('User-Role')
  }, 60_000)

  test('a refused password is tried once', async () => {
    const posted = place.idp.passwords()
    const running = place.start(['-d', '--no-input', '--listen', listen], {
      env: { CLOUDTOKEN_PASSWORD: 'wrong' },
    })
    await running.seen(/waits for a sign-in/)
    await until(get, 'the port')
    await Bun.sleep(6000)
    expect(place.idp.passwords()).toBe(posted + 1)
    expect(running.child.exitCode).toBeNull()
  }, 60_000)

  test('an identity provider that is not there yet is tried again', async () => {
    const port = await freePort()
    const url = place.idp.url.replace(/:\d+\//, `:${port}/`)
    const running = place.start(['-d', '--no-input', '--listen', listen, '-r', '1'], {
      env: { ...withPassword, CLOUDTOKEN_URL: url },
    })
    await running.seen(/waits for a sign-in/)
    expect(await until(place.status, 'an answer')).toMatchObject({ state: 'retrying', role: null })
    const server = createServer(from => {
      const to = connect(Number(new URL(place.idp.url).port), '127.0.0.1')
      from.pipe(to).pipe(from)
      for (const socket of [from, to]) socket.on('error', () => {})
    })
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    try {
      const { code } = await person('refresh')
      expect(code).toBe(0)
      expect(await (await get()).text()).toBe('Read-Only-Role')
    } finally {
      server.close()
    }
  }, 60_000)

  test('what no sign-in can mend ends it as ever', async () => {
    const { code } = await place.run(['-d', '--no-input', '--listen', listen, '--role', 'Nothing'], {
      env: withPassword,
    })
    expect(code).toBe(12)
  })
})
