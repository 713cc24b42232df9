import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { freePort } from '../../scripts/demo-http.ts'
import type { Client } from '../../src/daemon-readers.ts'
import { makePlace, password, roles, type Place, type Result, type Running } from './cli.ts'

let place: Place
let home: string
let started: Running[]
beforeAll(async () => {
  place = await makePlace()
})
beforeEach(() => {
  home = mkdtempSync(join(place.home, 'h-'))
  started = []
})
afterEach(async () => {
  for (const { child } of started) child.kill('SIGKILL')
  await Promise.all(started.map(({ done }) => done))
})
afterAll(() => place.stop())

function startDaemon(listen: string, args: readonly string[] = []): Running {
  const env = { HOME: home, CLOUDTOKEN_PASSWORD: password }
  const running = place.start(['-d', '--listen', listen, '-r', '1', ...args], { env })
  started.push(running)
  return running
}

async function serving(args: readonly string[] = []): Promise<{ base: string; listen: string; running: Running }> {
  const listen = `127.0.0.1:${await freePort()}`
  const running = startDaemon(listen, args)
  await running.seen(/-{54}/)
  return { base: `http://${listen}`, listen, running }
}

const ask = (...args: string[]): Promise<Result> => place.run(args, { env: { HOME: home } })
const tokens = (): Record<string, string> =>
  JSON.parse(readFileSync(join(home, '.config/cloudtoken/tokens.json'), 'utf8'))

async function served(base: string): Promise<Record<string, string>> {
  const folder = `${base}/latest/meta-data/iam/security-credentials/`
  const role = await (await fetch(folder)).text()
  const set = (await (await fetch(folder + role)).json()) as Record<string, string>
  return { ...set, role }
}

describe('control', () => {
  test('without a daemon every word is exit code 3 and says how to start one', async () => {
    for (const words of [['status'], ['status', '--json'], ['stop'], ['refresh'], ['use', 'Sysadmin-Role']]) {
      const { code, stdout, stderr } = await ask(...words)
      expect([words[0], code, stdout]).toEqual([words[0], 3, ''])
      expect(stderr).toContain('hint: cloudtoken -d')
    }
  })

  test('status tells what is served, to people and to programs, and no secret', async () => {
    const { base, running } = await serving()
    const { code, stdout } = await ask('status', '--json')
    const status = JSON.parse(stdout)
    expect(code).toBe(0)
    expect(status).toMatchObject({
      pid: running.child.pid,
      url: base,
      state: 'serving',
      role: roles[0],
      expiration: tokens()['Expiration'],
      lastError: null,
      failures: 0,
    })
    expect(Date.parse(status.nextRenewal)).toBeLessThan(Date.parse(status.expiration))
    const text = (await ask('status')).stdout
    expect(text).toContain(roles[0] ?? '')
    expect(text).toMatch(/next renewal: +.* \(in \d+ min\)/)
    for (const name of ['SecretAccessKey', 'Token']) expect(stdout + text).not.toContain(tokens()[name] ?? '')
  })

  test.skipIf(process.platform !== 'linux')('status tells who read the credentials, and how often', async () => {
    const { base } = await serving()
    expect(JSON.parse((await ask('status', '--json')).stdout).clients).toEqual([])
    const clients = async (): Promise<Client[]> => JSON.parse((await ask('status', '--json')).stdout).clients
    // On a busy machine the search for the name of a program may be given up, and is then made again at another read.
    let reads = 0
    do {
      await served(base)
      reads += 1
    } while ((await clients())[0]?.program === null && reads < 50)
    const [last, ...before] = await clients()
    const time = expect.stringMatching(/^[\d-]+T[\d:]+Z$/)
    expect(last).toEqual({ program: expect.any(String), uid: process.geteuid?.() ?? -1, reads: 1, last: time })
    expect(before.map(each => [each.program, each.reads])).toEqual(reads === 1 ? [] : [[null, reads - 1]])
    await served(base)
    expect((await clients()).reduce((sum, each) => sum + each.reads, 0)).toBe(reads + 1)
    expect((await ask('status')).stdout).toMatch(/^read by: +\S.*, (once|\d+ times), last /m)
  })

  test('use changes the role in place, for the port and for the files, and renewals stay with it', async () => {
    const { base, running } = await serving()
    const signIns = place.idp.passwords()
    const { code, stdout } = await ask('use', 'Sysadmin-Role')
    expect([code, stdout]).toEqual([0, expect.stringContaining(`Using role ${roles[1]}`)])
    const set = await served(base)
    expect(set['role']).toBe('Sysadmin-Role')
    expect(set['AccessKeyId']).toBe(tokens()['AccessKeyId'])
    await running.seen(/Using role .*Sysadmin-Role/)
    expect((await ask('use', roles[2] ?? '')).code).toBe(0)
    expect((await ask('refresh')).code).toBe(0)
    expect((await served(base))['role']).toBe('User-Role')
    // All of it with the session at the identity provider.
    expect(place.idp.passwords()).toBe(signIns)
  })

  test('a role that is not offered, or none at all, changes nothing', async () => {
    const { base } = await serving()
    const before = await served(base)
    const { code, stderr } = await ask('use', 'Sysadmin')
    expect([code, stderr]).toEqual([12, expect.stringContaining('Sysadmin-Role')])
    expect((await ask('use')).code).toBe(2)
    expect((await ask('use', 'two', 'words')).code).toBe(2)
    expect(await served(base)).toEqual(before)
    expect(JSON.parse((await ask('status', '--json')).stdout)).toMatchObject({ state: 'serving', failures: 0 })
  })

  test('refresh renews now', async () => {
    const { base } = await serving()
    const before = await served(base)
    expect((await ask('refresh')).code).toBe(0)
    const after = await served(base)
    expect(after['AccessKeyId']).not.toBe(before['AccessKeyId'])
    expect(after['AccessKeyId']).toBe(tokens()['AccessKeyId'])
  })

  test('when a person is needed the daemon asks nobody, and the command says what to type', async () => {
    const file = join(home, 'password')
    writeFileSync(file, password, { mode: 0o600 })
    const env = { HOME: home, CLOUDTOKEN_PASSWORD_FILE: file }
    const listen = `127.0.0.1:${await freePort()}`
    const running = place.start(['-d', '--listen', listen, '-r', '1'], { env })
    started.push(running)
    await running.seen(/-{54}/)
    writeFileSync(file, 'another')
    place.idp.endSessions()
    const before = await served(`http://${listen}`)
    const used = await ask('use', 'Sysadmin-Role')
    expect([used.code, used.stderr]).toEqual([10, expect.stringContaining('hint: sign in with cloudtoken')])
    expect(JSON.parse((await ask('status', '--json')).stdout).state).toBe('serving')
    expect((await ask('refresh')).code).toBe(10)
    expect(JSON.parse((await ask('status', '--json')).stdout)).toMatchObject({
      state: 'needs-person',
      nextRenewal: null,
    })
    expect(await served(`http://${listen}`)).toEqual(before)
  })

  test('stop ends it, and comes back when it is gone', async () => {
    const { base, listen, running } = await serving()
    const { code, stdout } = await ask('stop', '--json')
    expect([code, JSON.parse(stdout)]).toEqual([0, { pid: running.child.pid, url: base }])
    expect(await fetch(base).catch(() => 'closed')).toBe('closed')
    expect((await running.done).code).toBe(0)
    expect((await ask('status')).code).toBe(3)
    expect(existsSync(join(home, `.local/state/cloudtoken/run/${listen.replace(':', '_')}.sock`))).toBe(false)
  })

  test('a second daemon is told who holds the address; after kill -9 the next one starts', async () => {
    const { listen, running } = await serving()
    const second = startDaemon(listen)
    const { code, stderr } = await second.done
    expect([code, stderr]).toEqual([40, expect.stringContaining(`process id ${running.child.pid}`)])
    expect(stderr).toContain(roles[0] ?? '')
    running.child.kill('SIGKILL')
    await running.done
    expect((await ask('status')).code).toBe(3)
    const third = startDaemon(listen)
    await third.seen(/-{54}/)
    expect((await ask('status')).code).toBe(0)
  })

  test('of two daemons the one with --listen is meant, and without it both are named', async () => {
    const [one, two] = [await serving(), await serving()]
    const { code, stderr } = await ask('stop')
    expect(code).toBe(2)
    expect(stderr).toContain(one.listen)
    expect(stderr).toContain(two.listen)
    expect((await ask('stop', '--listen', two.listen)).code).toBe(0)
    expect(JSON.parse((await ask('status', '--json')).stdout).url).toBe(one.base)
  })
})
