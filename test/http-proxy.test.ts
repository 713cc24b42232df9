import { describe, expect, test } from 'bun:test'
import { isFailure } from '../src/errors.ts'
import { proxyFor } from '../src/http-proxy.ts'
import { redact } from '../src/log.ts'

const proxy = 'http://proxy.corp.test:3128'
const found = (url: string, env: Readonly<Record<string, string>>): string | undefined =>
  proxyFor(new URL(url), env)?.url

describe('which variable', () => {
  const table: [url: string, env: Record<string, string>, proxy: string | undefined][] = [
    ['https://idp.test/', {}, undefined],
    ['https://idp.test/', { HTTPS_PROXY: proxy }, proxy],
    ['https://idp.test/', { HTTP_PROXY: proxy }, undefined],
    ['http://idp.test/', { HTTP_PROXY: proxy, HTTPS_PROXY: 'http://other.test' }, proxy],
    ['https://idp.test/', { https_proxy: proxy, HTTPS_PROXY: 'http://other.test' }, proxy],
    ['https://idp.test/', { HTTPS_PROXY: ' ', ALL_PROXY: proxy }, proxy],
    ['https://idp.test/', { HTTPS_PROXY: 'proxy.corp.test:3128' }, proxy],
    ['https://idp.test/', { HTTPS_PROXY: 'https://proxy.corp.test/' }, 'https://proxy.corp.test'],
    ['https://idp.test/', { HTTPS_PROXY: 'http://[2001:db8::1]:3128' }, 'http://[2001:db8::1]:3128'],
  ]
  for (const [url, env, wanted] of table) {
    test(`${url} with ${JSON.stringify(env)}`, () => expect(found(url, env)).toBe(wanted))
  }
})

describe('what goes straight', () => {
  const straight: [url: string, exceptions: string][] = [
    ['https://localhost/', ''],
    ['https://idp.localhost/', ''],
    ['https://127.0.0.9/', ''],
    ['https://[::1]/', ''],
    ['http://169.254.169.254/', ''],
    ['http://[fe80::1]/', ''],
    ['http://metadata.google.internal/', ''],
    ['https://idp.test/', '*'],
    ['https://idp.test/', 'idp.test'],
    ['https://IDP.test./', 'other.test, idp.TEST'],
    ['https://a.b.idp.test/', 'idp.test'],
    ['https://a.idp.test/', '.idp.test'],
    ['https://idp.test/', '.idp.test'],
    ['https://a.idp.test/', '*.idp.test'],
    ['https://idp.test:8443/', 'idp.test:8443'],
    ['https://idp.test/', 'idp.test:443'],
    ['https://10.1.2.3/', '10.0.0.0/8'],
    ['https://10.1.2.3/', '10.1.2.3'],
    ['https://[2001:db8::7]/', '2001:db8::/32'],
    ['https://[2001:db8::7]/', '2001:db8:0::7'],
    ['https://[2001:db8::7]:8443/', '[2001:db8::7]:8443'],
  ]
  const proxied: [url: string, exceptions: string][] = [
    ['https://notidp.test/', 'idp.test'],
    ['https://idp.test.evil.test/', 'idp.test'],
    ['https://idp.test/', 'a.idp.test'],
    ['https://idp.test/', 'idp.test:8443'],
    ['https://11.1.2.3/', '10.0.0.0/8'],
    ['https://[2001:db9::7]/', '2001:db8::/32'],
    ['https://10.1.2.3/', '2001:db8::/32'],
    ['https://127.0.0.1.evil.test/', ''],
    ['https://idp.test/', ', ,'],
  ]
  const all = [
    ...straight.map(each => [...each, undefined] as const),
    ...proxied.map(each => [...each, proxy] as const),
  ]
  for (const [url, exceptions, wanted] of all) {
    test(`${url} with NO_PROXY=${exceptions}: ${wanted === undefined ? 'straight' : 'by proxy'}`, () => {
      expect(found(url, { ALL_PROXY: proxy, NO_PROXY: exceptions })).toBe(wanted)
    })
  }
})

test('user and password are decoded, and never shown', () => {
  const way = proxyFor(new URL('https://idp.test/'), { HTTPS_PROXY: 'http://jane:hunter%2F2%C3%BC@proxy.corp.test' })
  expect(way).toEqual({
    url: 'http://proxy.corp.test',
    host: 'proxy.corp.test:80',
    variable: 'HTTPS_PROXY',
    user: { name: 'jane', password: 'hunter/2ü' },
  })
  expect(redact('hunter%2F2%C3%BC hunter/2ü')).toBe('***** *****')
  const raw = proxyFor(new URL('https://idp.test/'), { HTTPS_PROXY: 'http://jane:100%25-%zz@proxy.corp.test' })
  expect(raw?.user?.password).toBe('100%25-%zz')
})

for (const value of [
  'http://jane:p/ss@proxy.test',
  'http://',
  'ftp://proxy.test',
  'socks5h://proxy.test:1080',
  '::::',
]) {
  test(`${value} is no proxy, and is not repeated`, () => {
    try {
      expect(found('https://idp.test/', { HTTPS_PROXY: value })).toBe('never')
    } catch (error) {
      expect(isFailure(error) && [error.kind, error.code]).toEqual(['config', 'proxy'])
      expect(String(error)).not.toContain('p/ss')
    }
  })
}
