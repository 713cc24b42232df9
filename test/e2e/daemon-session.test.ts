import { describe, expect, test } from 'bun:test'
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import process from 'node:process'
import { freePort, listen as listenOn } from '../../scripts/demo-http.ts'
import { until } from '../until.ts'
import { password, usePlace, withPassword } from './cli.ts'

const place = await usePlace()

const word = (...args: string[]) => place.run(args, { env: withPassword })

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

describe('the process that signs in for the daemon', () => {
  test('is gone when the sign-in is done; a renewal has one without a secret in sight, and stop ends it', async () => {
    const { child } = await place.daemon()
    const daemon = child.pid ?? 0
    await until(() => children(daemon).length === 0, 'its end')
    expect((await word('refresh')).code).toBe(0)
    const [renewer = 0, ...more] = children(daemon)
    expect(more).toEqual([])
    const words = readFileSync(`/proc/${renewer}/cmdline`, 'utf8').split('\0').filter(Boolean)
    expect(words.at(-1)).toBe('session')
    const tokens = place.tokens()
    for (const secret of [password, tokens.SecretAccessKey, tokens.Token]) expect(words.join(' ')).not.toContain(secret)
    expect((await word('refresh')).code).toBe(0)
    expect(children(daemon)).toEqual([renewer])
    expect((await word('stop')).code).toBe(0)
    expect(isThere(renewer)).toBe(false)
  })

  test('is not begun by a daemon that was ended before, which ends at once', async () => {
    const silent = await listenOn(createServer())
    // A file that it waits for, and a user whom it has the system look up afterwards.
    const file = join(place.home, 'slow.yaml')
    spawnSync('mkfifo', [file])
    const slow = ['--metadata-config', file, '--allow-user', 'root']
    const { child, seen, done } = place.start(
      ['-d', '--listen', '127.0.0.1:0', ...slow, '--provider', 'form', '--url', silent.origin],
      { env: withPassword },
    )
    await seen(/Launching/)
    const pipe = await open(file, 'w')
    child.kill('SIGTERM')
    await pipe.close()
    expect((await done).code).toBe(130)
    await silent.stop()
  })

  test('does not outlive a daemon that was killed, in the middle of its work', async () => {
    const silent = await listenOn(createServer())
    const front = place.start(['-d', '--listen', '127.0.0.1:0', '--provider', 'form', '--url', silent.origin], {
      env: withPassword,
    })
    const daemon = front.child.pid ?? 0
    await until(() => children(daemon).length === 1, 'a sign-in')
    const [child = 0] = children(daemon)
    await front.kill()
    await until(() => !isThere(child), 'its end')
    await silent.stop()
  })

  test('hangs, and does not keep the daemon from its end', async () => {
    const { child, done } = await place.daemon()
    await word('refresh')
    const [hanging = 0] = children(child.pid ?? 0)
    process.kill(hanging, 'SIGSTOP')
    expect((await word('stop')).code).toBe(0)
    expect((await done).code).toBe(0)
    expect(isThere(hanging)).toBe(false)
  }, 20_000)

  test('may die: the credentials stay, and the next attempt has a new one', async () => {
    const { child } = await place.daemon()
    const daemon = child.pid ?? 0
    await word('refresh')
    const [first = 0] = children(daemon)
    process.kill(first, 'SIGKILL')
    await until(() => !isThere(first), 'its end')
    expect((await word('refresh')).code).toBe(0)
    expect(children(daemon)).not.toContain(first)
    const { state } = (await place.status()) ?? {}
    expect(state).toBe('serving')
  })
})

describe.if(process.env['CLOUDTOKEN_BIN'] !== undefined && process.platform === 'linux')('an upgrade in place', () => {
  test('of a running daemon: it goes on renewing, and the next one takes the tokens of its clients', async () => {
    const program = join(place.home, 'cloudtoken')
    copyFileSync(process.env['CLOUDTOKEN_BIN'] ?? '', program)
    chmodSync(program, 0o755)
    const listen = `127.0.0.1:${await freePort()}`
    const base = `http://${listen}`
    const begin = () =>
      spawn(program, ['-d', '--listen', listen, '-r', '1', '--quiet'], {
        env: { ...place.env, ...withPassword },
        stdio: 'ignore',
      })
    const serving = () =>
      until(async () => (await fetch(`${base}/latest/meta-data/iam/security-credentials/`)).ok, 'a daemon that serves')
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
