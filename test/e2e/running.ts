/**
 * A program while it runs, and a daemon of ours that serves.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

export interface Result {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  readonly done: Promise<Result>
  /** Resolves when stdout and stderr together match; rejects when the program ends without. */
  seen(pattern: RegExp): Promise<string>
  kill(): Promise<void>
}

export interface Started {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Piped into stdin; without it stdin is empty and no pipe. */
  readonly input?: string | undefined
}

export function startProgram(words: readonly string[], { cwd, env, input }: Started): Running {
  const [program = '', ...args] = words
  const child = spawn(program, args, { cwd, env, stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] })
  let [stdout, stderr, ended] = ['', '', false]
  const watchers = new Set<() => void>()
  const note = (): void => watchers.forEach(watch => watch())
  child.stdout?.setEncoding('utf8').on('data', text => {
    stdout += text
    note()
  })
  child.stderr?.setEncoding('utf8').on('data', text => {
    stderr += text
    note()
  })
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  const done = new Promise<Result>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => {
      ended = true
      resolve({ code, stdout, stderr })
      note()
    })
  })
  return {
    child,
    done,
    seen: pattern =>
      new Promise((resolve, reject) => {
        const watch = (): void => {
          if (pattern.test(stdout + stderr)) resolve(stdout + stderr)
          else if (ended) reject(new Error(`never saw ${pattern}:\n${stdout}\n${stderr}`))
          else return
          watchers.delete(watch)
        }
        watchers.add(watch)
        watch()
      }),
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = once(child, 'exit')
      child.kill('SIGKILL')
      await exit
    },
  }
}

export interface Daemon extends Running {
  readonly url: string
  /** `HOST:PORT` */
  readonly listen: string
  /** The role that the metadata service has. */
  role(): Promise<string>
  /** What it hands out for a role; without a name for the one it has. */
  credentials(role?: string): Promise<Record<string, string>>
}

/** A daemon, once its port is open and the first line of the transcript says where. */
export async function daemonOf(running: Running): Promise<Daemon> {
  const said = await running.seen(/-{54}/)
  const url = /Metadata proxy now available on (\S+)/.exec(said)?.[1] ?? ''
  const folder = `${url}/latest/meta-data/iam/security-credentials/`
  const role = async (): Promise<string> => (await fetch(folder)).text()
  return {
    ...running,
    url,
    listen: url.slice('http://'.length),
    role,
    credentials: async (name?: string) =>
      (await fetch(folder + (name ?? (await role())))).json() as Promise<Record<string, string>>,
  }
}
