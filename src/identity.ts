/**
 * Who signs in where: the chosen entry of `identities:`, the plugins of each stage, and the folder that is theirs.
 */
import { createHash } from 'node:crypto'
import type { Config } from './config.ts'
import { failure } from './errors.ts'
import { unknownName } from './names.ts'
import type { Settings } from './options.ts'

export interface Identity {
  /** Name in config.yaml; `undefined` when it has no `identities:`. */
  readonly name: string | undefined
  readonly values: Readonly<Record<string, unknown>>
}

/** The named entry, else `default`, else the only one. */
export function findIdentity(config: Config, wanted: string | undefined): Identity {
  const names = Object.keys(config.identities)
  const name = wanted ?? (names.includes('default') ? 'default' : names.length === 1 ? names[0] : undefined)
  if (name === undefined) {
    if (names.length === 0) return { name: undefined, values: {} }
    const hint = `cloudtoken --identity ${names[0]}`
    throw failure('config', `config.yaml has several identities: ${names.join(', ')}`, { hint })
  }
  const values = config.identities[name]
  if (names.length === 0) {
    const message = `there is no identity "${name}": nothing under identities: in ${config.file ?? 'config.yaml'}`
    throw failure('config', message, { hint: 'cloudtoken init --url URL writes a config.yaml that has one' })
  }
  if (!values) throw unknownName(`no identity "${name}" in ${config.file ?? 'config.yaml'}`, name, names)
  return { name, values }
}

/** Entries of the original's `auth:` that name no provider: the role step, and "whatever is configured". */
const notProviders = ['saml', 'idp', 'assume_role']
/** Steps of the original that checked for updates, or that an option asks for now. */
const retired = ['version_check', 'url_generator', 'assume_role']

export interface Plan {
  /** Run once, before the first sign-in. */
  readonly preAuth: readonly string[]
  /** The stage `auth` up to the role step: a provider, and stages before and after it. */
  readonly auth: readonly string[]
  /** Signs in instead of a provider of the stage: `--provider` and `--saml-response`. */
  readonly provider: string | undefined
  /** Signs in when the stage has none: by the shape of the URL. */
  readonly guess: string | undefined
  /** What `auth` names after the role step, then `post_auth`: all that is given the credentials. */
  readonly exporters: readonly string[]
}

/** Who signs in and what runs before and after it, from `--provider`, the stages, or the shape of the URL. */
export function planOf(config: Config, settings: Settings): Plan {
  const { pre_auth, auth = [], post_auth } = config.stages
  const roleStep = auth.indexOf('saml')
  const [before, after] = roleStep < 0 ? [auth, []] : [auth.slice(0, roleStep), auth.slice(roleStep + 1)]
  const exporters = post_auth ?? ['export_credentials_json', 'export_credentials_shell', 'export_credentials_awscli']
  return {
    preAuth: (pre_auth ?? []).filter(isPlugin),
    auth: before.filter(isPlugin),
    provider: settings.samlResponse ? 'saml-response' : settings.provider,
    guess: guess(settings.url),
    exporters: settings.ciEnv ? ['export_credentials_ci'] : [...after, ...exporters].filter(isPlugin),
  }
}

function isPlugin(name: string): boolean {
  return !notProviders.includes(name) && !retired.includes(name)
}

/** Every name of the plan: plugins, and what is built in. */
export function namesIn({ preAuth, auth, provider, guess, exporters }: Plan): string[] {
  return [...preAuth, ...auth, ...[provider ?? guess ?? []].flat(), ...exporters]
}

function guess(url: string | undefined): string | undefined {
  if (url === undefined) return undefined
  if (/\/realms\/[^/]+\/protocol\/saml\//.test(url)) return 'keycloak'
  if (/\/simplesaml|\/module\.php\/|\/SSOService\.php/i.test(url)) return 'simplesamlphp'
  if (/^https:\/\/[^/]+\.okta(?:preview|-emea|-gov)?\.(?:com|mil)\//i.test(url)) return 'okta'
  if (
    /^https:\/\/(?:account\.activedirectory\.windowsazure|myapps\.microsoft|login\.microsoftonline)\.com\//i.test(url)
  ) {
    return 'entra'
  }
  if (/^https:\/\/sso\.(?:eu\.)?jumpcloud\.com\//i.test(url)) return 'jumpcloud'
  if (/^https:\/\/[^/]+\.onelogin\.com(?:\/|$)/i.test(url)) return 'onelogin'
  if (/^https:\/\/[^/]+\.auth0\.com\//i.test(url)) return 'auth0'
  if (isAccessPortal(url)) return 'identity-center'
  if (/^https:\/\/accounts\.google\.com\/o\/saml2\//i.test(url)) return 'google'
  if (/\/saml\/idp\/res\?id=|\/my\.policy\b/i.test(url)) return 'f5'
  if (/\/nidp\//i.test(url)) return 'netiq'
  if (/\/application\/saml\/[^/]+\/sso\//i.test(url)) return 'authentik'
  if (/\/(?:idpssoinit|idpSSOInit\.jsp)\b|\/XUI\/|\/json\/realms\//.test(url)) return 'forgerock'
  if (/\/startSSO\.ping\b/i.test(url)) return 'pingfederate'
  if (/\/saml20\/idp\/startsso\b|^https:\/\/(?:(?:auth|apps)\.pingone\.|sso\.connect\.pingidentity\.com\/)/i.test(url))
    return 'pingone'
  if (/\/adfs\//i.test(url)) return 'adfs'
  return /\/idp\/profile\//i.test(url) ? 'shibboleth' : 'form'
}

/** Of IAM Identity Center: `https://d-1234567890.awsapps.com/start`, and the newer forms. */
function isAccessPortal(url: string): boolean {
  const { protocol, hostname, pathname } = URL.canParse(url) ? new URL(url) : new URL('about:blank')
  if (protocol !== 'https:') return false
  if (/\.awsapps\.(?:com|cn)$/.test(hostname)) return /^\/(?:start|directory)\b/.test(pathname)
  return hostname === 'identitycenter.amazonaws.com' || hostname.endsWith('.app.aws')
}

/** A folder name that is stable for this login and tells nothing but the host and the account. */
export function identityFolder(provider: string, settings: Settings, username: string): string {
  const host = hostOf(settings.url)
  const profile = settings.sourceProfile === undefined ? [] : [settings.sourceProfile]
  const readable = [provider, host, username]
    .join('-')
    .replace(/[^A-Za-z0-9.@_-]+/g, '_')
    .slice(0, 80)
  const digest = createHash('sha256')
    .update(
      JSON.stringify([
        provider,
        settings.url ?? settings.ssoSession,
        username,
        ...settings.assertionCommand,
        ...profile,
      ]),
    )
    .digest('hex')
  return `${readable}-${digest.slice(0, 12)}`
}

function hostOf(url: string | undefined): string {
  return url !== undefined && URL.canParse(url) ? new URL(url).host : 'local'
}
