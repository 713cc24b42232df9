/**
 * A second look at a server whose TLS did not work out: `fetch` says that it failed, the handshake itself says why.
 * Nothing of the request is sent.
 */
import net from 'node:net'
import tls from 'node:tls'
import { codeOf } from './errors.ts'
import { proxyHeaders, type Connection } from './runtime-fetch.ts'

export interface Probed {
  /** What the server or the library said, such as `ERR_SSL_TLSV1_ALERT_UNKNOWN_CA`. */
  readonly said?: string | undefined
  /** Whose certificate the server shows, and who vouches for it, as far as that can be printed. */
  readonly issuer?: string | undefined
}

const patienceMs = 4000
/** A server of TLS 1.3 judges the certificate of its client after the client is done. */
const verdictMs = 1000

/**
 * Never rejects: what cannot be found out stays out of the answer. `judged`: waits a moment for what the server says of
 * our certificate.
 */
export async function probe(address: string, way: Connection, judged: boolean): Promise<Probed> {
  const { proxy, certificate, authorities } = way
  const { hostname, port } = new URL(address)
  const host = hostname.replace(/^\[|\]$/g, '')
  const target = { host, port: Number(port || 443) }
  const open: net.Socket[] = []
  const close = (): void => open.forEach(socket => void socket.destroy())
  const timer = setTimeout(close, patienceMs)
  try {
    // TLS in TLS is not worth the trouble here.
    if (proxy?.url.startsWith('https:')) return {}
    const socket = proxy ? await tunnel(proxy, `${hostname}:${target.port}`, open) : undefined
    return await handshake(
      {
        ...(socket ? { socket } : target),
        ...(net.isIP(host) === 0 && { servername: host }),
        ...(certificate && { cert: certificate.chain, key: certificate.key }),
        ...(authorities && { ca: [...authorities] }),
        rejectUnauthorized: false,
      },
      open,
      judged,
    )
  } catch {
    return {}
  } finally {
    clearTimeout(timer)
    close()
  }
}

async function handshake(options: tls.ConnectionOptions, open: net.Socket[], judged: boolean): Promise<Probed> {
  const { promise, resolve } = Promise.withResolvers<Probed>()
  let issuer: string | undefined
  let verdict: ReturnType<typeof setTimeout> | undefined
  const socket = tls.connect(options, () => {
    const { CN: name, O: organisation } = socket.getPeerCertificate().issuer
    issuer = printable(name ?? organisation)
    verdict = setTimeout(() => socket.destroy(), judged ? verdictMs : 0)
  })
  open.push(socket)
  socket.on('error', error => resolve({ issuer, said: codeOf(error) }))
  socket.on('close', () => resolve({ issuer }))
  return await promise.finally(() => clearTimeout(verdict))
}

/** RFC 9110, section 9.3.6. */
async function tunnel(
  proxy: NonNullable<Connection['proxy']>,
  target: string,
  open: net.Socket[],
): Promise<net.Socket> {
  const { hostname, port } = new URL(proxy.url)
  const { promise, resolve, reject } = Promise.withResolvers<net.Socket>()
  const socket = net.connect(Number(port || 80), hostname.replace(/^\[|\]$/g, ''))
  open.push(socket)
  const lines = Object.entries(proxyHeaders(proxy)).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${lines.join('')}\r\n`)
  socket.on('error', reject)
  socket.on('close', reject)
  // The server speaks only after us, so that nothing of it comes with this.
  socket.once('data', (answer: Uint8Array) => {
    if (/^HTTP\/1\.[01] 200 /.test(new TextDecoder().decode(answer))) resolve(socket)
    else reject(new Error('no tunnel'))
  })
  return await promise
}

function printable(name: string | string[] | undefined): string | undefined {
  return (
    [name]
      .flat()
      .join(', ')
      .replace(/[^\p{L}\p{N}\p{P}\p{Zs}]/gu, '')
      .slice(0, 80) || undefined
  )
}
