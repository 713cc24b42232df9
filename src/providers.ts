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
  okta: async () => (await import('./provider-okta.ts')).okta,
  entra: async () => (await import('./provider-entra.ts')).entra,
  onelogin: async () => (await import('./provider-onelogin.ts')).onelogin,
  jumpcloud: async () => (await import('./provider-jumpcloud.ts')).jumpcloud,
  authentik: async () => (await import('./provider-authentik.ts')).authentik,
  auth0: async () => (await import('./provider-auth0.ts')).auth0,
  idaptive: async () => (await import('./provider-idaptive.ts')).idaptive,
  pingfederate: async () => (await import('./provider-pingfederate.ts')).pingfederate,
  pingone: async () => (await import('./provider-pingone.ts')).pingone,
  forgerock: async () => (await import('./provider-forgerock.ts')).forgerock,
  f5: async () => (await import('./provider-f5.ts')).f5,
  netiq: async () => (await import('./provider-netiq.ts')).netiq,
  akamai: async () => (await import('./provider-akamai.ts')).akamai,
  google: async () => (await import('./provider-google.ts')).google,
  shell: async () => (await import('./provider-shell.ts')).shell,
  browser: async () => (await import('./provider-browser.ts')).browser,
  form: async () => (await import('./provider-form.ts')).form,
  'identity-center': async () => (await import('./provider-identity-center.ts')).identityCenter,
  'web-identity': async () => (await import('./provider-web-identity.ts')).webIdentity,
  keys: async () => (await import('./provider-keys.ts')).keys,
  profile: async () => (await import('./provider-profile.ts')).profile,
  environment: async () => (await import('./provider-environment.ts')).environment,
  'saml-response': async () => (await import('./provider-saml-response.ts')).samlResponse,
}

/** A name of the original, the one that the open source still has, and the one that AWS once had. */
const aliases: Readonly<Record<string, string>> = { centrify: 'idaptive', openam: 'forgerock', sso: 'identity-center' }

export function providerNames(): string[] {
  return Object.keys(registry)
}

/** Fails with `config` and code `provider-unknown`; the caller knows the plugins and names the nearest. */
export async function findProvider(name: string): Promise<Provider> {
  const own = Object.hasOwn(aliases, name) ? (aliases[name] ?? name) : name
  const load = Object.hasOwn(registry, own) ? registry[own] : undefined
  if (!load) throw failure('config', `there is no provider "${name}"`, { code: 'provider-unknown' })
  return load()
}
