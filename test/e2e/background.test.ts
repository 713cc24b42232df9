import { beforeEach, describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import process from 'node:process'
import { freePort, listen as listenOn } from '../../scripts/demo-http.ts'
import { until } from '../until.ts'
import { command, password, roles, usePlace, withPassword, type Result } from './cli.ts'
import { endpointsIn, readEndpoint } from './container.ts'

const place = await usePlace()
let listen: string
beforeEach(async () => {
  listen = `127.0.0.1:${await freePort()}`
})

const start = (...args: string[]): Promise<Result> =>
  place.run(['-d', '--background', '--listen', listen, '-r', '1', ...args], { env: withPassword })
const logFile = (): string => join(place.home, '.local/state/cloudtoken/log', `${listen.replace(':', '_')}.log`)

describe('cloudtoken -d --background', () => {
  test('the whole transcript, then exit code 0; the daemon serves and keeps a private log', async () => {
    const { code, stdout } = await start()
    const running = await place.status()
    expect([code, stdout.split('\n')]).toEqual([
      0,
      [
        'Launching in daemon mode...',
        `Using role ${roles[0]}`,
        `Metadata proxy now available on http://${listen}`,
        '-'.repeat(54),
        '',
      ],
    ])
    const folder = `http://${listen}/latest/meta-data/iam/security-credentials/`
    const served = (await (await fetch(`${folder}Read-Only-Role`)).json()) as Record<string, string>
    const tokens = place.tokens()
    expect(served['AccessKeyId']).toBe(tokens.AccessKeyId)
    expect(served['Code']).toBe('Success')
    // It can renew without what the terminal gave.
    expect((await place.run(['refresh'])).code).toBe(0)
    const logs = await until(async () => {
      const { stdout: text } = await place.run(['logs'])
      return text.includes('GET ') && text
    }, 'a line of the access log')
    expect(logs).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ serving arn:/)
    expect(statSync(logFile()).mode & 0o777).toBe(0o600)
    const words = readFileSync(`/proc/${running?.pid}/cmdline`, 'utf8')
    for (const secret of [tokens.SecretAccessKey, tokens.Token, password]) {
      expect(logs).not.toContain(secret)
      expect(words).not.toContain(secret)
    }
    expect((await place.run(['stop'])).code).toBe(0)
    expect(await fetch(folder).catch(() => 'closed')).toBe('closed')
    expect((await place.run(['logs'])).stdout.trimEnd()).toEndWith('ended')
  })

  test('the container endpoint too, with another role beside', async () => {
    const { code, stdout } = await start('--container-endpoint', '127.0.0.1:0', '--also-role', 'User-Role')
    await place.status()
    expect(code).toBe(0)
    const endpoints = endpointsIn(stdout)
    expect(endpoints).toHaveLength(2)
    for (const each of endpoints) expect([each.uri, (await readEndpoint(each)).status]).toEqual([each.uri, 200])
    await place.run(['stop'])
    expect(endpoints.some(({ file }) => existsSync(file))).toBe(false)
  })

  test('the end of the terminal and Ctrl-C in it do not reach the daemon', async () => {
    const [program = '', ...first] = command
    const child = spawn(program, [...first, '-d', '--background', '--listen', listen, '-r', '1'], {
      env: { ...place.env, ...withPassword },
      stdio: 'ignore',
      detached: true,
    })
    await new Promise(resolve => child.on('exit', resolve))
    const running = await place.status()
    for (const signal of ['SIGHUP', 'SIGINT'] as const) {
      try {
        process.kill(-(child.pid ?? 0), signal)
      } catch {
        // Nobody is left in the group of the terminal.
      }
    }
    // A session of its own: field 6 of proc_pid_stat(5).
    const fields = readFileSync(`/proc/${running?.pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    expect(fields[6 - 3]).toBe(String(running?.pid))
    expect((await place.status())?.pid).toBe(running?.pid ?? 0)
    await place.run(['stop'])
  })

  test('a sign-in that fails, a configuration that is wrong, a port that is taken: the same exit codes, and nothing stays', async () => {
    expect((await start('--role', 'Nothing')).code).toBe(12)
    expect((await start('--allow-from', '10.0.0.0/99')).code).toBe(20)
    const holder = createServer().listen(Number(listen.split(':')[1]), '127.0.0.1')
    expect((await start()).code).toBe(40)
    holder.close()
    expect(await place.status()).toBeUndefined()
    expect(existsSync(logFile())).toBe(false)
    expect((await start()).code).toBe(0)
    const held = await start()
    expect([held.code, held.stderr]).toEqual([40, expect.stringContaining('is held by the cloudtoken')])
    await place.status()
    await place.run(['stop'])
  })

  test('killed during the sign-in, the one in front takes the one behind with it', async () => {
    const silent = await listenOn(createServer())
    const words = ['--provider', 'form', '--url', silent.origin]
    const front = place.start(['-d', '--background', '--listen', listen, ...words], { env: withPassword })
    try {
      expect((await until(place.status, 'the daemon')).state).toBe('signing-in')
      front.child.kill('SIGKILL')
      await until(async () => (await place.status()) === undefined, 'its end')
    } finally {
      front.child.kill('SIGKILL')
      await silent.stop()
    }
  })

  test('logs -f goes on with what comes; without any log it says how to get one', async () => {
    expect((await place.run(['logs'])).code).toBe(3)
    await start()
    await place.status()
    const follower = place.start(['logs', '-f'])
    await follower.seen(/serving arn:/)
    await place.run(['use', 'User-Role'])
    expect(await follower.seen(/Using role .*User-Role/)).toContain('serving arn:')
    follower.child.kill('SIGINT')
    await place.run(['stop'])
  })
})
