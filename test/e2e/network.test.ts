/** A sign-in as companies have it: a proxy with a password, a certificate authority of their own, a client certificate. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { once } from 'node:events'
import { startDemoIdp, type DemoIdp } from '../../scripts/demo-idp.ts'
import { makePki } from '../pki.ts'
import { startProxy, type ForwardProxy } from '../proxy.ts'
import { noName, password, roles, usePlace } from './cli.ts'

const proxyPassword = 'pr0xy-p@ss'
const pki = makePki()
const server = pki.issue('server', ['DNS:idp.corp.test', 'DNS:sts.corp.test', 'IP:127.0.0.1', 'IP:::1'])
const jane = pki.issue('jane', ['DNS:jane'])

interface Door {
  readonly port: number
  stop(): void
}

const words = ['--ca-file', pki.ca, '--client-cert', jane.cert, '--client-key', jane.key]

const place = await usePlace()
let idp: DemoIdp
let proxy: ForwardProxy
let sts: Door
beforeAll(async () => {
  const people = { jane: { password, roles: roles.slice(0, 1) } }
  idp = await startDemoIdp(people, { ...server.pair, ca: readFileSync(pki.ca), requestCert: true })
  proxy = await startProxy({ user: `jane:${proxyPassword}` })
  sts = await door(place.sts.origin, '127.0.0.1', true)
})
afterAll(async () => {
  sts.stop()
  await Promise.all([idp.stop(), proxy.stop()])
  pki.remove()
})

/** Another door to a server: on another address, with TLS before a plain one. */
async function door(origin: string, host: string, tls: boolean): Promise<Door> {
  const sockets = new Set<net.Socket>()
  const pass = (socket: net.Socket): void => {
    const inner = net.connect(Number(new URL(origin).port), '127.0.0.1')
    socket.pipe(inner).pipe(socket)
    for (const each of [socket, inner]) {
      sockets.add(each)
      each.on('error', () => each.destroy())
    }
  }
  const front = tls ? createServer(server.pair, pass) : net.createServer(pass)
  front.listen(0, host)
  await once(front, 'listening')
  const address = front.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const stop = (): void => {
    front.close()
    for (const socket of sockets) socket.destroy()
  }
  return { port: address.port, stop }
}

/** Names that only the proxy knows. */
function company(): Record<string, string> {
  const { port, pathname, search } = new URL(idp.url)
  return {
    CLOUDTOKEN_URL: `https://idp.corp.test:${port}${pathname}${search}`,
    CLOUDTOKEN_USERNAME: 'jane',
    CLOUDTOKEN_PASSWORD: password,
    AWS_ENDPOINT_URL_STS: `https://sts.corp.test:${sts.port}`,
    HTTPS_PROXY: proxy.origin.replace('://', `://jane:${encodeURIComponent(proxyPassword)}@`),
  }
}

function allFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(name => join(folder, name))
    .filter(file => statSync(file).isFile())
}

test('sign-in and STS go through the proxy, by names that only it knows, and its password is shown nowhere', async () => {
  const env = company()
  proxy.seen.length = 0
  const { code, stdout, stderr } = await place.run([...words, '--debug'], { env })
  expect(stderr).toContain('credentials until')
  expect(code).toBe(0)
  const hosts = new Set(proxy.seen.map(line => line.replace(/:\d+$/, '')))
  expect(hosts).toEqual(new Set(['CONNECT idp.corp.test', 'CONNECT sts.corp.test']))
  const kept = allFiles(place.home).map(file => readFileSync(file, 'utf8'))
  for (const text of [stdout, stderr, ...kept]) expect(text).not.toContain(proxyPassword)
})

test('without the authority, without the name, without the password of the proxy: what to type', async () => {
  const env = company()
  const unknown = await place.run([], { env })
  expect(unknown.stderr).toMatch(
    /error: the certificate of idp\.corp\.test:\d+ is from an authority that is not known here: Example Corp Root/,
  )
  expect(unknown.stderr).toContain('hint: cloudtoken --ca-file FILE')
  const user = await place.run(['--ca-file', pki.ca], { env: { ...env, HTTPS_PROXY: proxy.origin } })
  expect(user.stderr).toContain('wants a user name and a password')
  const unnamed = { CLOUDTOKEN_URL: `https://${noName}/`, NO_PROXY: noName }
  const direct = await place.run(['--ca-file', pki.ca], { env: { ...env, ...unnamed } })
  expect(direct.stderr).toContain(`error: no address is known for ${noName}`)
  const certificate = await place.run(['--ca-file', pki.ca], { env })
  expect(certificate.stderr).toMatch(
    /wants a client certificate .*\n.*hint: cloudtoken --client-cert FILE --client-key FILE/,
  )
  expect([unknown, user, direct, certificate].map(({ code }) => code)).toEqual([30, 30, 30, 30])
})

test('settings of an identity in config.yaml do as well, and a client certificate goes to the sign-in alone', async () => {
  const env = company()
  const config = join(place.home, 'config.yaml')
  writeFileSync(config, `defaults:\n  ca-file: ${pki.ca}\n  client-cert: ${jane.cert}\n  client-key: ${jane.key}\n`)
  const { code, stderr } = await place.run(['--config-file', config], { env })
  expect([code, stderr]).toEqual([0, expect.stringContaining('credentials until')])
})

test('a locked key is no matter for the background', async () => {
  pki.openssl('ec', '-in', 'jane.key', '-aes256', '-passout', 'pass:sesame', '-out', 'locked.key')
  const { code, stderr } = await place.run([...words, '--client-key', pki.file('locked.key')], { env: company() })
  expect(stderr).toContain('the key of the client certificate is locked')
  expect(code).toBe(11)
})

test('addresses of version 6 for everything', async () => {
  const pages = await door(idp.origin, '::1', false)
  const service = await door(place.sts.origin, '::1', true)
  const { pathname, search } = new URL(idp.url)
  try {
    const env = {
      ...company(),
      CLOUDTOKEN_URL: `https://[::1]:${pages.port}${pathname}${search}`,
      AWS_ENDPOINT_URL_STS: `https://[::1]:${service.port}`,
    }
    const { code, stderr } = await place.run(words, { env })
    expect([code, stderr]).toEqual([0, expect.stringContaining('credentials until')])
  } finally {
    for (const each of [pages, service]) each.stop()
  }
})
