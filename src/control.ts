/**
 * How a person speaks to their daemon: a socket that only they can open, one JSON value a line in both directions.
 * Never the port of the credentials, where every program of the machine may ask.
 */
import { Buffer } from 'node:buffer'
import { connect, createServer, type Socket } from 'node:net'
import path from 'node:path'
import process from 'node:process'
import { exitCodes, failure, isFailure, messageOf, type Failure, type FailureKind } from './errors.ts'
import { makePrivate, remove } from './files.ts'
import { readFields } from './json.ts'

/** By name; the value is the answer, a failure that is thrown arrives as one. */
export type ControlCommands = Readonly<Record<string, (argument: string | undefined) => unknown>>

export interface ControlServer {
  /** Takes the socket away. Open connections stay until the process ends, so that `stop` can wait for just that. */
  close(): void
}

/** Nothing that is said here is longer. */
const longestLine = 64 * 1024
const patience = 2000

/**
 * Listens on the socket, mode 0600. What a daemon that is gone left behind is replaced; one that answers is left
 * alone: that is a failure of kind `address`.
 */
export async function startControl(file: string, commands: ControlCommands): Promise<ControlServer> {
  const windows = process.platform === 'win32'
  // sun_path of unix(7) and of macOS, with the zero at its end.
  if (!windows && Buffer.byteLength(file) > 103) {
    const hint = 'set XDG_RUNTIME_DIR to a private folder with a short name'
    throw failure('config', `${file} is too long for the name of a socket`, { hint })
  }
  if (!windows) makePrivate(path.dirname(file))
  if (await answers(file)) {
    throw failure('address', `another cloudtoken is controlled through ${file}`, { hint: 'cloudtoken stop' })
  }
  if (!windows) remove(file)
  const server = createServer(socket => void converse(socket, commands))
  server.maxConnections = 64
  await new Promise<void>((resolve, reject) => {
    const umask = windows ? undefined : process.umask(0o177)
    const settle = (work: () => void) => (): void => {
      if (umask !== undefined) process.umask(umask)
      work()
    }
    server.once('error', error => settle(() => reject(failure('address', `no control socket: ${messageOf(error)}`)))())
    server.listen(file, settle(resolve))
  })
  // It does not keep the daemon alive.
  server.unref()
  return {
    close() {
      server.close()
      if (!windows) remove(file)
    },
  }
}

async function converse(socket: Socket, commands: ControlCommands): Promise<void> {
  let text = ''
  socket.setEncoding('utf8')
  try {
    // No more is read while there is something to answer.
    for await (const chunk of socket) {
      const lines = (text + String(chunk)).split('\n')
      text = lines.pop() ?? ''
      if (text.length > longestLine) return void socket.destroy()
      for (const line of lines) {
        // Who asks and does not listen is not to fill the memory.
        if (socket.writableLength > longestLine) return void socket.destroy()
        socket.write(`${await answer(line, commands)}\n`)
      }
    }
    socket.end()
  } catch {
    socket.destroy()
  }
}

async function answer(line: string, commands: ControlCommands): Promise<string> {
  try {
    const { command, argument } = readFields(line)
    const handler = typeof command === 'string' && Object.hasOwn(commands, command) ? commands[command] : undefined
    if (!handler) throw failure('usage', 'the daemon does not know that command', { hint: 'cloudtoken --version' })
    const result = await handler(typeof argument === 'string' ? argument : undefined)
    return JSON.stringify({ result: result ?? null })
  } catch (error) {
    return JSON.stringify({ failure: failureValue(error) })
  }
}

/**
 * Asks the daemon behind this socket. Rejects with its failure, or with kind `no-daemon` when nobody answers, for `patience`
 * ms where that is given.
 */
export function askDaemon(file: string, command: string, argument?: string, patience?: number): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(file)
    let text = ''
    let last: unknown
    let ending = false
    socket.setEncoding('utf8')
    if (patience !== undefined) {
      socket.setTimeout(patience, () => {
        const hint = 'fg, where it was stopped with Ctrl-Z; else end its process'
        reject(failure('no-daemon', `the cloudtoken behind ${file} does not answer`, { hint, code: 'silent' }))
        socket.destroy()
      })
    }
    socket.on('error', () => reject(noDaemon()))
    // `stop` is done when the daemon is gone, and with it the connection.
    socket.on('close', () => (ending ? resolve(last) : reject(noDaemon())))
    socket.on('connect', () => socket.write(`${JSON.stringify({ command, argument })}\n`))
    socket.on('data', chunk => {
      text += String(chunk)
      if (!text.includes('\n')) return
      const { result, failure: refusal } = readFields(text)
      if (refusal !== undefined) reject(failureOf(refusal))
      else if (command === 'stop') [last, ending] = [result, true]
      else resolve(result)
      if (!ending) socket.destroy()
    })
  })
}

/** `address`: the one that was asked for. */
export function noDaemon(address?: string): Failure {
  const [at, option] = address === undefined ? ['', ''] : [` at ${address}`, ` --listen ${address}`]
  return failure('no-daemon', `no cloudtoken daemon is running${at}`, { hint: `cloudtoken -d${option}` })
}

/** Whether a process listens there. */
function answers(file: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(file)
    const timer = setTimeout(settle, patience, true)
    function settle(found: boolean): void {
      clearTimeout(timer)
      socket.destroy()
      resolve(found)
    }
    socket.on('connect', () => settle(true))
    socket.on('error', () => settle(false))
  })
}

/** A failure as it travels; anything else becomes one of kind `unexpected`. */
export function failureValue(error: unknown): object {
  if (!isFailure(error)) return { kind: 'unexpected', message: messageOf(error) }
  const { kind, message, hint, code } = error
  return { kind, message, hint, code }
}

export function failureOf(value: unknown): Failure {
  const { kind, message, hint, code }: Record<string, unknown> = { ...(typeof value === 'object' && value) }
  const known = typeof kind === 'string' && kind in exitCodes ? (kind as FailureKind) : 'unexpected'
  const text = (item: unknown): string | undefined => (typeof item === 'string' ? item : undefined)
  return failure(known, text(message) ?? 'the daemon failed', { hint: text(hint), code: text(code) })
}
