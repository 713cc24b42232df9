/**
 * Metadata serving against a bare `Bun.serve` with a constant, in one run, by turns: `bun scripts/bench-metadata.ts`.
 * Needs `wrk`; where there is `taskset`, server and client each have a processor of their own. Prints the ratio of requests per second at 16 keep-alive connections (at least 0.7) and the 99th percentile at 200 (under
 * 50 ms); leaves with 1 when a budget is broken.
 */
import { randomBytes } from 'node:crypto'
import { cpus } from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createMetadata } from '../src/metadata.ts'
import { createTokens } from '../src/metadata-token.ts'
import { createTree } from '../src/metadata-tree.ts'
import { run, start } from '../src/run.ts'
import { serveMetadata } from '../src/serve.ts'

const rounds = 9
const seconds = 1
const page = '/latest/meta-data/instance-id'

type Role = 'bare' | 'metadata' | 'logged'

const roles: readonly Role[] = ['bare', 'metadata', 'logged']

/** The child: one server, which says its port. */
async function beServer(role: Role): Promise<void> {
  const key = randomBytes(32)
  const now = new Date()
  const credentials = {
    accessKeyId: 'ASIAEXAMPLE',
    secretAccessKey: 'x'.repeat(40),
    sessionToken: 'y'.repeat(900),
    issued: now,
    expiration: new Date(now.getTime() + 3_600_000),
    roleArn: 'arn:aws:iam::123456789012:role/Read-Only-Role',
    accountId: '123456789012',
  }
  if (role === 'bare') {
    const body = 'i-0123456789abcdef0'
    const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response(body) })
    console.log(`${server.port}`)
    return
  }
  const tokens = createTokens(key)
  const snapshot = { credentials }
  let seen = 0
  const server = await serveMetadata({
    listen: { hostname: '127.0.0.1', port: 0 },
    handler: createMetadata({ snapshot: () => snapshot, source: createTree({ seed: 'bench' }), tokens }),
    ...(role === 'logged' && { onAccess: () => void (seen += 1) }),
  })
  console.log(`${server.port} ${tokens.issue(21_600)}`)
}

interface Server {
  readonly url: string
  readonly token: string
  stop(): void
}

function startServer(role: Role): Promise<Server> {
  const self = fileURLToPath(import.meta.url)
  const [command = '', ...args] = [...pinned(0), process.execPath, self, role]
  const child = start(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.stdout?.once('data', (chunk: Uint8Array) => {
      const [port = '', token = ''] = new TextDecoder().decode(chunk).trim().split(' ')
      resolve({ url: `http://127.0.0.1:${port}`, token, stop: () => void child.kill() })
    })
  })
}

/** Without it, a server that wakes its client gives way to it, and the figures say more about the scheduler. */
function pinned(processor: number): string[] {
  return canPin ? ['taskset', '-c', String(processor)] : []
}

const canPin = cpus().length > 1 && (await run('taskset', ['-c', '0', 'true'])).code === 0

interface Measured {
  readonly perSecond: number
  /** Milliseconds. */
  readonly p99: number
}

async function load(url: string, connections: number, token = ''): Promise<Measured> {
  const header = token ? ['-H', `X-aws-ec2-metadata-token: ${token}`] : []
  const args = ['-t1', `-c${connections}`, `-d${seconds}`, '--latency', ...header, url]
  const [command = '', ...rest] = [...pinned(1), 'wrk', ...args]
  const { code, stdout, stderr } = await run(command, rest)
  if (code !== 0 || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk: ${stdout}${stderr}`)
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
  const [, number, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? []
  const scale = unit === 's' ? 1000 : unit === 'ms' ? 1 : 0.001
  return { perSecond, p99: Number(number) * scale }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

async function measure(): Promise<void> {
  const servers = await Promise.all(roles.map(startServer))
  const [bare, metadata, logged] = servers
  if (!bare || !metadata || !logged) throw new Error('a server is missing')
  const cases = [
    { name: 'bare Bun.serve', url: bare.url, token: '' },
    { name: 'metadata, v1', url: metadata.url, token: '' },
    { name: 'metadata, v2 token', url: metadata.url, token: metadata.token },
    { name: 'metadata, v1, access log', url: logged.url, token: '' },
  ]
  try {
    const rates = cases.map((): number[] => [])
    // The first round warms up.
    for (let round = 0; round <= rounds; round += 1) {
      for (const [index, { url, token }] of cases.entries()) {
        const { perSecond } = await load(`${url}${page}`, 16, token)
        if (round > 0) rates[index]?.push(perSecond)
      }
    }
    // Neighbours in time share the load of the machine: compare those.
    const ratios = rates.map(list => median(list.map((rate, round) => rate / (rates[0]?.[round] ?? Number.NaN))))
    for (const [index, { name }] of cases.entries()) {
      const rate = Math.round(median(rates[index] ?? []))
      console.log(`${name.padEnd(26)} ${String(rate).padStart(7)}/s  ratio ${(ratios[index] ?? 0).toFixed(2)}`)
    }
    const { p99 } = await load(`${metadata.url}${page}`, 200)
    console.log(`p99 at 200 connections     ${p99.toFixed(1)} ms`)
    process.exitCode = (ratios[1] ?? 0) >= 0.7 && p99 < 50 ? 0 : 1
  } finally {
    for (const server of servers) server.stop()
  }
}

const role = roles.find(name => name === process.argv[2])
await (role ? beServer(role) : measure())
