import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { freePort } from '../../scripts/demo-http.ts'
import { makePlace, password, roles, type Place, type Running } from './cli.ts'
import { desktop } from './desktop.ts'

let place: Place
let home: string
let listen: string
let running: Running | undefined
let behind: number | undefined
beforeAll(async () => {
  place = await makePlace()
})
beforeEach(async () => {
  home = mkdtempSync(join(place.home, 'home-'))
  listen = `127.0.0.1:${await freePort()}`
  place.idp.endSessions()
})
afterEach(async () => {
  running?.child.kill('SIGKILL')
  await running?.done
  running = undefined
  if (behind !== undefined && existsSync(`/proc/${behind}`)) process.kill(behind, 'SIGKILL')
  behind = undefined
})
afterAll(() => place.stop())

interface Status {
  readonly pid: number
  readonly state: string
  readonly role: string | null
  readonly lastError: string | null
}

const person = (...args: string[]) => place.run(args, { env: { HOME: home, CLOUDTOKEN_PASSWORD: password } })
const get = (path = '') => fetch(`http://${listen}/latest/meta-data/iam/security-credentials/${path}`)
const status = async (): Promise<Status> => JSON.parse((await person('status', '--json')).stdout)

async function until<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  for (let turn = 0; turn < 200; turn += 1) {
    const found = await look().catch(() => undefined)
    if (found !== undefined) return found
    await Bun.sleep(100)
  }
  throw new Error(`never: ${what}`)
}

describe('-d --no-input without a session at the identity provider', () => {
  test('in the background it serves, says what is missing, and takes up the sign-in of a person with the role they had', async () => {
    expect((await person('-r', '2')).code).toBe(0)
    place.idp.endSessions()
    const { env, shown } = desktop(home, place.env['PATH'])
    const started = await place.run(['-d', '--background', '--no-input', '--listen', listen], {
      env: { HOME: home, ...env },
    })
    expect([started.code, started.stderr]).toEqual([0, expect.stringContaining('the daemon waits for a sign-in')])
    const before = await status()
    behind = before.pid
    expect(before).toMatchObject({ state: 'needs-person', role: roles[1] })
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
      return set['Code'] === 'Success' ? set : undefined
    }, 'credentials')
    expect(served['AccessKeyId']).toStartWith('ASIA')
    expect(await status()).toMatchObject({ state: 'serving', role: roles[1], lastError: null })
    expect(shown()).toHaveLength(1)
    await person('stop')
  }, 60_000)

  test('with no role known there is none to serve, until one is taken', async () => {
    running = place.start(['-d', '--no-input', '--listen', listen], { env: { HOME: home } })
    await running.seen(/waits for a sign-in/)
    expect((await until(get, 'the port')).status).toBe(404)
    expect(await status()).toMatchObject({ state: 'needs-person', role: null })
    expect((await person('-r', '3')).code).toBe(0)
    expect(await until(async () => ((await get()).ok ? (await get()).text() : undefined), 'a role')).toBe('User-Role')
  }, 60_000)

  test('a refused password is tried once', async () => {
    const posted = place.idp.passwords()
    running = place.start(['-d', '--no-input', '--listen', listen], {
      env: { HOME: home, CLOUDTOKEN_PASSWORD: 'wrong' },
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
    running = place.start(['-d', '--no-input', '--listen', listen, '-r', '1'], {
      env: { HOME: home, CLOUDTOKEN_PASSWORD: password, CLOUDTOKEN_URL: url },
    })
    await running.seen(/waits for a sign-in/)
    expect(await until(status, 'an answer')).toMatchObject({ state: 'retrying', role: null })
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
      env: { HOME: home, CLOUDTOKEN_PASSWORD: password },
    })
    expect(code).toBe(12)
  })
})
