/** Private authorities, client certificates and proxies, over real TLS on loopback; each under Bun and under Deno. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { freePort, listen, type Loopback } from '../scripts/demo-http.ts'
import { createHttp } from '../src/http.ts'
import { openNetwork } from '../src/http-network.ts'
import type { Attempt, Outcome } from './http-network-child.ts'
import { makePki } from './pki.ts'
import { startProxy } from './proxy.ts'

const root = join(import.meta.dir, '..')
const child = join(root, 'test/http-network-child.ts')
const runtimes: Readonly<Record<string, readonly [string, ...string[]]>> = {
  Bun: [process.execPath, child],
  Deno: [join(root, 'node_modules/deno/deno'), 'run', '-A', child],
}

const pki = makePki()
const names = ['DNS:localhost', 'DNS:idp.corp.test', 'DNS:sts.corp.test', 'IP:127.0.0.1', 'IP:::1']
const server = pki.issue('server', names)
const client = pki.issue('jane', ['DNS:jane'])
const stranger = makePki('Somebody Else')
const strangers = stranger.issue('eve', ['DNS:eve'])
pki.openssl('x509', '-in', 'ca.pem', '-outform', 'DER', '-out', 'ca.der')
pki.openssl(
  'pkcs8',
  '-topk8',
  '-in',
  'jane.key',
  '-v2',
  'aes-256-cbc',
  '-passout',
  'pass:sesame open',
  '-out',
  'jane.p8',
)
writeFileSync(pki.file('both.pem'), client.pair.key + client.pair.cert, { mode: 0o600 })

const stops: (() => unknown)[] = [() => pki.remove(), () => stranger.remove()]
afterAll(async () => {
  for (const stop of stops.toReversed()) await stop()
})

/** Answers with the method, the path and the name in the certificate of whoever asks. */
async function secure(options: TlsOptions = {}): Promise<number> {
  const answering = createTlsServer({ ...server.pair, ...options }, socket => {
    socket.on('error', () => {})
    socket.once('data', (request: Uint8Array) => {
      const [method, path] = new TextDecoder().decode(request).split(' ')
      const { subject } = socket.getPeerCertificate()
      const body = [method, path, ...[subject?.CN ?? []].flat()].join(' ')
      socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
    })
  })
  answering.on('tlsClientError', () => {})
  answering.listen(0, '127.0.0.1')
  await once(answering, 'listening')
  stops.push(() => answering.close())
  const address = answering.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** openssl as the server: it refuses a certificate as web servers do, with an alert. */
async function opensslServer(...args: readonly string[]): Promise<number> {
  const port = await freePort()
  const words = ['s_server', '-accept', `127.0.0.1:${port}`, '-cert', server.cert, '-key', server.key, '-www', ...args]
  const running: ChildProcess = spawn('openssl', words, { stdio: ['ignore', 'pipe', 'ignore'] })
  stops.push(async () => {
    running.kill('SIGKILL')
    if (running.exitCode === null && running.signalCode === null) await once(running, 'exit')
  })
  const { stdout } = running
  if (stdout) await once(stdout, 'data')
  return port
}

type Case = readonly [name: string, attempt: Attempt, outcome: Readonly<Record<keyof Outcome, unknown>> | object]
const cases: Case[] = []
let proxySeen: string[] = []

beforeAll(async () => {
  const ca = { caFile: pki.ca }
  const jane = { clientCert: client.cert, clientKey: client.key }
  const home = await secure()
  const old = await secure(pki.issue('old', ['DNS:localhost'], -1).pair)
  const other = await secure(pki.issue('other', ['DNS:other.corp.test']).pair)
  const wants = { ca: readFileSync(pki.ca), requestCert: true, rejectUnauthorized: true }
  const strict = await secure(wants)
  const strict12 = await secure({ ...wants, maxVersion: 'TLSv1.2' })
  const suspicious = await opensslServer('-Verify', '2', '-verify_return_error', '-CAfile', stranger.ca)
  const ancient = await opensslServer('-tls1_1', '-cipher', 'ALL:@SECLEVEL=0')
  const plain = await listen(createServer(({ url }, response) => response.end(`plain ${url}`)))
  const proxy = await startProxy({ user: 'jane:p#ss w/rd', unknown: ['gone.corp.test'] })
  const open = await startProxy()
  stops.push(plain.stop, proxy.stop, open.stop)
  proxySeen = proxy.seen
  // Nothing listens there, and nothing is given it as a free one.
  const closed = 9
  const port = new URL(proxy.origin).port
  const way = proxy.origin.replace('://', '://jane:p%23ss%20w%2Frd@')
  const at = (host: string, path = '/'): string => `https://${host}:${home}${path}`

  cases.push(
    [
      'an authority that nobody knows',
      { url: at('localhost', '/x?secret') },
      {
        code: 'tls-authority',
        message: `the certificate of localhost:${home} is from an authority that is not known here: Example Corp Root (GET /x)`,
        hint: expect.stringMatching(/^cloudtoken --ca-file FILE/),
      },
    ],
    ['--ca-file, PEM', { url: at('localhost', '/a'), settings: ca }, { text: 'GET /a' }],
    ['--ca-file, DER', { url: at('localhost', '/a'), settings: { caFile: pki.file('ca.der') } }, { text: 'GET /a' }],
    ['AWS_CA_BUNDLE', { url: at('localhost', '/a'), env: { AWS_CA_BUNDLE: pki.ca } }, { text: 'GET /a' }],
    ['another authority', { url: at('localhost'), settings: { caFile: stranger.ca } }, { code: 'tls-authority' }],
    ['an address in the place of a name', { url: at('127.0.0.1'), settings: ca }, { text: 'GET /' }],
    [
      'another name',
      { url: `https://localhost:${other}/`, settings: ca },
      {
        code: 'tls-name',
        message: `the certificate that localhost:${other} shows is for another name (GET /)`,
      },
    ],
    [
      'out of date',
      { url: `https://localhost:${old}/`, settings: ca },
      {
        code: 'tls-expired',
        message: `the certificate of localhost:${old} is out of date (GET /)`,
        hint: expect.stringContaining('clock'),
      },
    ],
    [
      'no TLS',
      { url: plain.origin.replace('http:', 'https:') },
      {
        code: 'tls',
        message: expect.stringMatching(/ does not speak TLS there \(GET \/\)$/),
        hint: 'check the address and its port',
      },
    ],
    [
      'a TLS too old',
      { url: `https://localhost:${ancient}/`, settings: ca },
      {
        code: 'tls',
        message: expect.stringContaining('speaks only a TLS that is too old'),
      },
    ],
    ...[strict, strict12].flatMap((where, index): Case[] => [
      [
        `a client certificate is wanted, TLS 1.${3 - index}`,
        { url: `https://localhost:${where}/`, settings: ca },
        {
          code: 'tls-client-wanted',
          message: expect.stringContaining(
            index === 0 ? 'wants a client certificate' : 'it may want a client certificate',
          ),
          hint: 'cloudtoken --client-cert FILE --client-key FILE',
        },
      ],
      [
        `and shown, TLS 1.${3 - index}`,
        { url: `https://localhost:${where}/`, settings: { ...ca, ...jane } },
        { text: 'GET / jane' },
      ],
    ]),
    [
      'with a POST, too',
      { method: 'POST', url: `https://localhost:${strict}/`, settings: { ...ca, ...jane } },
      { text: 'POST / jane' },
    ],
    [
      'both in one file',
      { url: `https://localhost:${strict}/`, settings: { ...ca, clientCert: pki.file('both.pem') } },
      { text: 'GET / jane' },
    ],
    [
      'a key with a passphrase',
      {
        url: `https://localhost:${strict}/`,
        settings: { ...ca, clientCert: client.cert, clientKey: pki.file('jane.p8') },
        passphrase: 'sesame open',
      },
      { text: 'GET / jane' },
    ],
    [
      'a client certificate that is refused',
      { url: `https://localhost:${suspicious}/`, settings: { ...ca, ...jane } },
      {
        code: 'tls-client-refused',
        message: `localhost:${suspicious} refuses the client certificate: unknown ca (GET /)`,
        hint: expect.stringContaining('--client-cert'),
      },
    ],
    [
      'a stranger without the chain of the server',
      { url: `https://localhost:${strict}/`, settings: { clientCert: strangers.cert, clientKey: strangers.key } },
      { code: 'tls-authority' },
    ],

    [
      'through a proxy, to a host that only it knows',
      { url: at('idp.corp.test', '/a'), settings: ca, env: { HTTPS_PROXY: way } },
      { text: 'GET /a' },
    ],
    [
      'in lower case, and before ALL_PROXY',
      { url: at('idp.corp.test', '/b'), settings: ca, env: { https_proxy: way, ALL_PROXY: 'http://127.0.0.1:9' } },
      { text: 'GET /b' },
    ],
    [
      'a POST',
      { method: 'POST', url: at('idp.corp.test', '/c'), settings: ca, env: { ALL_PROXY: way } },
      { text: 'POST /c' },
    ],
    [
      'plain http',
      { url: `http://old.corp.test:${new URL(plain.origin).port}/d`, env: { HTTP_PROXY: way } },
      { text: 'plain /d' },
    ],
    [
      'with a client certificate',
      { url: `https://idp.corp.test:${strict}/`, settings: { ...ca, ...jane }, env: { HTTPS_PROXY: way } },
      { text: 'GET / jane' },
    ],
    [
      'without one',
      { url: `https://idp.corp.test:${strict}/`, settings: ca, env: { HTTPS_PROXY: way } },
      { code: 'tls-client-wanted' },
    ],
    [
      'an unknown authority behind it',
      { url: at('idp.corp.test'), env: { HTTPS_PROXY: way } },
      {
        code: 'tls-authority',
        message: expect.stringContaining('Example Corp Root'),
      },
    ],
    [
      'loopback never',
      { url: at('localhost', '/e'), settings: ca, env: { HTTPS_PROXY: 'http://127.0.0.1:9' } },
      { text: 'GET /e' },
    ],
    [
      'a proxy that wants to know who',
      { url: at('idp.corp.test'), settings: ca, env: { HTTPS_PROXY: proxy.origin } },
      {
        code: 'proxy-user',
        message: `the proxy 127.0.0.1:${port} wants a user name and a password (GET /)`,
        hint: `HTTPS_PROXY=http://USER:PASSWORD@127.0.0.1:${port}`,
      },
    ],
    [
      'the same for plain http',
      { url: 'http://old.corp.test/', env: { http_proxy: proxy.origin } },
      {
        code: 'proxy-user',
        hint: `http_proxy=http://USER:PASSWORD@127.0.0.1:${port}`,
      },
    ],
    [
      'a wrong password',
      {
        url: at('idp.corp.test'),
        settings: ca,
        env: { HTTPS_PROXY: proxy.origin.replace('://', '://jane:wr0ng-horse@') },
      },
      {
        code: 'proxy-user',
        message: `the proxy 127.0.0.1:${port} refuses the user name or the password (GET /)`,
      },
    ],
    [
      'a host that the proxy cannot reach',
      { url: at('gone.corp.test'), settings: ca, env: { HTTPS_PROXY: way } },
      {
        code: 'proxy',
        message: expect.stringMatching(
          /^the proxy 127\.0\.0\.1:\d+ does not let us through to gone\.corp\.test:\d+(?:: 502)? \(GET \/\)$/,
        ),
      },
    ],
    [
      'a proxy that is not there',
      { url: at('idp.corp.test'), settings: ca, env: { HTTPS_PROXY: `http://127.0.0.1:${closed}` } },
      {
        code: 'proxy',
        message: `the proxy 127.0.0.1:${closed} refuses the connection (GET /)`,
        hint: 'check HTTPS_PROXY',
      },
    ],
    [
      'a proxy that is none',
      { url: at('idp.corp.test'), env: { HTTPS_PROXY: 'http://jane:wr0ng-horse@[' } },
      {
        code: 'proxy',
        message: 'HTTPS_PROXY is not the address of a proxy',
      },
    ],
    [
      'one of another kind',
      { url: at('idp.corp.test'), env: { ALL_PROXY: 'socks5://127.0.0.1:1080' } },
      {
        code: 'proxy',
        message: 'ALL_PROXY names a proxy of the kind socks5; only http and https proxies are known here',
      },
    ],
    [
      'NO_PROXY',
      {
        url: `http://${'x'.repeat(64)}.invalid:8080/`,
        env: { http_proxy: 'http://127.0.0.1:9', no_proxy: '.invalid' },
      },
      { code: 'dns' },
    ],
  )
})

for (const [runtime, [command, ...args]] of Object.entries(runtimes)) {
  test(`C19 the network of a company, under ${runtime}`, async () => {
    const attempts = JSON.stringify(cases.map(([, attempt]) => attempt))
    // Deno looks a name up even where a proxy is to reach it, and a name server that is silent costs five seconds a time.
    const names = { RES_OPTIONS: 'timeout:1 attempts:1' }
    // Variables of its own environment must not matter.
    const ignored = { HTTPS_PROXY: 'http://127.0.0.1:9', NO_PROXY: '*' }
    const env = { PATH: process.env['PATH'], HOME: pki.folder, DENO_NO_UPDATE_CHECK: '1', ...names, ...ignored }
    proxySeen.length = 0
    const { stdout, stderr } = await promisify(execFile)(command, [...args, attempts], { env })
    const outcomes = JSON.parse(stdout) as Outcome[]
    const got = Object.fromEntries(cases.map(([name], index) => [name, outcomes[index]]))
    const wanted = Object.fromEntries(cases.map(([name, , outcome]) => [name, outcome]))
    expect(got).toMatchObject(wanted)
    expect(stdout + stderr).not.toMatch(/p#ss|p%23ss|wr0ng-horse/)
    expect(proxySeen.filter(line => /\/[a-e]$/.test(line) || line.includes('idp.corp.test')).length).toBeGreaterThan(6)
    expect(proxySeen.filter(line => line.includes('localhost'))).toEqual([])
  }, 60_000)
}

describe('::1', () => {
  let page: Loopback
  beforeAll(async () => {
    const answering = createHttpsServer(server.pair, (request, response) => {
      if (request.url === '/start') {
        response.writeHead(302, { location: '/next', 'set-cookie': 'a=b; Secure; HttpOnly; Path=/' })
        return void response.end()
      }
      response.end(`${request.headers.host} ${request.headers.cookie ?? 'no cookie'}`)
    })
    answering.listen(0, '::1')
    await once(answering, 'listening')
    const address = answering.address()
    const port = typeof address === 'object' ? address?.port : 0
    page = { origin: `https://[::1]:${port}`, stop: async () => void answering.close() }
  })
  afterAll(() => page.stop())

  test('pages, redirects and cookies of an address of version 6', async () => {
    const http = createHttp({ network: openNetwork({ caFile: pki.ca }, {}) })
    const { text, url } = await http.request({ url: `${page.origin}/start` })
    expect([text, url]).toEqual([`${new URL(page.origin).host} a=b`, `${page.origin}/next`])
    const kept = await http.serializeCookies()
    const again = createHttp({ network: openNetwork({ caFile: pki.ca }, {}), cookies: kept })
    expect((await again.request({ url: page.origin })).text).toContain('a=b')
  })
})

test('C18 a person is told after a moment that a server takes its time, and no longer than it does', async () => {
  const slow = await listen(createServer((_, response) => void setTimeout(() => response.end('at last'), 2000)))
  const told: string[] = []
  const onWait = (host: string, waitedMs: number): (() => void) => {
    told.push(`${host} after ${waitedMs} ms`)
    return () => void told.push('over')
  }
  const quick = await listen(createServer((_, response) => void response.end('at once')))
  try {
    await createHttp({ onWait }).request({ url: quick.origin })
    await createHttp({ onWait }).request({ url: slow.origin })
    const patient = openNetwork({ httpTimeout: 1 }, {})
    const failed = createHttp({ network: patient, timeoutMs: 60_000, onWait }).request({ url: slow.origin })
    const failure = await failed.catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'timeout', hint: expect.stringMatching(/--http-timeout 2$/) })
    expect(String(failure)).toContain('did not answer within 1 s (GET /)')
    expect(told).toEqual([`${new URL(slow.origin).host} after 1500 ms`, 'over'])
  } finally {
    await Promise.all([slow.stop(), quick.stop()])
  }
})
