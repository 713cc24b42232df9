/**
 * Clients that mean no good, over real sockets and from a process of their own: they get nothing, and stop nobody. Who may
 * ask at all is held in guard.test.ts, readers.test.ts and rebinding.test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { ask } from '../raw.ts'
import { makePlace, type Daemon } from '../e2e/cli.ts'

const secret = '/latest/meta-data/iam/security-credentials/Read-Only-Role'
/** SDKs give up after a second, and try again. */
const patienceMs = 1000

const place = await makePlace()
let daemon: Daemon
let port: number
beforeAll(async () => {
  daemon = await place.daemon(['--role', 'Read-Only-Role'])
  port = Number(new URL(daemon.url).port)
})
afterAll(() => place.stop())

const service = (): { hostname: string; port: number } => ({ hostname: '127.0.0.1', port })

/** Resident memory in MiB. */
function memory(): number {
  const status = readFileSync(`/proc/${daemon.child.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]) / 1024
}

/** How long a client with nothing wrong about it waits for its credentials, in ms, shortest first; a new connection each. */
async function waits(count: number): Promise<number[]> {
  const times: number[] = []
  for (let turn = 0; turn < count; turn += 1) {
    const begin = performance.now()
    const { status, text } = await ask(service(), secret)
    times.push(performance.now() - begin)
    expect([status, JSON.parse(text).Code]).toEqual([200, 'Success'])
    await Bun.sleep(20)
  }
  return times.toSorted((a, b) => a - b)
}

interface Attack {
  /** Connections that stand, and all that did, when the attack was on. */
  readonly stood: number
  readonly opened: number
  readonly heard: string
}

async function attacked(kind: string, during: () => Promise<void>): Promise<Attack> {
  const child = spawn(process.execPath, [join(import.meta.dir, 'hostile-child.ts'), kind, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let said = ''
  const closed = new Promise<void>(resolve => child.on('close', () => resolve()))
  try {
    await new Promise<void>(resolve => {
      child.stdout.setEncoding('latin1').on('data', (text: string) => {
        said += text
        if (said.startsWith('ready ')) resolve()
      })
      child.on('close', () => resolve())
    })
    await during()
  } finally {
    child.stdin.end()
    await closed
  }
  const [, stood, opened] = /^ready (\d+) (\d+)\n/.exec(said) ?? []
  return { stood: Number(stood), opened: Number(opened), heard: said }
}

describe.skipIf(process.platform !== 'linux')('a good client has its credentials meanwhile', () => {
  test.each([
    ['idle connections', 10_000],
    ['half requests', 2000],
    ['slow readers', 200],
    // Ended at once, and begun anew.
    ['pipelining', 0],
    ['forged hosts', 0],
    ['header floods', 0],
    ['giant headers', 0],
    ['endless bodies', 0],
  ])('%s', async (kind, least) => {
    const { AccessKeyId: key, SecretAccessKey: half } = JSON.parse((await ask(service(), secret)).text)
    const before = memory()
    let [times, most]: [number[], number] = [[], 0]
    const { stood, opened, heard } = await attacked(kind, async () => {
      times = await waits(40)
      most = memory()
    })
    expect(stood).toBeGreaterThanOrEqual(least)
    expect(opened).toBeGreaterThanOrEqual(20)
    expect(heard).not.toContain(key)
    expect(heard).not.toContain(half)
    expect(times[35]).toBeLessThan(patienceMs)
    expect(most - before).toBeLessThan(150)
  })
})
