import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fetchAccountNames, readAccountNames, type FetchAccountNames } from '../src/account-names.ts'
import { partitionOf, partitions } from '../src/arn.ts'
import { createHttp } from '../src/http.ts'
import { createLog } from '../src/log.ts'
import { roleArn, samlResponse } from './saml.ts'

const entries = async (html: string) => [...(await readAccountNames(html))].toSorted(([a], [b]) => (a < b ? -1 : 1))

/** The page until 2023: an outer and an inner element of the same class for each account. */
function legacy(labels: readonly string[], variant: 'expandCollapse' | 'container' = 'expandCollapse'): string {
  const accounts = labels.map((label, index) => {
    const open =
      variant === 'container'
        ? `<div class="expandable-container" data-accountIndex="${index}">`
        : `<div onClick="expandCollapse(${index})">`
    const id = variant === 'container' ? 0 : index
    return `<div class="saml-account">${open}<img src="x.png"><div class="saml-account-name">${label}</div></div><hr>
      <div id="${id}" class="saml-account"><div class="saml-role"><input type="radio" name="roleIndex" value="${roleArn('A')}">
      <label for="${roleArn('A')}" class="saml-role-description">A</label></div></div></div>`
  })
  return `<!DOCTYPE html><html><head><title>Amazon Web Services Sign-In</title></head><body><input type="checkbox" name="x">
    <form id="saml_form" name="saml_form" action="/saml" method="post"><input type="hidden" name="RelayState" value="">
    <input type="hidden" name="SAMLResponse" value="PHNhbWw+">${accounts.join('')}</form></body></html>`
}

function next(data: unknown, encode = (text: string): string => Buffer.from(text, 'utf8').toString('base64')): string {
  return `<!DOCTYPE html><html><head>\n<meta\n  name="data"\n  content="${encode(JSON.stringify(data))}"\n/></head><body><div id="root"></div></body></html>`
}

describe('readAccountNames', () => {
  test('W01 the old page: two with an alias, one without', async () => {
    const page = legacy(['Account: prod (123456789012)', 'Account: test (000000000001)', 'Account: 999999999999'])
    expect(await entries(page)).toEqual([
      ['000000000001', 'test'],
      ['123456789012', 'prod'],
    ])
  })

  test('W02 its other form: containers, equal ids, labels over two lines', async () => {
    const page = legacy(['Account: prod\n      (123456789012)', '\n  Account:\n test (1)\n'], 'container')
    expect(await entries(page)).toEqual([
      ['1', 'test'],
      ['123456789012', 'prod'],
    ])
  })

  test('W03 an alias with blanks, parentheses and umlauts', async () => {
    expect(await entries(legacy(['Account: ops (eu) ü (123456789012)']))).toEqual([['123456789012', 'ops (eu) ü']])
    expect(await entries(legacy(['Account: a &amp; b (1)']))).toEqual([['1', 'a & b']])
  })

  test('W04 the page of 2023: JSON in a meta element over several lines', async () => {
    const page = next({
      roles_accounts: { 'prod ü (123456789012)': [roleArn('A')], '000000000001': [roleArn('B')], 'x (y) (2)': [] },
      SAMLResponse: 'PHNhbWw+',
    })
    expect(await entries(page)).toEqual([
      ['123456789012', 'prod ü'],
      ['2', 'x (y)'],
    ])
  })

  test.each([
    ['no base64', next({}, () => '%%%')],
    ['no JSON', next({}, () => Buffer.from('{"roles_accounts":').toString('base64'))],
    ['no roles_accounts', next({ region: 'us-east-1' })],
    ['a null', next(null)],
    ['a list', next({ roles_accounts: ['prod (1)'] })],
    ['a string', next({ roles_accounts: 'prod (1)' })],
    ['no content', '<meta name="data">'],
  ])('W05 a meta element with %s is passed over', async (_, page) => expect(await entries(page)).toEqual([]))

  test.each([
    [
      'script page of 2026',
      '<html><body><script>var hashArgs = window.location.hash</script><meta charset="utf-8"></body></html>',
    ],
    ['error page', '<html><body><h1>Your request included an invalid SAML response.</h1></body></html>'],
    ['empty page', ''],
    ['plain text', 'saml-account-name'],
    ['JSON', '{"roles_accounts":{"prod (1)":[]}}'],
    ['binary', '\0\x01<meta\xff'],
    ['enormous page', '<div class="saml-account-name">a (1)</div>'.repeat(300_000)],
  ])('W06 %s: no names', async (_, page) => expect(await entries(page)).toEqual([]))

  test('W07 an expired sign-in: the old page without accounts', async () => {
    expect(await entries(legacy([]).replace('PHNhbWw+', ''))).toEqual([])
  })

  test('names are fit for a terminal', async () => {
    const [[, name] = []] = await entries(legacy([`Account: a\u001b[31m\u202eb\u0007${'x'.repeat(500)} (1)`]))
    expect(name).toMatch(/^a \[31m b x+$/)
    expect(name).toHaveLength(100)
  })
})

describe('fetchAccountNames', () => {
  let server: Server
  let origin: string
  let answer: (response: ServerResponse, body: string, path: string) => void
  const seen: string[] = []
  const aws = partitionOf(roleArn('A')) ?? partitions[0]

  beforeEach(async () => {
    seen.length = 0
    server = createServer((request, response) => {
      let body = ''
      request.on('data', chunk => (body += String(chunk)))
      request.on('end', () => {
        seen.push(`${request.method} ${request.url} ${request.headers['content-type'] ?? ''}`)
        answer(response, body, request.url ?? '')
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  })

  const ask = (options: Partial<FetchAccountNames> = {}) => {
    if (!aws) throw new Error('no partition')
    const env = { AWS_ENDPOINT_URL_SIGNIN: origin }
    return fetchAccountNames({
      http: createHttp(),
      response: samlResponse(),
      partition: aws,
      env,
      log: createLog(),
      ...options,
    })
  }

  test('posts the response as a browser would and reads the page', async () => {
    let posted = new URLSearchParams()
    answer = (response, body) => {
      posted = new URLSearchParams(body)
      response.end(legacy(['Account: prod (123456789012)']))
    }
    expect(await ask({ acsUrl: 'https://eu-west-1.signin.aws.amazon.com/saml/acs/1' })).toEqual(
      new Map([['123456789012', 'prod']]),
    )
    expect(seen).toEqual(['POST /saml/acs/1 application/x-www-form-urlencoded'])
    expect([...posted]).toEqual([
      ['SAMLResponse', samlResponse()],
      ['RelayState', ''],
    ])
  })

  test.each([
    ['500', (response: ServerResponse) => void response.writeHead(500).end(legacy(['Account: no (1)']))],
    [
      'a redirect to the console',
      (response: ServerResponse, _: string, path: string) => {
        if (path === '/console') response.end('<html>console</html>')
        else response.writeHead(302, { location: '/console' }).end()
      },
    ],
    ['a broken connection', (response: ServerResponse) => void response.destroy()],
    ['no answer', () => {}],
  ] as const)('W06 %s: no names, no error', async (_, reply) => {
    answer = reply
    expect(await ask({ timeoutMs: 200 })).toEqual(new Map())
  })

  test('nobody there: no names, no error', async () => {
    expect(await ask({ env: { AWS_ENDPOINT_URL_SIGNIN: 'http://127.0.0.1:1' } })).toEqual(new Map())
    expect(await ask({ env: { AWS_ENDPOINT_URL_SIGNIN: 'nonsense' } })).toEqual(new Map())
  })

  test('the response goes to AWS and nowhere else', async () => {
    const urls: string[] = []
    const http = {
      request: (request: { url: string }) => {
        urls.push(request.url)
        return Promise.reject(new Error('seen'))
      },
    }
    for (const acsUrl of [
      undefined,
      'https://evil.example/saml',
      'https://signin.aws.amazon.com.evil.example/saml',
      'javascript:alert(1)',
    ]) {
      await ask({ http, env: {}, acsUrl })
    }
    await ask({ http, env: {}, acsUrl: 'https://signin.aws.amazon.com/saml?x=1' })
    const eusc = partitions.find(({ name }) => name === 'aws-eusc')
    if (eusc) await ask({ http, env: {}, partition: eusc })
    const home = 'https://signin.aws.amazon.com/saml'
    expect(urls).toEqual([
      home,
      home,
      home,
      home,
      `${home}?x=1`,
      'https://eusc-de-east-1.signin.amazonaws-eusc.eu/saml',
    ])
  })
})
