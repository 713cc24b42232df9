/** The container credentials endpoint over real sockets. Numbers are those of the conformance list. */
import { afterAll, describe, expect, test } from 'bun:test'
import { createContainer } from '../src/container.ts'
import { serveMetadata } from '../src/serve.ts'
import { createCredentials, roleArn } from './metadata-server.ts'
import { ask, raw, type RawResponse, type RequestOptions } from './raw.ts'

let time = Date.now()
const container = createContainer(() => time)
const server = await serveMetadata({
  listen: { hostname: '127.0.0.1', port: 0 },
  guard: { ownNamesOnly: true },
  handler: container.handler,
})
afterAll(() => server.stop())

const credentials = createCredentials({ issued: new Date(time) })
const grant = container.grant(roleArn)
grant.show({ credentials })
const other = container.grant('arn:aws:iam::210987654321:role/Other+=,.@_-Role')
other.show({ credentials: createCredentials({ accessKeyId: 'ASIAOTHER' }) })

function get(path: string, token?: string, more: RequestOptions = {}): Promise<RawResponse> {
  const headers = [...(token === undefined ? [] : [`Authorization: ${token}`]), ...(more.headers ?? [])]
  return ask(server, path, { ...more, headers })
}

describe('the right token', () => {
  test('#94 gets the set, at the path of the role and at /', async () => {
    for (const path of [
      grant.path,
      '/',
      `${grant.path}/`,
      '//role//Read-Only-Role',
      '/role/Read%2DOnly-Role',
      '/?a=b',
    ]) {
      const { status, text, headers } = await get(path, grant.token)
      expect(status).toBe(200)
      expect(headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' })
      expect(Number(headers['content-length'])).toBe(text.length)
      expect(JSON.parse(text)).toEqual({
        AccessKeyId: credentials.accessKeyId,
        SecretAccessKey: credentials.secretAccessKey,
        Token: credentials.sessionToken,
        Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        AccountId: '123456789012',
        RoleArn: roleArn,
      })
    }
  })

  test('each role has a token of its own, good for nothing else', async () => {
    expect(grant.token).toMatch(/^[\w-]{43}$/)
    expect(other.token).not.toBe(grant.token)
    expect(other.path).toBe('/role/Other+=,.@_-Role')
    expect(JSON.parse((await get(other.path, other.token)).text).AccessKeyId).toBe('ASIAOTHER')
    expect(JSON.parse((await get('/', other.token)).text).AccessKeyId).toBe('ASIAOTHER')
    expect((await get(grant.path, other.token)).status).toBe(403)
    expect((await get(other.path, grant.token)).status).toBe(403)
  })

  test('a new set is served from the next request on, and an old one not a moment longer than it lives', async () => {
    const mine = container.grant(roleArn)
    expect(JSON.parse((await get('/', mine.token)).text).code).toBe('NoCredentials')
    mine.show({ credentials })
    mine.show({ credentials: createCredentials({ accessKeyId: 'ASIANEW', issued: new Date(time) }) })
    expect(JSON.parse((await get('/', mine.token)).text).AccessKeyId).toBe('ASIANEW')
    const before = time
    time += 3_600_000
    const over = await get('/', mine.token)
    expect(over.status).toBe(403)
    expect(JSON.parse(over.text)).toEqual({
      code: 'CredentialsExpired',
      message: expect.stringContaining('cloudtoken'),
    })
    mine.show({ credentials, trouble: { code: 'SignInRequired', message: 'run: cloudtoken' } })
    expect(JSON.parse((await get('/', mine.token)).text)).toEqual({
      code: 'SignInRequired',
      message: 'run: cloudtoken',
    })
    time = before
  })
})

describe('everything else', () => {
  test('#95 no token → 401, a wrong one → 403, in JSON, on every path alike', async () => {
    for (const path of [grant.path, '/', '/role/Nobody', '/latest/meta-data/', '/role/../role/Read-Only-Role']) {
      const none = await get(path)
      expect(none.status).toBe(401)
      const wrong = await Promise.all(
        ['', 'x', `${grant.token}x`, grant.token.slice(1), `Bearer ${grant.token}`, grant.token.toUpperCase(), 'ü'].map(
          token => get(path, token),
        ),
      )
      expect(wrong.map(each => each.status).filter(status => status !== 403 && status !== 401)).toEqual([])
      for (const { text, headers } of [none, ...wrong]) {
        expect(headers['content-type']).toBe('application/json')
        expect(JSON.parse(text)).toEqual({ code: expect.any(String), message: expect.any(String) })
        expect(text).not.toContain('ASIA')
      }
    }
  })

  test('#95 the right token on a path that is none → 403', async () => {
    for (const path of [
      '/role',
      '/role/',
      '/role/Read-Only-Rol',
      '/role/Read-Only-Role/x',
      '/role/../',
      '/x',
      '/role/%',
    ]) {
      expect((await get(path, grant.token)).status).toBe(403)
    }
  })

  test('two Authorization headers, absolute form, another method', async () => {
    const twice = await get('/', grant.token, { headers: [`Authorization: ${grant.token}`] })
    expect([400, 403]).toContain(twice.status)
    const foreign = await raw(
      server,
      `GET http://127.0.0.1:${server.port}/ HTTP/1.1\r\nHost: evil.example\r\nAuthorization: ${grant.token}\r\n\r\n`,
    )
    expect(foreign.status).toBe(403)
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
      const { status, text, headers } = await get('/', grant.token, { method })
      expect(status).toBe(405)
      expect(text).not.toContain('ASIA')
      expect(Object.keys(headers).filter(name => name.startsWith('access-control'))).toEqual([])
    }
  })

  test.each([
    ...['evil.example', 'localhost', '127.0.0.1', '127.0.0.1:1', 'localhost.:PORT', '0.0.0.0:PORT', '127.1:PORT'],
    ...['169.254.169.254', '169.254.169.254:80', '169.254.169.254:PORT', '[fd00:ec2::254]', '169.254.170.2', ''],
  ])('#96 Host: %s → refused, whatever the token', async name => {
    const { status, text } = await get('/', grant.token, { host: name.replace('PORT', String(server.port)) })
    expect([status, text]).toEqual([403, ''])
  })

  test.each(['127.0.0.1:PORT', 'localhost:PORT', '[::1]:PORT'])('#96 #97 Host: %s → good', async name => {
    expect((await get('/', grant.token, { host: name.replace('PORT', String(server.port)) })).status).toBe(200)
  })

  test.each([
    'Origin: http://x',
    'Referer: http://x/',
    'Sec-Fetch-Site: same-origin',
    'X-Forwarded-For:',
    'Via: 1.1 x',
  ])('#96 %s → refused, whatever the token', async header => {
    const { status, text } = await get('/', grant.token, { headers: [header] })
    expect([status, text]).toEqual([403, ''])
  })
})
