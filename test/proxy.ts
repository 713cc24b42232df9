/** A forward proxy on loopback. Every name leads to this machine, so that tests can have hosts of any name. */
import { Buffer } from 'node:buffer'
import { createServer, request as ask } from 'node:http'
import net from 'node:net'
import { listen, type Loopback } from '../scripts/demo-http.ts'

export interface ForwardProxy extends Loopback {
  /** `CONNECT host:port`, `GET http://…`; without who asked. */
  readonly seen: string[]
}

export interface ProxyOptions {
  /** `name:password`; without it everybody is let through. */
  readonly user?: string
  /** Hosts it knows nothing of. */
  readonly unknown?: readonly string[]
}

export async function startProxy({ user, unknown = [] }: ProxyOptions = {}): Promise<ForwardProxy> {
  const seen: string[] = []
  const wanted = user === undefined ? undefined : `Basic ${Buffer.from(user).toString('base64')}`
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    if (wanted !== undefined && request.headers['proxy-authorization'] !== wanted)
      return void response.writeHead(407, { 'proxy-authenticate': 'Basic realm="corp"' }).end('who are you?')
    const { port, pathname, search } = new URL(request.url ?? '')
    const options = { host: '127.0.0.1', port, path: pathname + search, method: request.method ?? '' }
    request.pipe(
      ask({ ...options, headers: request.headers }, answer => {
        response.writeHead(answer.statusCode ?? 500, answer.headers)
        answer.pipe(response)
      }),
    )
  })
  const tunnels = new Set<net.Socket>()
  server.on('connect', (request, socket: net.Socket) => {
    seen.push(`CONNECT ${request.url}`)
    tunnels.add(socket)
    const refuse = (status: string): void =>
      void socket.end(`HTTP/1.1 ${status}\r\nProxy-Authenticate: Basic realm="corp"\r\nContent-Length: 0\r\n\r\n`)
    if (wanted !== undefined && request.headers['proxy-authorization'] !== wanted)
      return refuse('407 Proxy Authentication Required')
    const [, host = '', port] = /^(.*):(\d+)$/.exec(request.url ?? '') ?? []
    if (unknown.includes(host)) return refuse('502 Bad Gateway')
    const upstream = net.connect(Number(port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      upstream.pipe(socket)
      socket.pipe(upstream)
    })
    tunnels.add(upstream)
    for (const [one, other] of [
      [upstream, socket],
      [socket, upstream],
    ] as const) {
      one.on('error', () => other.destroy())
      one.on('close', () => other.destroy())
    }
  })
  const { origin, stop } = await listen(server)
  return {
    origin,
    seen,
    stop: async () => {
      for (const socket of tunnels) socket.destroy()
      await stop()
    },
  }
}
