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
    'shell',
    'browser',
    'form',
    'web-identity',
    'keys',
    'profile',
    'environment',
    'saml-response',
  ])
})

test('the original called one of them otherwise', async () => {
  expect((await findProvider('centrify')).name).toBe('idaptive')
})

test('another name is a fault of the configuration', async () => {
  for (const name of ['shiboleth', 'constructor', '__proto__', '']) {
    expect(await findProvider(name).catch((error: unknown) => error)).toMatchObject({
      kind: 'config',
      code: 'provider-unknown',
    })
  }
})
