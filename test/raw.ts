/**
 * A client that sends exactly the bytes it is given, over a real socket: what an HTTP library would tidy up, a test wants to see.
 */
import { Buffer } from 'node:buffer'
import { connect, type Socket } from 'node:net'

export interface RawResponse {
  /** `HTTP/1.1 200 OK` */
  readonly statusLine: string
  readonly status: number
  /** Names in lower case; a repeated header is joined by `, `. */
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Buffer
  readonly text: string
}

export interface Target {
  readonly hostname: string
  readonly port: number
}

export interface RawConnection {
  /** Sends and reads one answer; `head` says that no body follows. */
  send(bytes: string | Buffer, head?: boolean): Promise<RawResponse>
  /** Resolves when the other side has closed. */
  readonly closed: Promise<void>
  end(): void
}

/** One connection, on which several requests may go. */
export async function openRaw(target: Target): Promise<RawConnection> {
  const socket = await connectTo(target)
  let received = Buffer.alloc(0)
  let wake = (): void => {}
  let over = false
  socket.on('data', chunk => {
    received = Buffer.concat([received, typeof chunk === 'string' ? Buffer.from(chunk) : chunk])
    wake()
  })
  const closed = new Promise<void>(resolve => {
    socket.on('close', () => {
      over = true
      wake()
      resolve()
    })
  })
  // A reset is the end of the connection; the reader finds out by itself.
  socket.on('error', () => {})
  return {
    closed,
    end: () => socket.destroy(),
    send: async (bytes, head = false) => {
      socket.write(bytes)
      for (;;) {
        const found = parse(received, head, over)
        if (found) {
          received = received.subarray(found.length)
          return found.response
        }
        if (over)
          throw new Error(`the connection was closed after ${received.length} bytes: ${received.toString('latin1')}`)
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
    },
  }
}

/** One request on a connection of its own. */
export async function raw(target: Target, bytes: string | Buffer, head = false): Promise<RawResponse> {
  const connection = await openRaw(target)
  try {
    return await connection.send(bytes, head)
  } finally {
    connection.end()
  }
}

export interface RequestOptions {
  readonly method?: string
  /** Replaces the Host that fits the target. */
  readonly host?: string
  /** Header lines as they are, without line ends. */
  readonly headers?: readonly string[]
}

/** The bytes of a plain request: `get('/latest/meta-data')`. */
export function requestText(target: Target, path: string, options: RequestOptions = {}): string {
  const name = target.hostname.includes(':') ? `[${target.hostname}]` : target.hostname
  const lines = [`${options.method ?? 'GET'} ${path} HTTP/1.1`, `Host: ${options.host ?? `${name}:${target.port}`}`]
  return [...lines, ...(options.headers ?? []), '', ''].join('\r\n')
}

/** A request with as few headers as HTTP allows. */
export function ask(target: Target, path: string, options: RequestOptions = {}): Promise<RawResponse> {
  return raw(target, requestText(target, path, options), options.method === 'HEAD')
}

/** Every path below a folder, as crawlers find them: each listed entry is asked for, and has to be there and not empty. */
export async function crawl(target: Target, folder: string): Promise<string[]> {
  const paths = [folder]
  for (const path of paths) {
    const { status, text } = await ask(target, path)
    if (status !== 200 || text === '')
      throw new Error(`${path} is listed, and answers ${status} ${JSON.stringify(text)}`)
    if (!path.endsWith('/')) continue
    for (const entry of text.split('\n')) {
      if (!/^[\w.:@=+,-]+\/?$/.test(entry)) throw new Error(`${path} lists ${JSON.stringify(entry)}`)
      paths.push(path + entry.replace(/^(\d+)=.*$/, '$1/'))
    }
  }
  return paths
}

function connectTo({ hostname, port }: Target): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port }, () => resolve(socket))
    socket.once('error', reject)
  })
}

function parse(
  bytes: Buffer,
  head: boolean,
  over: boolean,
): { readonly response: RawResponse; readonly length: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [statusLine = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n')
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`
  }
  const start = end + 4
  const announced = headers['content-length']
  // Without a length the body ends with the connection.
  if (!head && announced === undefined && !over) return undefined
  const length = head ? 0 : announced === undefined ? bytes.length - start : Number(announced)
  if (bytes.length < start + length) return undefined
  const body = Buffer.from(bytes.subarray(start, start + length))
  const status = Number(statusLine.split(' ')[1])
  return {
    response: { statusLine, status, headers, bytes: body, text: body.toString('utf8') },
    length: start + length,
  }
}
