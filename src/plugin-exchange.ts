/**
 * One conversation with an executable plugin, from its start to its end. Whatever the plugin does, this ends, the
 * plugin is gone, and the failure names it.
 */
import { Buffer } from 'node:buffer'
import type { ChildProcess } from 'node:child_process'
import process from 'node:process'
import { failure, isFailure, messageOf, type Failure } from './errors.ts'
import { lockListeners } from './lock.ts'
import { remove, temporaryFolder } from './files.ts'
import { keepSecret, type Log } from './log.ts'
import { createLimit } from './plugin-limit.ts'
import { readMessage, type Answer, type AskMessage, type Message } from './plugin-protocol.ts'
import { start } from './run.ts'

export interface Conversation {
  readonly name: string
  readonly path: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Lines of the host, the first one `hello`. */
  readonly opening: readonly object[]
  /** Rejects with kind `person` where nobody can answer, and with `invalid` as its code for a question that has no answer. */
  answer(ask: AskMessage): Promise<unknown>
  tell(message: string): void
  readonly log: Log
  /** Shows what the plugin writes to stderr. */
  readonly debug: boolean
  /** Of the plugin's own time, without the time of the person. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** The user it runs as, when that is another one. */
  readonly owner?: { uid: number; gid: number } | undefined
  /** Sees every line; for the contract checks, whose values are no secrets. */
  trace?(from: 'host' | 'plugin', line: string): void
}

export type Result = Extract<Message, { type: 'result' }>

const longestLine = 1024 * 1024
const mostOutput = 8 * 1024 * 1024
const mostErrors = 64 * 1024
/** Between the end of the conversation, INT and KILL, ms. */
const grace = 1000
/** For what is left in the pipe when the plugin is gone and somebody else keeps it open, ms. */
const rest = 200
const windows = process.platform === 'win32'

/** Resolves with the result; rejects with a `Failure` whose message names the plugin. */
export async function converse(options: Conversation): Promise<Result> {
  const { name, log, signal } = options
  signal?.throwIfAborted()
  const folder = temporaryFolder(options.owner)
  const child = start(options.path, [], {
    cwd: folder,
    env: { ...options.env },
    // A group of its own, so that what it started ends with it, and no terminal to talk to.
    detached: !windows,
    windowsHide: true,
    stdio: ['pipe', 'pipe', options.debug ? 'pipe' : 'ignore'],
    ...options.owner,
  })
  const gone = new Promise<void>(resolve => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const passing = passSignals(child, folder)
  let kind: 'result' | 'failure' = 'failure'
  try {
    const result = await talk(child, options)
    kind = 'result'
    return result
  } catch (error) {
    throw signal?.aborted ? (signal.reason ?? error) : named(error, name)
  } finally {
    await end(child, gone, kind === 'result')
    passing.stop()
    try {
      remove(folder)
    } catch (error) {
      log.debug(messageOf(error))
    }
  }
}

function talk(child: ChildProcess, options: Conversation): Promise<Result> {
  const { name, log, signal, trace } = options
  return new Promise((resolve, reject) => {
    let over = false
    const lines: string[] = []
    let pending: Uint8Array[] = []
    let pendingSize = 0
    let size = 0
    let busy = false
    let ended: string | undefined
    /** The question that nobody could answer: the reason of whatever comes after it. */
    let unanswered: Failure | undefined

    const limit = createLimit({
      ms: options.timeoutMs,
      onSilence: () => log.info(`waiting for the plugin ${name}`),
      onExpire: () => fail(broken(`gave no result within ${options.timeoutMs / 1000} s`)),
    })
    const finish = (settle: () => void): void => {
      if (over) return
      over = true
      limit.stop()
      signal?.removeEventListener('abort', abort)
      settle()
    }
    const fail = (error: unknown): void => finish(() => reject(error))
    const abort = (): void => fail(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })

    // One that ended early closes its stdin; how it ended says more than that.
    child.stdin?.on('error', () => {})
    child.on('error', error => fail(broken(`cannot be started: ${messageOf(error)}`)))
    child.stdout?.on('data', (chunk: Uint8Array) => {
      size += chunk.length
      if (over) return
      if (size > mostOutput) return fail(broken(`wrote more than ${mostOutput / 1024 / 1024} MiB`))
      take(chunk)
    })
    child.on('close', close)
    child.on('exit', (code, by) => void setTimeout(() => close(code, by), rest))
    if (options.debug && child.stderr) showErrors(child, options)
    for (const line of options.opening) send(line)

    function take(chunk: Uint8Array): void {
      let from = 0
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
        lines.push(Buffer.concat([...pending, chunk.subarray(from, at)]).toString('utf8'))
        pending = []
        pendingSize = 0
        from = at + 1
      }
      if (from < chunk.length) pending.push(chunk.subarray(from))
      pendingSize += chunk.length - from
      if (pendingSize > longestLine) return fail(broken(`wrote a line of more than ${longestLine / 1024 / 1024} MiB`))
      void drain()
    }

    function close(code: number | null, by: NodeJS.Signals | null): void {
      if (ended !== undefined) return
      ended = by ? `was ended by ${by}` : `ended with exit code ${code ?? 0}`
      if (pendingSize > 0) {
        // The last line may lack its end.
        lines.push(Buffer.concat(pending).toString('utf8'))
        pendingSize = 0
      }
      void drain()
    }

    /** One message after the other; a question holds up what comes behind it. */
    async function drain(): Promise<void> {
      if (busy) return
      busy = true
      try {
        for (let line = lines.shift(); line !== undefined && !over; line = lines.shift()) {
          if (line.trim() === '') continue
          trace?.('plugin', line)
          limit.sign()
          await handle(line)
        }
      } catch (error) {
        fail(error)
      }
      busy = false
      if (lines.length > 0 && !over) return drain()
      if (ended !== undefined) fail(unanswered ?? broken(`${ended} before it gave a result`))
    }

    async function handle(line: string): Promise<void> {
      let message: Message | undefined
      try {
        message = readMessage(line)
      } catch (error) {
        throw broken(`wrote ${messageOf(error)}`)
      }
      switch (message?.type) {
        case undefined:
          return
        case 'tell':
          options.tell(message.message)
          return send({ type: 'answer', value: true } satisfies Answer)
        case 'ask':
          return send(await answerTo(message))
        case 'error':
          throw unanswered ?? failure(message.kind, `plugin ${name}: ${message.message}`, message)
        case 'result': {
          const result = message
          return finish(() => resolve(result))
        }
      }
    }

    async function answerTo(ask: AskMessage): Promise<Answer> {
      limit.pause()
      try {
        const value = await options.answer(ask)
        if ((ask.kind === 'secret' || ask.kind === 'password') && typeof value === 'string') keepSecret(value)
        return { type: 'answer', value }
      } catch (error) {
        if (!isFailure(error) || error.kind === 'cancelled') throw error
        if (error.code === 'invalid') return { type: 'refused', reason: 'invalid', message: error.message }
        unanswered = failure('person', `plugin ${name} asks “${ask.message}”: ${error.message}`, error)
        return { type: 'refused', reason: 'person', message: error.message }
      } finally {
        if (!over) limit.resume()
      }
    }

    function send(line: object): void {
      const text = JSON.stringify(line)
      trace?.('host', text)
      if (child.stdin?.writable) child.stdin.write(`${text}\n`)
    }

    function broken(what: string): Failure {
      const hint = `cloudtoken plugins test ${name}`
      return failure('plugin', `plugin ${name} ${what}`, { hint, code: 'plugin-broken' })
    }
  })
}

function named(error: unknown, name: string): unknown {
  if (isFailure(error)) return error
  return failure('plugin', `plugin ${name}: ${messageOf(error)}`, { code: 'plugin-broken', cause: error })
}

/** Lines of stderr under `--debug`; what is known to be secret is hidden by the log. */
function showErrors(child: ChildProcess, { name, log }: Conversation): void {
  let shown = 0
  let pending = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (shown > mostErrors) return
    const parts = (pending + text).split('\n')
    pending = (parts.pop() ?? '').slice(0, mostErrors)
    for (const part of parts) {
      shown += part.length + name.length + 20
      if (shown > mostErrors) return log.debug(`plugin ${name} writes too much to stderr; the rest is not shown`)
      log.debug(`plugin ${name}: ${part.replace(/\p{Control}+/gu, ' ')}`)
    }
  })
}

/** The way out: its stdin is closed; one that stays gets INT, then KILL, and so does what it started. */
async function end(child: ChildProcess, gone: Promise<void>, patient: boolean): Promise<void> {
  child.stdin?.destroy()
  if (!patient || !(await within(gone, grace))) {
    kill(child, 'SIGINT')
    await within(gone, grace)
    kill(child, 'SIGKILL')
    await within(gone, grace)
  }
  child.stdout?.destroy()
  child.stderr?.destroy()
}

async function within(promise: Promise<void>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<false>(resolve => (timer = setTimeout(() => resolve(false), ms)))
  const inTime = await Promise.race([promise.then(() => true), late])
  clearTimeout(timer)
  return inTime
}

function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return
  try {
    if (windows) child.kill(signal)
    else process.kill(-child.pid, signal)
  } catch {
    child.kill(signal)
  }
}

/** Ctrl-C at the terminal does not reach a group of its own, so it is passed on before we end by it. */
function passSignals(child: ChildProcess, folder: string): { stop(): void } {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const pass = (signal: NodeJS.Signals): void => {
    kill(child, 'SIGINT')
    const others = process.listenerCount(signal) > 1 + lockListeners()
    for (const each of signals) process.off(each, pass)
    if (others) return
    remove(folder)
    process.kill(process.pid, signal)
  }
  for (const signal of signals) process.on(signal, pass)
  return { stop: () => signals.forEach(signal => void process.off(signal, pass)) }
}
