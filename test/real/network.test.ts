/**
 * A company made of real parts: nginx that wants a client certificate, and tinyproxy that wants a password, between cloudtoken
 * and its identity provider. Loopback never goes through a proxy, so that this needs another address of its own.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { startDemoIdp, type DemoIdp } from '../../scripts/demo-idp.ts'
import { freePort } from '../../scripts/demo-http.ts'
import { makePlace, password, roles, type Place, type Result } from '../e2e/cli.ts'
import { makePki } from '../pki.ts'
import { present } from './present.ts'
import { startServer, type Server } from './server.ts'

const usable = process.env['CLOUDTOKEN_NAMESPACE'] === 'own' && (await present('nginx', 'tinyproxy', 'openssl', 'ip'))
setDefaultTimeout(60_000)

/** RFC 5737: nobody has it. */
const address = '192.0.2.1'
const proxyPassword = 'pr0xy-password'

describe.skipIf(!usable)('a company', () => {
  const pki = makePki()
  const stranger = makePki('Somebody Else')
  const jane = pki.issue('jane', ['DNS:jane'])
  const eve = stranger.issue('eve', ['DNS:eve'])
  const servers: Server[] = []
  let place: Place
  let idp: DemoIdp
  let url: string
  let proxy: string

  beforeAll(async () => {
    spawnSync('ip', ['addr', 'add', `${address}/32`, 'dev', 'lo'])
    place = await makePlace()
    const server = pki.issue('server', [`IP:${address}`, 'IP:127.0.0.1'])
    idp = await startDemoIdp({ jane: { password, roles: roles.slice(0, 1) } }, server.pair)
    const [web, gate] = [await freePort(), await freePort()]
    writeFileSync(pki.file('nginx.conf'), nginx(web, idp.origin.replace('http:', 'https:'), pki.folder))
    const words = ['-p', pki.folder, '-c', pki.file('nginx.conf'), '-e', pki.file('nginx.log')]
    servers.push(await startServer('/usr/sbin/nginx', words, { probe: `http://127.0.0.1:${web}/` }))
    writeFileSync(pki.file('proxy.conf'), tinyproxy(gate))
    const probe = `http://127.0.0.1:${gate}/`
    servers.push(await startServer('tinyproxy', ['-d', '-c', pki.file('proxy.conf')], { probe }))
    const { pathname, search } = new URL(idp.url)
    url = `https://${address}:${web}${pathname}${search}`
    proxy = `http://jane:${proxyPassword}@127.0.0.1:${gate}`
  })
  afterAll(async () => {
    for (const server of servers) await server.stop()
    await Promise.all([place?.stop(), idp?.stop()])
    pki.remove()
    stranger.remove()
    spawnSync('ip', ['addr', 'del', `${address}/32`, 'dev', 'lo'])
  })

  const run = (more: readonly string[], HTTPS_PROXY = proxy): Promise<Result> => {
    const HOME = mkdtempSync(join(place.home, 'home-'))
    const env = { HOME, CLOUDTOKEN_URL: url, CLOUDTOKEN_USERNAME: 'jane', CLOUDTOKEN_PASSWORD: password, HTTPS_PROXY }
    return place.run(['--ca-file', pki.ca, ...more], { env })
  }
  const passes = (): number => servers[1]?.output().match(/CONNECT|Established connection/g)?.length ?? 0

  test('signs in through both', async () => {
    const before = passes()
    const { code, stdout, stderr } = await run(['--client-cert', jane.cert, '--client-key', jane.key])
    expect([code, stderr]).toEqual([0, expect.stringContaining('credentials until')])
    expect(passes()).toBeGreaterThan(before)
    expect(stdout + stderr).not.toContain(proxyPassword)
  })

  test('without the certificate, and with that of a stranger, the page of nginx says which option it is', async () => {
    for (const more of [[], ['--client-cert', eve.cert, '--client-key', eve.key]]) {
      const { code, stderr } = await run(more)
      expect(stderr).toMatch(/error: .*(?:No required SSL certificate was sent|The SSL certificate error)/)
      expect(stderr).toContain('hint: cloudtoken --client-cert FILE --client-key FILE')
      expect(code).toBe(20)
    }
    expect(idp.passwords()).toBe(1)
  })

  test('without the password of the proxy, and with a wrong one', async () => {
    const { origin, host } = new URL(proxy)
    const none = await run([], origin)
    expect(none.stderr).toContain(`error: the proxy ${host} wants a user name and a password`)
    const wrong = await run([], origin.replace('://', '://jane:wr0ng-horse@'))
    expect(wrong.stderr).toContain(`error: the proxy ${host} refuses the user name or the password`)
    expect([none.code, wrong.code]).toEqual([30, 30])
  })
})

function nginx(port: number, upstream: string, folder: string): string {
  return `daemon off; master_process off; pid nginx.pid; events {}
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server {
    listen 127.0.0.1:${port}; listen ${address}:${port} ssl;
    ssl_certificate server.pem; ssl_certificate_key server.key;
    ssl_client_certificate ca.pem; ssl_verify_client on;
    location / { proxy_pass ${upstream}; proxy_set_header Host $http_host; }
  }
}
`
}

function tinyproxy(port: number): string {
  return `Port ${port}
Listen 127.0.0.1
Timeout 60
LogLevel Connect
MaxClients 20
BasicAuth jane ${proxyPassword}
`
}
