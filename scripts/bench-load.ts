/**
 * Load for a metadata server: keep-alive connections that ask again as soon as they have the answer. Raw sockets, since a
 * full HTTP client costs more than the server it is to measure.
 */
import { connect } from 'node:net'

export interface Load {
  readonly perSecond: number
  /** 99 of 100 answers took at most this many milliseconds. */
  readonly p99: number
  readonly requests: number
}

interface LoadOptions {
  readonly port: number
  readonly path: string
  readonly connections: number
  /** Ends after so many requests, or so many milliseconds. */
  readonly requests?: number
  readonly ms?: number
}

export async function load(options: LoadOptions): Promise<Load> {
  const limit = options.requests ?? Number.POSITIVE_INFINITY
  const begin = performance.now()
  const end = begin + (options.ms ?? 600_000)
  const request = `GET ${options.path} HTTP/1.1\r\nHost: 127.0.0.1:${options.port}\r\n\r\n`
  const times: number[] = []
  let asked = 0
  await Promise.all(Array.from({ length: options.connections }, () => connection()))
  const perSecond = times.length / ((performance.now() - begin) / 1000)
  return {
    perSecond,
    p99: times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0,
    requests: times.length,
  }

  function connection(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(options.port, '127.0.0.1').setNoDelay(true)
      let sent = 0
      let buffered = ''
      const ask = (): void => {
        if (asked >= limit || performance.now() > end) return void socket.end(resolve)
        asked += 1
        sent = performance.now()
        socket.write(request)
      }
      socket.setEncoding('latin1').on('connect', ask)
      socket.on('data', (chunk: string) => {
        buffered += chunk
        const head = buffered.indexOf('\r\n\r\n')
        if (head < 0) return
        const length = Number(/\r\ncontent-length: *(\d+)/i.exec(buffered)?.[1] ?? Number.NaN)
        if (!buffered.startsWith('HTTP/1.1 200') || Number.isNaN(length))
          return reject(new Error(buffered.slice(0, 300)))
        if (buffered.length < head + 4 + length) return
        buffered = ''
        times.push(performance.now() - sent)
        ask()
      })
      socket.on('error', error =>
        reject(new Error(`${options.port}${options.path}: ${error.message} after ${times.length}`)),
      )
      socket.on('close', () => resolve())
    })
  }
}
