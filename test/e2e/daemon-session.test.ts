import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { freePort } from '../../scripts/demo-http.ts'
import { makePlace, password, type Place, type Running } from './cli.ts'

let place: Place
let home: string
let listen: string
let running: Running | undefined
beforeAll(async () => {
  place = await makePlace()
})
beforeEach(async () => {
  home = mkdtempSync(join(place.home, 'home-'))
  listen = `127.0.0.1:${await freePort()}`
})
afterEach(async () => {
  running?.child.kill('SIGKILL')
  await running?.done
  running = undefined
})
afterAll(() => place.stop())

const env = () => ({ HOME: home, CLOUDTOKEN_PASSWORD: password })
const word = (...args: string[]) => place.run(args, { env: env() })

async function start(...args: string[]): Promise<number> {
  running = place.start(['-d', '--listen', listen, '-r', '1', ...args], { env: env() })
  await running.seen(/-{54}/)
  return running.child.pid ?? 0
}

/** Processes of this program that the daemon started. */
function children(pid: number): number[] {
  const lines = readdirSync(`/proc/${pid}/task`).map(thread => {
    return readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
  })
  return lines.flatMap(line => line.trim().split(' ').filter(Boolean).map(Number))
}

const isThere = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readStatus(pid))

function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return 'State: Z'
  }
}

async function until(look: () => boolean, what: string): Promise<void> {
  for (let turn = 0; turn < 100; turn += 1) {
    if (look()) return
    await Bun.sleep(50)
  }
  throw new Error(`never: ${what}`)
}

describe('the process that signs in for the daemon', () => {
  test('is gone when the sign-in is done; a renewal has one without a secret in sight, and stop ends it', async () => {
    const daemon = await start()
    expect(children(daemon)).toEqual([])
    expect((await word('refresh')).code).toBe(0)
    const [renewer = 0, ...more] = children(daemon)
    expect(more).toEqual([])
    const words = readFileSync(`/proc/${renewer}/cmdline`, 'utf8').split('\0').filter(Boolean)
    expect(words.at(-1)).toBe('session')
    const tokens = JSON.parse(readFileSync(join(home, '.config/cloudtoken/tokens.json'), 'utf8'))
    for (const secret of [password, tokens.SecretAccessKey, tokens.Token]) expect(words.join(' ')).not.toContain(secret)
    expect((await word('refresh')).code).toBe(0)
    expect(children(daemon)).toEqual([renewer])
    expect((await word('stop')).code).toBe(0)
    expect(isThere(renewer)).toBe(false)
  })

  test('does not outlive a daemon that was killed, in the middle of its work', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => silent.once('listening', resolve))
    const address = silent.address()
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`
    running = place.start(['-d', '--listen', listen, '--provider', 'form', '--url', url], { env: env() })
    const daemon = running.child.pid ?? 0
    await until(() => children(daemon).length === 1, 'a sign-in')
    const [child = 0] = children(daemon)
    running.child.kill('SIGKILL')
    await until(() => !isThere(child), 'its end')
    silent.close()
  })

  test('may die: the credentials stay, and the next attempt has a new one', async () => {
    const daemon = await start()
    await word('refresh')
    const [first = 0] = children(daemon)
    process.kill(first, 'SIGKILL')
    await until(() => !isThere(first), 'its end')
    expect((await word('refresh')).code).toBe(0)
    expect(children(daemon)).not.toContain(first)
    const { state } = JSON.parse((await word('status', '--json')).stdout)
    expect(state).toBe('serving')
  })
})

describe.if(process.env['CLOUDTOKEN_BIN'] !== undefined && process.platform === 'linux')('an upgrade in place', () => {
  test('of a running daemon: it goes on renewing, and the next one takes the tokens of its clients', async () => {
    const program = join(home, 'cloudtoken')
    copyFileSync(process.env['CLOUDTOKEN_BIN'] ?? '', program)
    chmodSync(program, 0o755)
    const base = `http://${listen}`
    const begin = () =>
      spawn(program, ['-d', '--listen', listen, '-r', '1', '--quiet'], {
        env: { ...place.env, ...env() },
        stdio: 'ignore',
      })
    const answers = () =>
      fetch(`${base}/latest/meta-data/iam/security-credentials/`).then(
        answer => answer.ok,
        () => false,
      )
    const serving = async (): Promise<void> => {
      for (let turn = 0; !(await answers()); turn += 1) {
        if (turn > 100) throw new Error('it does not serve')
        await Bun.sleep(50)
      }
    }
    const old = begin()
    await serving()
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': '600' }
    const token = await (await fetch(`${base}/latest/api/token`, { method: 'PUT', headers })).text()
    // What takes its place while it runs is no cloudtoken at all.
    writeFileSync(`${program}.new`, '#!/bin/sh\nexit 9\n', { mode: 0o755 })
    renameSync(`${program}.new`, program)
    expect((await word('refresh')).code).toBe(0)
    old.kill('SIGTERM')
    await new Promise(resolve => old.once('exit', resolve))
    copyFileSync(process.env['CLOUDTOKEN_BIN'] ?? '', `${program}.new`)
    renameSync(`${program}.new`, program)
    chmodSync(program, 0o755)
    const next = begin()
    try {
      await serving()
      const answer = await fetch(`${base}/latest/meta-data/instance-id`, {
        headers: { 'x-aws-ec2-metadata-token': token },
      })
      expect(answer.status).toBe(200)
    } finally {
      next.kill('SIGKILL')
    }
  })
})
