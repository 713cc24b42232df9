import { describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { password, roles, usePlace, type Result } from './cli.ts'

const place = await usePlace()

const ask = (...args: string[]): Promise<Result> => place.run(args)

describe('control', () => {
  test('without a daemon every word is exit code 3 and says how to start one', async () => {
    for (const words of [['status'], ['status', '--json'], ['stop'], ['refresh'], ['use', 'Sysadmin-Role']]) {
      const { code, stdout, stderr } = await ask(...words)
      expect([words[0], code, stdout]).toEqual([words[0], 3, ''])
      expect(stderr).toContain('hint: cloudtoken -d')
    }
  })

  test('status has the container endpoint: where each role is, and the file of its token', async () => {
    const also = ['--role', 'Read-Only-Role', '--role', 'User-Role', '--container-endpoint', '127.0.0.1:0']
    const daemon = await place.daemon(also)
    const { container } = JSON.parse((await ask('status', '--json')).stdout)
    expect(container.map((each: { role: string }) => each.role).toSorted()).toEqual([roles[0], roles[2]])
    for (const { uri, file } of container) {
      const answer = await fetch(uri, { headers: { authorization: readFileSync(file, 'utf8') } })
      expect(answer.status).toBe(200)
      expect((await ask('status')).stdout).toContain(`container:    ${uri}, token in ${file}\n`)
    }
    // A token of one client's own is nothing that docker-args could mean.
    const endpoint = new URL(container[0].uri).host
    const words = ['docker-args', '--listen', daemon.url.slice(7), '--container-endpoint', endpoint]
    await ask('grant')
    const all = await ask('docker-args', '--role', 'User-Role')
    expect(all.stdout).toContain(`-e AWS_CONTAINER_CREDENTIALS_FULL_URI=http://${endpoint}/role/User-Role `)
    expect((await ask(...words)).stderr).toContain('the container endpoint has 2 roles')
  })

  test('logout leaves nothing, and tells of a daemon that goes on', async () => {
    const daemon = await place.daemon()
    const during = await ask('logout')
    expect([during.code, during.stderr]).toEqual([
      0,
      expect.stringContaining(`the daemon at ${daemon.url.slice(7)} goes on`),
    ])
    await ask('stop')
    const after = await ask('logout')
    expect(after.stderr).not.toContain('goes on')
    const state = join(place.home, '.local/state/cloudtoken')
    const left = readdirSync(state, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
    expect(left.map(({ name }) => name)).toEqual([])
  })

  test('status tells what is served, to people and to programs, and no secret', async () => {
    const daemon = await place.daemon()
    const { code, stdout } = await ask('status', '--json')
    const status = JSON.parse(stdout)
    expect(code).toBe(0)
    expect(status).toMatchObject({
      pid: daemon.child.pid,
      url: daemon.url,
      state: 'serving',
      role: roles[0],
      expiration: place.tokens().Expiration,
      lastError: null,
      failures: 0,
    })
    expect(Date.parse(status.nextRenewal)).toBeLessThan(Date.parse(status.expiration))
    const text = (await ask('status')).stdout
    expect(text).toContain(roles[0] ?? '')
    expect(text).toMatch(/next renewal: +.* \(in \d+ min\)/)
    for (const name of ['SecretAccessKey', 'Token'] as const) expect(stdout + text).not.toContain(place.tokens()[name])
  })

  test.skipIf(process.platform !== 'linux')('status tells who read the credentials, and how often', async () => {
    const daemon = await place.daemon()
    expect((await place.status())?.clients).toEqual([])
    const clients = async () => (await place.status())?.clients ?? []
    // On a busy machine the search for the name of a program may be given up, and is then made again at another read.
    let reads = 0
    do {
      await daemon.credentials()
      reads += 1
    } while ((await clients())[0]?.program === null && reads < 50)
    const [last, ...before] = await clients()
    const time = expect.stringMatching(/^[\d-]+T[\d:]+Z$/)
    expect(last).toEqual({ program: expect.any(String), uid: process.geteuid?.() ?? -1, reads: 1, last: time })
    expect(before.map(each => [each.program, each.reads])).toEqual(reads === 1 ? [] : [[null, reads - 1]])
    await daemon.credentials()
    expect((await clients()).reduce((sum, each) => sum + each.reads, 0)).toBe(reads + 1)
    expect((await ask('status')).stdout).toMatch(/^read by: +\S.*, (once|\d+ times), last /m)
  })

  test('use changes the role in place, for the port and for the files, and renewals stay with it', async () => {
    const daemon = await place.daemon()
    const signIns = place.idp.passwords()
    const { code, stdout } = await ask('use', 'Sysadmin-Role')
    expect([code, stdout]).toEqual([0, expect.stringContaining(`Using role ${roles[1]}`)])
    expect(await daemon.role()).toBe('Sysadmin-Role')
    expect((await daemon.credentials())['AccessKeyId']).toBe(place.tokens().AccessKeyId)
    await daemon.seen(/Using role .*Sysadmin-Role/)
    expect((await ask('use', roles[2] ?? '')).code).toBe(0)
    expect((await ask('refresh')).code).toBe(0)
    expect(await daemon.role()).toBe('User-Role')
    // All of it with the session at the identity provider.
    expect(place.idp.passwords()).toBe(signIns)
  })

  test('what cannot be written is told, and is no reason for anything but that', async () => {
    const daemon = await place.daemon(['-r', '1', '--container-endpoint', '127.0.0.1:0'])
    const state = join(place.home, '.local/state/cloudtoken')
    // Neither can be replaced by a file, or have one in it.
    const [last = ''] = readdirSync(state, { recursive: true, encoding: 'utf8' }).filter(name => /last-role/.test(name))
    rmSync(join(state, last))
    mkdirSync(join(state, last, 'full'), { recursive: true })
    const [port = ''] = readdirSync(join(state, 'container'))
    writeFileSync(join(state, 'container', port, '123456789012-Sysadmin-Role'), '')
    expect((await ask('use', 'Sysadmin-Role')).code).toBe(0)
    await daemon.seen(/warning: cannot write .*last-role/)
    await daemon.seen(/warning: Sysadmin-Role is not at the container endpoint: cannot create/)
    expect((await ask('refresh')).code).toBe(0)
    expect(await daemon.role()).toBe('Sysadmin-Role')
    expect(await place.status()).toMatchObject({ state: 'serving', role: roles[1] })
    rmSync(join(state, 'container', port, '123456789012-Sysadmin-Role'))
    expect((await ask('refresh')).code).toBe(0)
    const [, { uri, file } = { uri: '', file: '' }] = (await place.status())?.container ?? []
    expect((await fetch(uri, { headers: { authorization: readFileSync(file, 'utf8') } })).status).toBe(200)
  }, 20_000)

  test('a configuration that was broken for a while is read again once it is right', async () => {
    const config = join(place.home, '.config/cloudtoken/config.yaml')
    mkdirSync(dirname(config), { recursive: true })
    writeFileSync(config, 'defaults: {}\n')
    await place.daemon()
    writeFileSync(config, 'defaults: [\n')
    expect((await ask('refresh')).code).toBe(20)
    writeFileSync(config, 'defaults: {}\n')
    expect((await ask('refresh')).code).toBe(0)
  })

  test('a role that is not offered, or none at all, changes nothing', async () => {
    const daemon = await place.daemon()
    const before = await daemon.credentials()
    const { code, stderr } = await ask('use', 'Sysadmin')
    expect([code, stderr]).toEqual([12, expect.stringContaining('Sysadmin-Role')])
    expect((await ask('use')).code).toBe(2)
    expect((await ask('use', 'two', 'words')).code).toBe(2)
    expect(await daemon.credentials()).toEqual(before)
    expect(await place.status()).toMatchObject({ state: 'serving', failures: 0 })
  })

  test('refresh renews now', async () => {
    const daemon = await place.daemon()
    const before = await daemon.credentials()
    expect((await ask('refresh')).code).toBe(0)
    const after = await daemon.credentials()
    expect(after['AccessKeyId']).not.toBe(before['AccessKeyId'])
    expect(after['AccessKeyId']).toBe(place.tokens().AccessKeyId)
  })

  test('when a person is needed the daemon asks nobody, and the command says what to type', async () => {
    const file = join(place.home, 'password')
    writeFileSync(file, password, { mode: 0o600 })
    const env = { CLOUDTOKEN_PASSWORD: '', CLOUDTOKEN_PASSWORD_FILE: file }
    const daemon = await place.daemon(['-r', '1'], { env })
    writeFileSync(file, 'another')
    place.idp.endSessions()
    const before = await daemon.credentials()
    const used = await ask('use', 'Sysadmin-Role')
    expect([used.code, used.stderr]).toEqual([10, expect.stringContaining('hint: sign in with cloudtoken')])
    expect((await place.status())?.state).toBe('serving')
    expect((await ask('refresh')).code).toBe(10)
    expect(await place.status()).toMatchObject({
      state: 'needs-person',
      nextRenewal: null,
    })
    expect(await daemon.credentials()).toEqual(before)
  })

  test('stop ends it, and comes back when it is gone', async () => {
    const { url, listen, child, done } = await place.daemon()
    const { code, stdout } = await ask('stop', '--json')
    expect([code, JSON.parse(stdout)]).toEqual([0, { pid: child.pid, url }])
    expect(await fetch(url).catch(() => 'closed')).toBe('closed')
    expect((await done).code).toBe(0)
    expect((await ask('status')).code).toBe(3)
    expect(existsSync(join(place.home, `.local/state/cloudtoken/run/${listen.replace(':', '_')}.sock`))).toBe(false)
  })

  test('a second daemon is told who holds the address; after kill -9 the next one starts', async () => {
    const { listen, child, done } = await place.daemon()
    const { code, stderr } = await place.run(['-d', '-r', '1', '--listen', listen])
    expect([code, stderr]).toEqual([40, expect.stringContaining(`process id ${child.pid}`)])
    expect(stderr).toContain(roles[0] ?? '')
    child.kill('SIGKILL')
    await done
    expect((await ask('status')).code).toBe(3)
    await place.daemon(['-r', '1', '--listen', listen])
    expect((await ask('status')).code).toBe(0)
  })

  test('one that was stopped with Ctrl-Z keeps nobody waiting, and goes on afterwards', async () => {
    const { listen, child } = await place.daemon()
    child.kill('SIGSTOP')
    for (const words of [['status'], ['use', 'Sysadmin-Role'], ['stop']]) {
      const { code, stderr } = await ask(...words)
      expect([words[0], code, stderr]).toEqual([words[0], 3, expect.stringMatching(/does not answer\n.*hint: fg/)])
    }
    expect((await place.run(['-d', '-r', '1', '--listen', listen])).code).toBe(40)
    const doctor = JSON.parse((await ask('doctor', '--json')).stdout)
    const message = expect.stringContaining('does not answer')
    expect(doctor).toContainEqual(expect.objectContaining({ check: 'daemon', verdict: 'problem', message }))
    child.kill('SIGCONT')
    expect((await ask('stop')).code).toBe(0)
  }, 30_000)

  test('of two daemons the one with --listen is meant, and without it both are named', async () => {
    const [one, two] = [await place.daemon(), await place.daemon()]
    const { code, stderr } = await ask('stop')
    expect(code).toBe(2)
    expect(stderr).toContain(one.listen)
    expect(stderr).toContain(two.listen)
    expect((await ask('stop', '--listen', two.listen)).code).toBe(0)
    expect((await place.status())?.url).toBe(one.url)
  })
})
