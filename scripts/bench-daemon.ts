/**
 * The compiled daemon under load, beside a compiled program that is nothing but `Bun.serve` with a constant.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { load } from './bench-load.ts'
import { compile } from './build.ts'
import { freePort } from './demo-http.ts'
import { startDemoIdp } from './demo-idp.ts'
import { startDemoSts } from './demo-sts.ts'
import { root, shell } from './tools.ts'

export interface DaemonNumbers {
  /** The pair in the middle of all turns. */
  readonly speed: Pair
  /** Milliseconds at 200 connections. */
  readonly p99: number
  /** Resident memory in MB after the same load. */
  readonly resident: number
  readonly bareResident: number
  /** Of a program that loads what the daemon is built of, and does nothing with it. */
  readonly emptyResident: number
  /** Resident memory in MB early and late in a long run. */
  readonly early: { readonly requests: number; readonly resident: number }
  readonly late: { readonly requests: number; readonly resident: number }
}

/** Requests a second at 16 connections, one turn each. */
interface Pair {
  readonly perSecond: number
  readonly barePerSecond: number
  readonly ratio: number
}

const noPair: Pair = { perSecond: 0, barePerSecond: 0, ratio: 0 }

interface Serving {
  readonly child: ChildProcess
  readonly port: number
  readonly path: string
}

const role = 'arn:aws:iam::123456789012:role/developer'
const rounds = 25
const roundMs = 300
const warmUp = 10_000

/** `soak` is the number of requests of the long run. */
export async function measureDaemon(folder: string, soak: number): Promise<DaemonNumbers> {
  const idp = await startDemoIdp({ alice: { password: 'secret', roles: [role] } })
  const sts = await startDemoSts()
  const serving: Serving[] = []
  try {
    const bare = await startServer(folder, 'bare', '')
    serving.push(bare)
    const daemon = await startDaemon(folder, idp.url, sts.origin)
    serving.push(daemon)

    // Each right after its own load: a runtime that has nothing to do gives memory back within a moment.
    const after = async (each: Serving): Promise<number> => {
      await load({ ...each, connections: 16, requests: warmUp })
      return await residentMb(each.child)
    }
    const empty = await startServer(folder, 'empty', parts)
    serving.push(empty)
    const [resident, bareResident, emptyResident] = [await after(daemon), await after(bare), await after(empty)]
    // Short turns, each pair for itself: what else the machine does meets both of a pair alike.
    const pairs: Pair[] = []
    for (let round = 0; round < rounds; round += 1) {
      const barePerSecond = (await load({ ...bare, connections: 16, ms: roundMs })).perSecond
      const { perSecond } = await load({ ...daemon, connections: 16, ms: roundMs })
      pairs.push({ perSecond, barePerSecond, ratio: perSecond / barePerSecond })
    }
    const speed = pairs.toSorted((one, two) => one.ratio - two.ratio)[Math.floor(rounds / 2)] ?? noPair
    const { p99 } = await load({ ...daemon, connections: 200, ms: 3000 })

    const second = await startDaemon(folder, idp.url, sts.origin)
    serving.push(second)
    const first = await load({ ...second, connections: 16, requests: warmUp })
    const early = { requests: first.requests, resident: await residentMb(second.child) }
    const rest = await load({ ...second, connections: 16, requests: soak - warmUp })
    const late = { requests: first.requests + rest.requests, resident: await residentMb(second.child) }
    return { speed, p99, resident, bareResident, emptyResident, early, late }
  } finally {
    for (const { child } of serving) {
      if (child.exitCode !== null) continue
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    await idp.stop()
    await sts.stop()
  }
}

/** The packages and the modules of the runtime that every daemon needs, each used once. */
const parts = `
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import net from 'node:net'
import { userInfo } from 'node:os'
import { defineCommand, runCommand } from '${root}/node_modules/citty/dist/index.mjs'
import { createConsola } from '${root}/node_modules/consola/dist/core.mjs'
import { Hono } from '${root}/node_modules/hono'
import ipaddr from '${root}/node_modules/ipaddr.js'
readFileSync('/etc/hosts')
userInfo()
createHash('sha256').update(randomBytes(20)).digest('hex')
const child = spawn('/bin/cat', { stdio: ['pipe', 'pipe', 'ignore', 'ipc'] })
child.stdout.on('data', () => {})
child.stdin.end()
net.createServer().listen(0, '127.0.0.1')
createConsola({ reporters: [] }).info('')
ipaddr.parse('127.0.0.1')
await runCommand(defineCommand({ args: { a: { type: 'string' } }, run() {} }), { rawArgs: ['--a', 'b'] })
const app = new Hono()
app.get('/', c => c.text('developer'))
await app.request('/')
`

/** Answers every request with a constant; `first` comes before that. */
async function startServer(folder: string, name: string, first: string): Promise<Serving> {
  const source = join(folder, `${name}.ts`)
  const port = await freePort()
  const serve = `Bun.serve({ hostname: '127.0.0.1', port: ${port}, fetch: () => new Response('developer') })\n`
  writeFileSync(source, `${first}${serve}`)
  await compile(source, join(folder, name))
  const child = spawn(join(folder, name), { stdio: 'ignore' })
  return ready({ child, port, path: '/' })
}

async function startDaemon(folder: string, url: string, sts: string): Promise<Serving> {
  const port = await freePort()
  writeFileSync(join(folder, 'password'), 'secret\n', { mode: 0o600 })
  const signIn = ['--provider', 'simplesamlphp', '--url', url, '--username', 'alice', '--password-file', 'password']
  const child = spawn(
    join(root, 'dist', 'cloudtoken'),
    ['-d', '--quiet', '--listen', `127.0.0.1:${port}`, '--role', role, '--skip-keyring', ...signIn],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, AWS_ENDPOINT_URL_STS: sts },
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  )
  return ready({ child, port, path: '/latest/meta-data/iam/security-credentials/' })
}

async function ready(serving: Serving): Promise<Serving> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (serving.child.exitCode !== null) throw new Error(`ended with exit code ${serving.child.exitCode}`)
    const response = await fetch(`http://127.0.0.1:${serving.port}${serving.path}`).catch(() => undefined)
    if (response?.ok) return serving
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  serving.child.kill('SIGKILL')
  throw new Error(`nobody answers on port ${serving.port}`)
}

async function residentMb(child: ChildProcess): Promise<number> {
  const pid = String(child.pid)
  if (process.platform === 'linux') {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
  }
  return Number((await shell('ps', ['-o', 'rss=', '-p', pid], { quiet: true })).output) / 1024
}
