/** The same service under Deno, whose server differs in nearly every corner. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { start } from '../src/run.ts'
import { ask, openRaw, raw, requestText, type Target } from './raw.ts'

const deno = fileURLToPath(new URL('../node_modules/.bin/deno', import.meta.url))
const root = '/latest/meta-data'

if (!existsSync(deno)) console.error('metadata-deno.test.ts: skipped: Deno is not installed')

describe.skipIf(!existsSync(deno))('under Deno', () => {
  const script = fileURLToPath(new URL('metadata-server.ts', import.meta.url))
  // What the package installs is a launcher; the group is both.
  const child = start(deno, ['run', '-A', script], { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  let target: Target = { hostname: '127.0.0.1', port: 0 }

  beforeAll(async () => {
    const chunk = await new Promise<Uint8Array>((resolve, reject) => {
      child.stdout?.once('data', resolve)
      child.once('close', () => reject(new Error('the service did not start')))
    })
    target = { hostname: '127.0.0.1', port: Number(/:(\d+)$/.exec(new TextDecoder().decode(chunk).trim())?.[1]) }
  }, 30_000)

  afterAll(async () => {
    const closed = new Promise(resolve => child.once('close', resolve))
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    await closed
  })

  test('#21 #36 #72 #74 a read', async () => {
    const { status, headers, text, bytes } = await ask(target, root)
    expect(status).toBe(200)
    expect(text.split('\n')).toHaveLength(21)
    expect(headers).toMatchObject({
      'content-type': 'text/plain',
      'content-length': String(bytes.length),
      server: 'EC2ws',
    })
  })

  test('#1 #22 #23 token and use', async () => {
    const ttl = 'X-aws-ec2-metadata-token-ttl-seconds'
    const { text, headers } = await ask(target, '/latest/api/token', { method: 'PUT', headers: [`${ttl}: 60`] })
    expect(headers[ttl.toLowerCase()]).toBe('60')
    const use = async (token: string): Promise<number> =>
      (await ask(target, root, { headers: [`X-aws-ec2-metadata-token: ${token}`] })).status
    expect([await use(text), await use('garbage')]).toEqual([200, 401])
  })

  test('#75 HEAD has the length of GET, and nothing follows', async () => {
    const connection = await openRaw(target)
    const { headers } = await connection.send(requestText(target, `${root}/profile`, { method: 'HEAD' }), true)
    expect(headers['content-length']).toBe('11')
    expect((await connection.send(requestText(target, `${root}/ami-launch-index`))).text).toBe('0')
    connection.end()
  })

  test.each([
    ...['/latest/meta-data/%2e%2e/meta-data', '/latest/meta-data/../meta-data', '/latest/%2e/meta-data'],
    ...['/latest//meta-data/iam/../profile', '/latest/meta-data%2fprofile', '/latest/meta-data/profile%00'],
  ])('#56 %s is no other spelling', async path => {
    expect([400, 404]).toContain((await ask(target, path)).status)
  })

  test('#13 #76 methods', async () => {
    for (const method of ['POST', 'OPTIONS', 'TRACE', 'get', 'FOO']) {
      expect((await ask(target, root, { method })).status).toBe(405)
    }
    expect((await ask(target, '/latest/api/token')).headers['allow']).toBe('OPTIONS, PUT')
  })

  test('#78 #81 #82 #84 the guard', async () => {
    for (const host of ['evil.example', 'evil@169.254.169.254', '169.254.169.254@evil', '']) {
      const { status, text } = await ask(target, root, { host })
      expect([status, text]).toEqual([403, ''])
    }
    for (const request of [`GET ${root} HTTP/1.0\r\n\r\n`, `GET ${root} HTTP/1.1\r\n\r\n`]) {
      expect((await raw(target, request)).status).toBe(403)
    }
    for (const header of ['Origin: http://x', 'X-Forwarded-For:', 'Sec-Fetch-Site: none']) {
      expect((await ask(target, root, { headers: [header] })).status).toBe(403)
    }
  })
})
