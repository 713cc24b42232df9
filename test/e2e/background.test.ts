import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { freePort } from '../../scripts/demo-http.ts'
import { command, makePlace, password, roles, type Place, type Result } from './cli.ts'

let place: Place
let env: Record<string, string>
let listen: string
let strays: Set<number>
beforeAll(async () => {
  place = await makePlace()
})
beforeEach(async () => {
  env = { HOME: mkdtempSync(join(place.home, 'h-')), CLOUDTOKEN_PASSWORD: password }
  listen = `127.0.0.1:${await freePort()}`
  strays = new Set()
})
afterEach(() => {
  for (const pid of strays) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {}
  }
})
afterAll(() => place.stop())

const start = (...args: string[]): Promise<Result> =>
  place.run(['-d', '--background', '--listen', listen, '-r', '1', ...args], { env })
const logFile = (): string => join(env['HOME'] ?? '', '.local/state/cloudtoken/log', `${listen.replace(':', '_')}.log`)

async function status(): Promise<{ pid: number; state: string } | undefined> {
  const { code, stdout } = await place.run(['status', '--json'], { env })
  if (code !== 0) return undefined
  const value = JSON.parse(stdout)
  strays.add(value.pid)
  return value
}

async function until<T>(look: () => Promise<T | undefined>, what: string): Promise<T> {
  for (let turn = 0; turn < 200; turn += 1) {
    const found = await look()
    if (found !== undefined) return found
    await Bun.sleep(50)
  }
  throw new Error(`never: ${what}`)
}

describe('cloudtoken -d --background', () => {
  test('the whole transcript, then exit code 0; the daemon serves and keeps a private log', async () => {
    const { code, stdout } = await start()
    const running = await status()
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
    const tokens = JSON.parse(readFileSync(join(env['HOME'] ?? '', '.config/cloudtoken/tokens.json'), 'utf8'))
    expect(served['AccessKeyId']).toBe(tokens.AccessKeyId)
    expect(served['Code']).toBe('Success')
    // It can renew without what the terminal gave.
    expect((await place.run(['refresh'], { env: { HOME: env['HOME'] ?? '' } })).code).toBe(0)
    const logs = await until(async () => {
      const { stdout: text } = await place.run(['logs'], { env })
      return text.includes('GET ') ? text : undefined
    }, 'a line of the access log')
    expect(logs).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ serving arn:/)
    expect(statSync(logFile()).mode & 0o777).toBe(0o600)
    const words = readFileSync(`/proc/${running?.pid}/cmdline`, 'utf8')
    for (const secret of [tokens.SecretAccessKey, tokens.Token, password]) {
      expect(logs).not.toContain(secret)
      expect(words).not.toContain(secret)
    }
    expect((await place.run(['stop'], { env })).code).toBe(0)
    expect(await fetch(folder).catch(() => 'closed')).toBe('closed')
    expect((await place.run(['logs'], { env })).stdout.trimEnd()).toEndWith('ended')
  })

  test('the container endpoint too, with another role beside', async () => {
    const endpoint = `127.0.0.1:${await freePort()}`
    const { code, stdout } = await start('--container-endpoint', endpoint, '--also-role', 'User-Role')
    await status()
    expect(code).toBe(0)
    const uris = [...stdout.matchAll(/AWS_CONTAINER_CREDENTIALS_FULL_URI=(.*)/g)].map(match => match[1] ?? '')
    const files = [...stdout.matchAll(/AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=(.*)/g)].map(match => match[1] ?? '')
    expect(uris).toHaveLength(2)
    for (const [index, uri] of uris.entries()) {
      const answer = await fetch(uri, { headers: { Authorization: readFileSync(files[index] ?? '', 'utf8') } })
      expect([uri, answer.status]).toEqual([uri, 200])
    }
    await place.run(['stop'], { env })
    expect(files.some(file => existsSync(file))).toBe(false)
  })

  test('the end of the terminal and Ctrl-C in it do not reach the daemon', async () => {
    const [program = '', ...first] = command
    const child = spawn(program, [...first, '-d', '--background', '--listen', listen, '-r', '1'], {
      env: { ...place.env, ...env },
      stdio: 'ignore',
      detached: true,
    })
    await new Promise(resolve => child.on('exit', resolve))
    const running = await status()
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
    expect((await status())?.pid).toBe(running?.pid ?? 0)
    await place.run(['stop'], { env })
  })

  test('a sign-in that fails, a configuration that is wrong, a port that is taken: the same exit codes, and nothing stays', async () => {
    expect((await start('--role', 'Nothing')).code).toBe(12)
    expect((await start('--allow-from', '10.0.0.0/99')).code).toBe(20)
    const holder = createServer().listen(Number(listen.split(':')[1]), '127.0.0.1')
    expect((await start()).code).toBe(40)
    holder.close()
    expect(await status()).toBeUndefined()
    expect(existsSync(logFile())).toBe(false)
    expect((await start()).code).toBe(0)
    const held = await start()
    expect([held.code, held.stderr]).toEqual([40, expect.stringContaining('is held by the cloudtoken')])
    await status()
    await place.run(['stop'], { env })
  })

  test('killed during the sign-in, the one in front takes the one behind with it', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => silent.once('listening', resolve))
    const address = silent.address()
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`
    const front = place.start(['-d', '--background', '--listen', listen, '--provider', 'form', '--url', url], { env })
    try {
      expect((await until(status, 'the daemon')).state).toBe('signing-in')
      front.child.kill('SIGKILL')
      expect(await until(async () => ((await status()) === undefined ? 'gone' : undefined), 'its end')).toBe('gone')
    } finally {
      front.child.kill('SIGKILL')
      silent.close()
    }
  })

  test('logs -f goes on with what comes; without any log it says how to get one', async () => {
    expect((await place.run(['logs'], { env })).code).toBe(3)
    await start()
    await status()
    const follower = place.start(['logs', '-f'], { env })
    await follower.seen(/serving arn:/)
    await place.run(['use', 'User-Role'], { env })
    expect(await follower.seen(/Using role .*User-Role/)).toContain('serving arn:')
    follower.child.kill('SIGINT')
    await place.run(['stop'], { env })
  })
})
