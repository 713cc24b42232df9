/**
 * Servers of others as children of a test: a free loopback port, ready when they answer, gone when told.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import process from 'node:process'

export interface Server {
  /** Everything it has printed so far. */
  output(): string
  stop(): Promise<void>
}

interface ServerOptions {
  /** Answers below 500 when the server is ready. */
  readonly probe: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

/** A port nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const patienceMs = 30_000

export async function startServer(command: string, args: readonly string[], options: ServerOptions): Promise<Server> {
  const child = spawn(command, [...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, so that its workers go with it.
    detached: true,
    env: { ...process.env, ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  })
  let output = ''
  let ended = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.on('error', error => ((ended = true), (output += error.message)))
  const gone = new Promise<void>(resolve => void child.on('close', () => ((ended = true), resolve())))
  const kill = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {}
  }
  // A test run that is cut short takes its servers along.
  process.once('exit', kill)
  const stop = async (): Promise<void> => {
    process.off('exit', kill)
    kill()
    if (child.pid !== undefined) await gone
  }
  const deadline = Date.now() + patienceMs
  while (!(await answers(options.probe))) {
    if (ended || Date.now() > deadline) {
      await stop()
      throw new Error(`${command} did not come up\n${output}`)
    }
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  return { output: () => output, stop }
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(5000) })).status < 500
  } catch {
    return false
  }
}
