/**
 * The sign-in sources that are built in. A new one is a file and a line here; it is loaded when it is asked for.
 */
import { failure } from './errors.ts'
import type { Provider } from './provider.ts'

const registry: Readonly<Record<string, () => Promise<Provider>>> = {
  simplesamlphp: async () => (await import('./provider-simplesamlphp.ts')).simplesamlphp,
  shibboleth: async () => (await import('./provider-shibboleth.ts')).shibboleth,
  adfs: async () => (await import('./provider-adfs.ts')).adfs,
  keycloak: async () => (await import('./provider-keycloak.ts')).keycloak,
  browser: async () => (await import('./provider-browser.ts')).browser,
  form: async () => (await import('./provider-form.ts')).form,
  'saml-response': async () => (await import('./provider-saml-response.ts')).samlResponse,
}

export function providerNames(): string[] {
  return Object.keys(registry)
}

/** Fails with `config` and code `provider-unknown`; the caller knows the plugins and names the nearest. */
export async function findProvider(name: string): Promise<Provider> {
  const load = Object.hasOwn(registry, name) ? registry[name] : undefined
  if (!load) throw failure('config', `there is no provider “${name}”`, { code: 'provider-unknown' })
  return load()
}
