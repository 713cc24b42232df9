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
  if (!values) throw unknownName(`no identity "${name}" in ${config.file ?? 'config.yaml'}`, name, names)
  return { name, values }
}

/** Entries of the original's `auth:` that name no provider: the role step, and "whatever is configured". */
const notProviders = ['saml', 'idp']
/** A stage of the original's README that checked for updates. */
const retired = ['version_check']

export interface Plan {
  readonly provider: string
  readonly exporters: readonly string[]
}

/** Which provider signs in and which exporters run, from `--provider`, the stages, or the shape of the URL. */
export function planOf(config: Config, settings: Settings): Plan {
  for (const name of config.stages.pre_auth ?? []) {
    if (!retired.includes(name))
      throw failure('config', `Unable to load plugin: ${name}`, { hint: `see plugins.pre_auth in ${config.file}` })
  }
  const listed = config.stages.auth?.find(name => !notProviders.includes(name))
  const provider = settings.samlResponse ? 'saml-response' : (settings.provider ?? listed ?? guess(settings.url))
  if (!provider) {
    const hint = 'cloudtoken --url URL, or cloudtoken init and edit config.yaml'
    throw failure('config', 'no identity provider is configured', { hint, code: 'provider-none' })
  }
  return { provider, exporters: exportersOf(config) }
}

/** What `plugins.post_auth` lists, or all three. */
export function exportersOf({ stages }: Pick<Config, 'stages'>): readonly string[] {
  const all = ['export_credentials_json', 'export_credentials_shell', 'export_credentials_awscli']
  return (stages.post_auth ?? all).filter(name => !retired.includes(name))
}

function guess(url: string | undefined): string | undefined {
  if (url === undefined) return undefined
  if (/\/realms\/[^/]+\/protocol\/saml\//.test(url)) return 'keycloak'
  if (/\/simplesaml|\/module\.php\/|\/SSOService\.php/i.test(url)) return 'simplesamlphp'
  if (/\/adfs\//i.test(url)) return 'adfs'
  return /\/idp\/profile\//i.test(url) ? 'shibboleth' : 'form'
}

/** A folder name that is stable for this login and tells nothing but the host and the account. */
export function identityFolder(provider: string, settings: Settings, username: string): string {
  const host = hostOf(settings.url)
  const readable = [provider, host, username]
    .join('-')
    .replace(/[^A-Za-z0-9.@_-]+/g, '_')
    .slice(0, 80)
  const digest = createHash('sha256')
    .update(JSON.stringify([provider, settings.url, username]))
    .digest('hex')
  return `${readable}-${digest.slice(0, 12)}`
}

function hostOf(url: string | undefined): string {
  return url !== undefined && URL.canParse(url) ? new URL(url).host : 'local'
}
