import { expect, test } from 'bun:test'
import { findProvider, providerNames } from '../src/providers.ts'

test('every name finds the provider of that name', async () => {
  for (const name of providerNames()) expect((await findProvider(name)).name).toBe(name)
  expect(providerNames()).toEqual([
    'simplesamlphp',
    'shibboleth',
    'adfs',
    'keycloak',
    'okta',
    'entra',
    'onelogin',
    'jumpcloud',
    'authentik',
    'auth0',
    'idaptive',
    'pingfederate',
    'pingone',
    'forgerock',
    'f5',
    'netiq',
    'akamai',
    'google',
    'shell',
    'browser',
    'form',
    'identity-center',
    'web-identity',
    'keys',
    'profile',
    'environment',
    'saml-response',
  ])
})

test('some have another name', async () => {
  expect((await findProvider('centrify')).name).toBe('idaptive')
  expect((await findProvider('openam')).name).toBe('forgerock')
})

test('a browser can take over wherever there is a page', async () => {
  const providers = await Promise.all(providerNames().map(findProvider))
  const without = providers.filter(({ entry, inBrowser }) => entry === undefined && !inBrowser).map(({ name }) => name)
  expect(without).toEqual(['onelogin', 'shell', 'web-identity', 'keys', 'profile', 'environment', 'saml-response'])
})

test('another name is a fault of the configuration', async () => {
  for (const name of ['shiboleth', 'constructor', '__proto__', '']) {
    expect(await findProvider(name).catch((error: unknown) => error)).toMatchObject({
      kind: 'config',
      code: 'provider-unknown',
    })
  }
})
