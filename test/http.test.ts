import { Buffer } from 'node:buffer'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, describe, expect, test } from 'bun:test'
import { charsetOf, decode } from '../src/http-charset.ts'
import { redirected } from '../src/http-redirect.ts'
import { createHttp, isLoopback, type HttpRequest, type HttpResponse } from '../src/http.ts'
import { openNetwork } from '../src/http-network.ts'
import { readPage, submit } from '../src/html.ts'
import { failureOf } from './failure.ts'

const cleanups: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** A server on loopback; `seen` are the requests in order. */
async function serve(
  answer: (request: Seen, index: number) => Parameters<typeof reply>[1],
): Promise<{ origin: string; port: number; seen: Seen[] }> {
  const seen: Seen[] = []
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const entry = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      }
      seen.push(entry)
      reply(response, answer(entry, seen.length - 1))
    })
  }
  const port = await listen(createServer(listener))
  return { origin: `http://127.0.0.1:${port}`, port, seen }
}

function reply(
  response: Parameters<RequestListener>[1],
  {
    status = 200,
    headers = {},
    body = '',
  }: { status?: number; headers?: Record<string, string | string[]>; body?: string | Uint8Array },
): void {
  response.writeHead(status, headers)
  response.end(body)
}

function listen(server: Server | net.Server): Promise<number> {
  const sockets = new Set<net.Socket>()
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : 0)
    })
  })
}

/** A server that speaks bytes; `requests` are the first bytes of each connection. */
async function raw(talk: (socket: net.Socket, index: number) => void): Promise<{ origin: string; requests: string[] }> {
  const requests: string[] = []
  const port = await listen(
    net.createServer(socket => {
      socket.on('data', data => {
        requests.push(data.toString('latin1'))
        talk(socket, requests.length - 1)
      })
    }),
  )
  return { origin: `http://127.0.0.1:${port}`, requests }
}

const get = (url: string): HttpRequest => ({ url })
const post = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  url,
  method: 'POST',
  body: 'a=b',
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  ...more,
})
const noSleep = (slept: number[]) => ({ now: () => Date.now(), sleep: async (ms: number) => void slept.push(ms) })

describe('cookies', () => {
  test('C01 a cookie of the redirect is sent afterwards', async () => {
    const { origin, seen } = await serve(({ url }) =>
      url === '/' ? { status: 302, headers: { location: '/in', 'set-cookie': 's=1; Path=/' } } : {},
    )
    await createHttp().request(get(`${origin}/`))
    expect(seen.map(({ url, headers }) => [url, headers.cookie])).toEqual([
      ['/', undefined],
      ['/in', 's=1'],
    ])
  })

  test('C02 __Host- and Secure work on loopback, and the rules of the prefix hold', async () => {
    const { origin, seen } = await serve(() => ({
      headers: {
        'set-cookie': ['__Host-JSESSIONID=1; Secure; Path=/', '__Host-bad=1; Secure; Path=/x', '__Secure-bad=1'],
      },
    }))
    const http = createHttp()
    await http.request(get(`${origin}/`))
    await http.request(get(`${origin}/x/y`))
    expect(seen[1]?.headers.cookie).toBe('__Host-JSESSIONID=1')
  })

  test('C03 paths: only where it belongs, longest first', async () => {
    const { origin, seen } = await serve((_, index) =>
      index === 0 ? { headers: { 'set-cookie': ['a=root; Path=/', 'a=ls; Path=/adfs/ls'] } } : {},
    )
    const http = createHttp()
    await http.request(get(`${origin}/adfs/ls`))
    await http.request(get(`${origin}/adfs/ls/x`))
    await http.request(get(`${origin}/adfs`))
    expect(seen.slice(1).map(({ headers }) => headers.cookie)).toEqual(['a=ls; a=root', 'a=root'])
  })

  test('C04 two cookies of four kilobytes', async () => {
    const long = 'x'.repeat(4000)
    const { origin, seen } = await serve(() => ({
      headers: { 'set-cookie': [`MSISAuth=${long}; Path=/`, `MSISAuth1=${long}; Path=/`] },
    }))
    const http = createHttp()
    await http.request(get(`${origin}/`))
    await http.request(get(`${origin}/`))
    expect(seen[1]?.headers.cookie).toBe(`MSISAuth=${long}; MSISAuth1=${long}`)
  })

  test('C05 the year 9999 is kept; a past date and Max-Age=0 remove', async () => {
    const { origin, seen } = await serve((_, index) => ({
      headers: {
        'set-cookie':
          index === 0
            ? ['far=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT', 'past=1', 'gone=1']
            : ['past=; Expires=Thu, 01 Jan 1970 00:00:00 GMT', 'gone=; Max-Age=0'],
      },
    }))
    const http = createHttp()
    for (let count = 0; count < 3; count += 1) await http.request(get(`${origin}/`))
    expect(seen.map(({ headers }) => headers.cookie)).toEqual([undefined, 'far=1; past=1; gone=1', 'far=1'])
  })

  test('C06 the cookie check of SimpleSAMLphp passes', async () => {
    const { origin } = await serve(({ url, headers }) => {
      if (url === '/sso')
        return { status: 302, headers: { location: '/check', 'set-cookie': 'SimpleSAMLSessionID=1; path=/; HttpOnly' } }
      return { body: headers.cookie ? '<form>' : 'Missing cookie' }
    })
    expect((await createHttp().request(get(`${origin}/sso`))).text).toBe('<form>')
  })

  test('C07 a jar of an earlier run still opens the door, session cookies included', async () => {
    const { origin, seen } = await serve(() => ({
      headers: { 'set-cookie': ['idp_session=1; Path=/; Secure; HttpOnly', 'kept=2; Max-Age=1000'] },
    }))
    const first = createHttp()
    expect(await first.serializeCookies()).toBeUndefined()
    await first.request(get(`${origin}/`))
    const text = await first.serializeCookies()
    const second = createHttp({ cookies: text })
    await second.request(get(`${origin}/`))
    expect(seen[1]?.headers.cookie).toBe('idp_session=1; kept=2')
  })

  test('a cookie is read and set as a script of the page would', async () => {
    const { origin, seen } = await serve(() => ({
      headers: { 'set-cookie': ['.csrf=a=b; Path=/in', 'other=1; Path=/'] },
    }))
    const http = createHttp()
    await http.request(get(`${origin}/in/side`))
    expect(await http.readCookie(`${origin}/in/side`, '.csrf')).toBe('a=b')
    expect(await http.readCookie(`${origin}/out`, '.csrf')).toBeUndefined()
    await http.writeCookie(`${origin}/in/side`, 'token=AQIC*x.y==; Path=/')
    await http.request(get(`${origin}/out`))
    expect(seen[1]?.headers.cookie).toBe('other=1; token=AQIC*x.y==')
  })

  test('C08 a jar whose session is over is replaced', async () => {
    const { origin, seen } = await serve(({ headers }) =>
      headers.cookie === 's=old' ? { headers: { 'set-cookie': 's=new' } } : { headers: { 'set-cookie': 's=old' } },
    )
    const first = createHttp()
    await first.request(get(`${origin}/`))
    const second = createHttp({ cookies: await first.serializeCookies() })
    await second.request(get(`${origin}/`))
    const text = (await second.serializeCookies()) ?? ''
    expect(text).toContain('new')
    expect(text).not.toContain('old')
    await createHttp({ cookies: text }).request(get(`${origin}/`))
    expect(seen.map(({ headers }) => headers.cookie)).toEqual([undefined, 's=old', 's=new'])
  })

  for (const text of ['', 'nonsense', 'null', '[]', '{"cookies":5}', '{"cookies":[{"key":1}]}', '{"cookies":[null]}']) {
    test(`a jar of ${text || 'nothing'} is no cookies`, async () => {
      const { origin, seen } = await serve(() => ({}))
      await createHttp({ cookies: text }).request(get(`${origin}/`))
      expect(seen[0]?.headers.cookie).toBeUndefined()
    })
  }
})

describe('redirects', () => {
  const rules: [status: number, method: 'POST' | 'HEAD' | 'GET', then: string, body: string][] = [
    [301, 'POST', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [303, 'POST', 'GET', ''],
    [307, 'POST', 'POST', 'a=b'],
    [308, 'POST', 'POST', 'a=b'],
    [303, 'HEAD', 'HEAD', ''],
    [302, 'GET', 'GET', ''],
  ]
  for (const [status, method, then, body] of rules) {
    test(`C10 ${status} after ${method}`, async () => {
      const { origin, seen } = await serve(({ url }) =>
        url === '/a/b?c' ? { status, headers: { location: 'd?e=1#f' } } : {},
      )
      const request = method === 'POST' ? post(`${origin}/a/b?c`) : { url: `${origin}/a/b?c`, method }
      const response = await createHttp().request(request)
      expect(response.url).toBe(`${origin}/a/d?e=1`)
      expect(seen[1]).toMatchObject({ method: then, url: '/a/d?e=1', body })
      expect(seen[1]?.headers['content-type']).toBe(then === 'POST' ? 'application/x-www-form-urlencoded' : undefined)
    })
  }

  test('C10 a redirect without a place to go is an answer', async () => {
    const { origin } = await serve(() => ({ status: 302, body: 'here' }))
    expect(await createHttp().request(get(`${origin}/`))).toMatchObject({ status: 302, text: 'here' })
  })

  test('C10 ten are followed, eleven are not', async () => {
    const { origin, seen } = await serve(({ url }) => {
      const left = Number(url.slice(1))
      return left === 0 ? { body: 'end' } : { status: 302, headers: { location: `/${left - 1}` } }
    })
    expect((await createHttp().request(get(`${origin}/10`))).text).toBe('end')
    expect(await failureOf(createHttp().request(get(`${origin}/11`)))).toMatchObject({
      kind: 'network',
      code: 'redirect',
    })
    expect(seen).toHaveLength(22)
  })

  for (const location of ['cloudtoken://x', 'javascript:1', 'http://[', 'file:///etc/passwd']) {
    test(`C10 not to ${location}`, async () => {
      const { origin } = await serve(() => ({ status: 302, headers: { location } }))
      expect(await failureOf(createHttp().request(get(`${origin}/`)))).toMatchObject({
        kind: 'network',
        code: 'redirect',
      })
    })
  }

  test('C12 the target of a form on another host is that host', async () => {
    const { origin } = await serve(() => ({
      headers: { 'content-type': 'text/html' },
      body: '<form method=post action="https://evil.test/"><input type=password name=p></form>',
    }))
    const page = await readPage(await createHttp().request(get(`${origin}/`)))
    const form = page?.forms[0]
    if (!page || !form) throw new Error('no form')
    expect(submit(page, form).url).toBe('https://evil.test/')
  })

  test('C13 a password is not sent on to another host, other bodies are', async () => {
    const other = await serve(() => ({ body: 'there' }))
    const { origin, port } = await serve(({ url }) => ({
      status: 307,
      headers: { location: url === '/abroad' ? `${other.origin}/` : '/here' },
    }))
    const failure = await failureOf(createHttp().request(post(`${origin}/abroad`, { sensitive: true })))
    expect(failure).toMatchObject({ kind: 'network', code: 'redirect' })
    expect(failure.message).toContain(new URL(other.origin).host)
    expect(failure.message).toContain(`127.0.0.1:${port}`)
    expect(other.seen).toEqual([])
    await createHttp().request(post(`${origin}/abroad`))
    expect(other.seen[0]).toMatchObject({ method: 'POST', body: 'a=b' })
  })

  test('C13 at home a 307 takes the password along', async () => {
    const { origin, seen } = await serve(({ url }) =>
      url === '/' ? { status: 307, headers: { location: '/here' } } : {},
    )
    await createHttp().request(post(`${origin}/`, { sensitive: true }))
    expect(seen[1]).toMatchObject({ url: '/here', method: 'POST', body: 'a=b' })
  })

  test('a foreign host gets neither Authorization nor the whole Referer', async () => {
    const other = await serve(() => ({}))
    const { origin } = await serve(() => ({ status: 302, headers: { location: `${other.origin}/` } }))
    const headers = {
      authorization: 'Basic eA==',
      'x-amz-sso_bearer_token': 'a',
      'x-shibboleth-duo-passcode': '123456',
      referer: `${origin}/a?secret=1`,
      origin,
    }
    await createHttp().request(post(`${origin}/`, { headers }))
    expect(other.seen[0]?.headers.authorization).toBeUndefined()
    expect(other.seen[0]?.headers['x-amz-sso_bearer_token']).toBeUndefined()
    expect(other.seen[0]?.headers['x-shibboleth-duo-passcode']).toBeUndefined()
    expect(other.seen[0]?.headers.origin).toBeUndefined()
    expect(other.seen[0]?.headers.referer).toBe(`${origin}/`)
  })

  test('a header that is none is the fault of the page that names it', async () => {
    for (const value of ['a\r\nb: c', '\u2713'])
      expect(
        await failureOf(createHttp().request({ url: 'http://idp.invalid/', headers: { a: value } })),
      ).toMatchObject({
        kind: 'network',
        code: 'header',
      })
  })

  test('a password does not go over plain http to another machine', async () => {
    const failure = await failureOf(createHttp().request(post('http://idp.invalid/', { sensitive: true })))
    expect(failure).toMatchObject({ kind: 'network', code: 'insecure' })
  })

  for (const url of ['ftp://x/', 'nonsense', '']) {
    test(`no request to ${url || 'nowhere'}`, async () => {
      expect(await failureOf(createHttp().request(get(url)))).toMatchObject({ kind: 'network' })
    })
  }
})

describe('TLS', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'cloudtoken-http-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const key = path.join(folder, 'key.pem')
  const cert = path.join(folder, 'cert.pem')
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      key,
      '-out',
      cert,
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
    ],
    { stdio: 'ignore' },
  )

  const trusting = openNetwork({ caFile: cert }, {})

  async function tlsServer(listener: RequestListener): Promise<number> {
    return await listen(createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, listener))
  }

  test('C11 from https to http is refused', async () => {
    const port = await tlsServer((_, response) =>
      reply(response, { status: 302, headers: { location: 'http://idp.invalid/login?x=1' } }),
    )
    const failure = await failureOf(createHttp({ network: trusting }).request(get(`https://localhost:${port}/`)))
    expect(failure).toMatchObject({ kind: 'network', code: 'insecure' })
    expect(failure.message).toContain('idp.invalid')
  })

  test('C11 but on loopback alone it is followed, without its Secure cookies leaving the machine', async () => {
    const { origin } = await serve(() => ({ body: 'plain' }))
    const port = await tlsServer((_, response) => reply(response, { status: 302, headers: { location: `${origin}/` } }))
    expect((await createHttp({ network: trusting }).request(get(`https://localhost:${port}/`))).text).toBe('plain')
  })

  test('an unknown authority is named, with the setting that helps', async () => {
    const port = await tlsServer((_, response) => reply(response, {}))
    const failure = await failureOf(createHttp().request(get(`https://localhost:${port}/x?secret=1`)))
    expect(failure).toMatchObject({ kind: 'network', code: 'tls-authority' })
    expect(failure.message).toBe(
      `the certificate of localhost:${port} is from an authority that is not known here: localhost (GET /x)`,
    )
    expect(failure.hint).toContain('--ca-file FILE')
  })

  test('a certificate for another name', async () => {
    const port = await tlsServer((_, response) => reply(response, {}))
    expect(await failureOf(createHttp({ network: trusting }).request(get(`https://127.0.0.1:${port}/`)))).toMatchObject(
      {
        code: 'tls-name',
      },
    )
  })

  test('a server without TLS', async () => {
    const { port } = await serve(() => ({}))
    expect(await failureOf(createHttp().request(get(`https://127.0.0.1:${port}/`)))).toMatchObject({ code: 'tls' })
  })
})

describe('what is sent', () => {
  test('C16 the agent looks like a browser, but not like one that gets Windows log-ins', async () => {
    const { origin, seen } = await serve(() => ({}))
    await createHttp().request(get(`${origin}/`))
    const agent = seen[0]?.headers['user-agent'] ?? ''
    expect(agent).toMatch(/^Mozilla\/5\.0 .*cloudtoken/)
    expect(agent).not.toMatch(/MSIE|Trident|Edg|Windows/)
    expect(seen[0]?.headers['accept-language']).toBe('en')
    expect(seen[0]?.headers.accept).toStartWith('text/html')
  })

  test('C16 the caller may say something else', async () => {
    const { origin, seen } = await serve(() => ({}))
    await createHttp({ userAgent: 'X' }).request({
      url: `${origin}/`,
      headers: { 'Accept-Language': 'de', cookie: 'f5cid00=token' },
    })
    expect(seen[0]?.headers).toMatchObject({ 'user-agent': 'X', 'accept-language': 'de', cookie: 'f5cid00=token' })
  })

  test('an id in the query goes out as written, user names in the address do not', async () => {
    const { port, seen } = await serve(() => ({}))
    const response = await createHttp().request(get(`http://me:pw@127.0.0.1:${port}/saml/idp/res?id=/Common/x#y`))
    expect(seen[0]?.url).toBe('/saml/idp/res?id=/Common/x')
    expect(seen[0]?.headers.authorization).toBeUndefined()
    expect(response.url).toBe(`http://127.0.0.1:${port}/saml/idp/res?id=/Common/x`)
  })

  test('bytes', async () => {
    const { origin, seen } = await serve(() => ({}))
    await createHttp().request(post(`${origin}/`, { body: Buffer.from('a=ü') }))
    expect(seen[0]?.body).toBe('a=ü')
  })
})

describe('patience', () => {
  test('C17 a GET waits as long as the server asks, three times at most', async () => {
    const slept: number[] = []
    const { origin, seen } = await serve((_, index) =>
      index < 2 ? { status: index === 0 ? 429 : 503, headers: { 'retry-after': '7' } } : { body: 'ok' },
    )
    expect((await createHttp({ clock: noSleep(slept) }).request(get(`${origin}/`))).text).toBe('ok')
    expect(slept).toEqual([7000, 7000])
    const stubborn = await serve(() => ({ status: 503, headers: { 'retry-after': '1' } }))
    expect((await createHttp({ clock: noSleep(slept) }).request(get(`${stubborn.origin}/`))).status).toBe(503)
    expect(stubborn.seen).toHaveLength(3)
    expect(seen).toHaveLength(3)
  })

  test('C17 a date, and a wait that is too long', async () => {
    const slept: number[] = []
    const dated = await serve((_, index) =>
      index === 0 ? { status: 503, headers: { 'retry-after': new Date(Date.now() + 20_000).toUTCString() } } : {},
    )
    await createHttp({ clock: noSleep(slept) }).request(get(`${dated.origin}/`))
    expect(slept[0]).toBeWithin(15_000, 20_001)
    const long = await serve(() => ({ status: 429, headers: { 'retry-after': '3600' } }))
    expect((await createHttp({ clock: noSleep(slept) }).request(get(`${long.origin}/`))).status).toBe(429)
    expect(long.seen).toHaveLength(1)
  })

  for (const request of [post(''), post('', { sensitive: true }), { url: '', sensitive: true }]) {
    test(`C17 a ${request.sensitive ? 'sensitive ' : ''}${request.method ?? 'GET'} is sent once`, async () => {
      const slept: number[] = []
      const { origin, seen } = await serve(() => ({ status: 503, headers: { 'retry-after': '1' } }))
      expect((await createHttp({ clock: noSleep(slept) }).request({ ...request, url: `${origin}/` })).status).toBe(503)
      const reset = await raw(socket => socket.resetAndDestroy())
      expect(
        await failureOf(createHttp({ clock: noSleep(slept) }).request({ ...request, url: `${reset.origin}/` })),
      ).toMatchObject({ code: 'reset' })
      expect([seen.length, reset.requests.length, slept.length]).toEqual([1, 1, 0])
    })
  }

  test('C17 a POST on a kept connection that breaks is not sent again', async () => {
    const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
    const { origin, requests } = await raw((socket, index) => (index === 0 ? socket.write(ok) : socket.destroy()))
    const http = createHttp()
    await http.request(get(`${origin}/`))
    expect(await failureOf(http.request(post(`${origin}/`, { sensitive: true })))).toMatchObject({ code: 'reset' })
    expect(requests.filter(text => text.startsWith('POST'))).toHaveLength(1)
  })

  test('C17 a GET survives two resets', async () => {
    const slept: number[] = []
    const { origin, requests } = await raw((socket, index) =>
      index < 2 ? socket.resetAndDestroy() : socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
    )
    expect((await createHttp({ clock: noSleep(slept) }).request(get(`${origin}/`))).text).toBe('ok')
    expect([requests.length, slept.length]).toEqual([3, 2])
  })

  test('C18 a server that never answers', async () => {
    const { origin } = await raw(() => {})
    const failure = await failureOf(createHttp({ timeoutMs: 150 }).request(post(`${origin}/idp/login?execution=e1s2`)))
    expect(failure).toMatchObject({ kind: 'network', code: 'timeout' })
    expect(failure.message).toBe(`${new URL(origin).host} did not answer within 0.15 s (POST /idp/login)`)
  })

  test('A11 a request that waits for a person has a limit of its own', async () => {
    const { origin } = await raw(socket => {
      const timer = setTimeout(() => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), 400)
      socket.on('close', () => clearTimeout(timer))
    })
    const http = createHttp({ timeoutMs: 50 })
    expect((await http.request(post(`${origin}/`, { timeoutMs: 20_000 }))).text).toBe('ok')
    expect((await failureOf(http.request(post(`${origin}/`)))).code).toBe('timeout')
  })

  test('C18 a server that drips bytes', async () => {
    const { origin } = await raw(socket => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n')
      const timer = setInterval(() => socket.write('x'), 20)
      socket.on('close', () => clearInterval(timer))
    })
    const failure = await failureOf(createHttp({ timeoutMs: 200 }).request(get(`${origin}/a`)))
    expect(failure.code).toBe('timeout')
    expect(failure.message).toContain('did not finish its answer within 0.2 s (GET /a)')
  })

  test('an abort from outside ends the request and is passed on', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const { origin } = await raw(() => controller.abort(reason))
    for (const _ of ['while it waits', 'before it starts']) {
      const outcome = createHttp({ signal: controller.signal }).request(get(`${origin}/`))
      expect(await outcome.catch((error: unknown) => error)).toBe(reason)
    }
  })
})

describe('what comes back', () => {
  test('C20 gzip, chunks, no length', async () => {
    const text = 'ü'.repeat(50_000)
    const { origin } = await serve(() => ({
      headers: { 'content-encoding': 'gzip', 'content-type': 'text/html; charset=utf-8' },
      body: gzipSync(text),
    }))
    expect((await createHttp().request(get(`${origin}/`))).text).toBe(text)
    const chunked = await raw(socket =>
      socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'),
    )
    expect((await createHttp().request(get(`${chunked.origin}/`))).text).toBe('abcde')
    const endless = await raw(socket => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end'))
    expect((await createHttp().request(get(`${endless.origin}/`))).text).toBe('to the end')
  })

  test('C20 a body that breaks off is a reset, an endless one is cut', async () => {
    const { origin } = await raw(socket => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort'))
    expect(await failureOf(createHttp({ clock: noSleep([]) }).request(get(`${origin}/`)))).toMatchObject({
      code: 'reset',
    })
    const bomb = await serve(() => ({
      headers: { 'content-encoding': 'gzip' },
      body: gzipSync(Buffer.alloc(3_000_000)),
    }))
    expect(await failureOf(createHttp({ maxBytes: 1_000_000 }).request(get(`${bomb.origin}/`)))).toMatchObject({
      code: 'too-large',
    })
  })

  test('any status is an answer', async () => {
    const { origin } = await serve(() => ({ status: 401, headers: { 'www-authenticate': 'Negotiate' }, body: 'page' }))
    expect(await createHttp().request(get(`${origin}/`))).toMatchObject({ status: 401, text: 'page' })
  })

  test('the clock of the server', async () => {
    const { origin } = await serve(() => ({ headers: { date: 'Thu, 01 Jan 2026 00:10:00 GMT' } }))
    const http = createHttp({ clock: { now: () => Date.UTC(2026, 0, 1), sleep: async () => {} } })
    expect(http.skewMs()).toBeUndefined()
    await http.request(get(`${origin}/`))
    expect(http.skewMs()).toBe(600_000)
  })

  test('a closed port and an unknown host', async () => {
    const server = net.createServer()
    const port = await listen(server)
    await new Promise(resolve => server.close(resolve))
    const refused = await failureOf(createHttp().request(get(`http://127.0.0.1:${port}/`)))
    expect(refused).toMatchObject({
      kind: 'network',
      code: 'refused',
      message: `127.0.0.1:${port} refuses the connection (GET /)`,
    })
    // A label longer than 63 letters: no resolver needs to be asked to know that there is no such host.
    const unknown = `${'x'.repeat(64)}.invalid`
    expect(await failureOf(createHttp().request(get(`http://${unknown}/`)))).toMatchObject({
      kind: 'network',
      code: 'dns',
    })
  })

  test('nothing secret in what is logged', async () => {
    const lines: string[] = []
    const { origin } = await serve(({ url }) =>
      url.startsWith('/a') ? { status: 302, headers: { location: '/b?token=hidden', 'set-cookie': 's=hidden' } } : {},
    )
    const session = `${origin}/a;jsessionid=hidden?state=hidden`
    await createHttp({ log: { debug: line => void lines.push(line) } }).request(get(session))
    expect(lines).toEqual([`GET ${origin}/a: 302`, `GET ${origin}/b: 200`])
  })

  const charsets: [name: string, bytes: Uint8Array, type: string, text: string][] = [
    [
      'the header goes before the page',
      Buffer.from('<meta charset=utf-8>\u00fc', 'latin1'),
      'text/html; Charset="ISO-8859-1"',
      '<meta charset=utf-8>ü',
    ],
    [
      'the page, where the header is silent',
      Buffer.from('<META content="text/html;charset=latin1">ü', 'latin1'),
      'text/html',
      '<META content="text/html;charset=latin1">ü',
    ],
    [
      'a prolog',
      Buffer.from('<?xml version="1.0" encoding="iso-8859-1"?>ü', 'latin1'),
      '',
      '<?xml version="1.0" encoding="iso-8859-1"?>ü',
    ],
    ['UTF-8 otherwise', Buffer.from('ü'), 'text/html', 'ü'],
    ['an unknown name counts as none', Buffer.from('ü'), 'text/html; charset=klingon', 'ü'],
    ['a mark goes before everything, and off', Buffer.from('\ufeffü'), 'text/html; charset=latin1', 'ü'],
    ['UTF-16 by its mark', Buffer.from('\ufeffü', 'utf16le'), 'text/html', 'ü'],
  ]
  for (const [name, bytes, type, text] of charsets) {
    test(`charset: ${name}`, () => {
      expect(decode(bytes, charsetOf(new Headers(type === '' ? {} : { 'content-type': type }), bytes))).toBe(text)
    })
  }
})

test.each(['0.0.0.0', '169.254.169.254', '[::]', '[fe80::1]', '[::ffff:169.254.169.254]', '[::ffff:0.0.0.0]', '127.1'])(
  'from elsewhere no redirect leads inward, to %s',
  host => {
    const from = { url: 'http://idp.test/', method: 'GET' } as const
    expect(() => redirected(from, 302, `http://${host}/latest`)).toThrow('redirects to this machine')
    expect(() => redirected({ ...from, url: 'http://127.0.0.1/' }, 302, `http://${host}/`)).not.toThrow()
    expect(() => redirected(from, 302, 'http://169.254.example/')).not.toThrow()
  },
)

test('isLoopback', () => {
  const loopback = [
    'localhost',
    'LOCALHOST',
    'a.localhost',
    '127.0.0.1',
    '127.8.9.10',
    '::1',
    '[::1]',
    '[::ffff:7f00:1]',
  ]
  const others = [
    '127.0.0.1.evil.test',
    'localhost.evil.test',
    'evil-localhost',
    '0.0.0.0',
    '128.0.0.1',
    '::2',
    '169.254.169.254',
    '',
  ]
  expect(loopback.filter(host => !isLoopback(host))).toEqual([])
  expect(others.filter(isLoopback)).toEqual([])
})

test('C10 an answer says where it came from', async () => {
  const { origin } = await serve(() => ({ headers: { 'x-a': '1' }, body: 'b' }))
  const response: HttpResponse = await createHttp().request(get(`${origin}/q`))
  expect({ ...response, headers: response.headers.get('x-a'), bytes: [...response.bytes] }).toEqual({
    url: `${origin}/q`,
    status: 200,
    headers: '1',
    bytes: [98],
    text: 'b',
  })
})
