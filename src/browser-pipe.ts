/**
 * The DevTools protocol over two pipes that only we and the browser hold: no port, nobody else can speak to it, and when
 * this process is gone, however it went, the browser reads the end of its pipe and goes too.
 *
 * Messages are JSON with a NUL byte behind each (https://chromedevtools.github.io/devtools-protocol/).
 */
import type { Readable, Writable } from 'node:stream'
import { failure } from './errors.ts'
import { fieldsOf, readFields } from './json.ts'

export type Fields = Readonly<Record<string, unknown>>

export interface DevTools {
  /** Rejects when the browser answers with an error, or is gone. */
  send(method: string, parameters?: Fields, sessionId?: string): Promise<Fields>
  /** Every event, of every target. */
  onEvent(listener: (method: string, parameters: Fields) => void): void
  /** Resolves when the browser closed its end. */
  readonly closed: Promise<void>
}

/** A page with the largest assertion that anybody has seen is far below; a browser that sends more is broken. */
const longestMessage = 64 * 1024 * 1024

interface Waiting {
  readonly resolve: (result: Fields) => void
  readonly reject: (error: Error) => void
  readonly method: string
}

/** `output` is what the browser reads, `input` what it writes. */
export function speakDevTools(output: Writable, input: Readable): DevTools {
  const waiting = new Map<number, Waiting>()
  const listeners: ((method: string, parameters: Fields) => void)[] = []
  let last = 0
  let over = false
  let parts: string[] = []
  let length = 0
  const { promise: closed, resolve: close } = Promise.withResolvers<void>()

  function end(): void {
    if (over) return
    over = true
    for (const { method, reject } of waiting.values()) reject(gone(method))
    waiting.clear()
    close()
  }

  function take(text: string): void {
    const [head = '', ...rest] = text.split('\0')
    parts.push(head)
    length += head.length
    for (const next of rest) {
      receive(parts.join(''))
      parts = [next]
      length = next.length
    }
    if (length > longestMessage) input.destroy()
  }

  function receive(message: string): void {
    const { id, method, params, result, error } = readFields(message)
    if (typeof id === 'number') {
      const call = waiting.get(id)
      waiting.delete(id)
      if (error === undefined) call?.resolve(fieldsOf(result))
      else call?.reject(refusal(call.method, fieldsOf(error)['message']))
    } else if (typeof method === 'string') {
      for (const listener of listeners) listener(method, fieldsOf(params))
    }
  }

  input.setEncoding('utf8')
  input.on('data', (text: string) => take(text))
  for (const event of ['end', 'close', 'error']) input.on(event, end)
  // A browser that has gone closes this one as well; `closed` tells.
  output.on('error', end)

  return {
    closed,
    onEvent: listener => void listeners.push(listener),
    send: (method, parameters = {}, sessionId) =>
      new Promise((resolve, reject) => {
        if (over) return reject(gone(method))
        last += 1
        waiting.set(last, { resolve, reject, method })
        output.write(`${JSON.stringify({ id: last, method, params: parameters, ...(sessionId && { sessionId }) })}\0`)
      }),
  }
}

function gone(method: string): Error {
  return failure('unexpected', `the browser is gone (${method})`, { code: 'browser-gone' })
}

function refusal(method: string, message: unknown): Error {
  const why = typeof message === 'string' ? message.slice(0, 200) : 'no reason given'
  return failure('unexpected', `the browser refused ${method}: ${why}`, { code: 'browser-failed' })
}
