/**
 * Servers of others as children of a test: a free loopback port, ready when they answer, gone when told.
 */
import { spawn } from 'node:child_process'
import process from 'node:process'

export interface Server {
  /** Everything it has printed so far. */
  output(): string
  stop(): Promise<void>
}

interface ServerOptions {
  /** Answers below 500 when the server is ready. */
  readonly probe: string
  /** How long it may take to answer; half a minute if left out. */
  readonly patienceMs?: number
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

const patienceMs = 30_000
/** The shell holds one end of a pipe to the test: it closes however the test ends, and the whole group goes. */
const warden = '{ "$@" </dev/null; kill -KILL 0; } & cat >/dev/null; kill -KILL 0'

export async function startServer(command: string, args: readonly string[], options: ServerOptions): Promise<Server> {
  const child = spawn('sh', ['-c', warden, 'sh', command, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own, so that its workers go with it.
    detached: true,
    env: { ...process.env, ...options.env },
    ...(options.cwd !== undefined && { cwd: options.cwd }),
  })
  let output = ''
  let ended = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text))
  child.stdin.on('error', () => {})
  const gone = new Promise<void>(resolve => void child.on('close', () => ((ended = true), resolve())))
  const stop = async (): Promise<void> => {
    child.stdin.end()
    await gone
  }
  const deadline = Date.now() + (options.patienceMs ?? patienceMs)
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
