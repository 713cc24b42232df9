/**
 * Which IAM Identity Center: its start URL and region, and the addresses of its two services.
 */
import { partitions, type Partition } from './arn.ts'
import { nameIn } from './aws-files.ts'
import { failure } from './errors.ts'
import { readSections } from './ini.ts'
import { unknownName } from './names.ts'
import type { Settings } from './options.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface Portal {
  readonly startUrl: string
  readonly region: string
  /** Name of the `[sso-session …]` that means it; the programs of AWS keep its token under that name. */
  readonly session: string | undefined
  readonly partition: Partition
  /** Without a slash at the end: where clients are registered and tokens made. */
  readonly oidcUrl: string
  /** The same, where accounts, roles and credentials are. */
  readonly accessUrl: string
}

const shownUrl = 'https://d-1234567890.awsapps.com/start'

/**
 * `shared` is the text of ~/.aws/config: what the options leave open is taken from the one `[sso-session …]` that they fit.
 * Fails with `config` where start URL or region is missing or wrong.
 */
export function findPortal(settings: Settings, shared: string, env: Env): Portal {
  const { ssoSession, url, ssoRegion } = settings
  const sessions = readSessions(shared)
  if (ssoSession !== undefined && !sessions.has(ssoSession)) {
    throw unknownName(`~/.aws/config has no [sso-session ${ssoSession}]`, ssoSession, [...sessions.keys()])
  }
  const named = ssoSession ?? nameFor(url, ssoRegion, sessions)
  const known = named === undefined ? undefined : sessions.get(named)
  // The spelling decides about the name of the shared file: that of ~/.aws/config, else that of the person.
  const startUrl = known?.startUrl ?? url?.replace(/#.*$/, '')
  if (startUrl === undefined) {
    const hint = `--sso-start-url ${shownUrl}`
    throw failure('config', 'IAM Identity Center needs its start URL', { hint, code: 'sso-start-url' })
  }
  if (!URL.canParse(startUrl) || !/^https?:$/.test(new URL(startUrl).protocol)) {
    const hint = `it looks like ${shownUrl}`
    throw failure('config', `${JSON.stringify(startUrl)} is no start URL`, { hint, code: 'sso-start-url' })
  }
  const region = ssoRegion ?? known?.region ?? regionIn(startUrl)
  if (region === undefined) {
    const hint = '--sso-region us-east-1; “AWS access portal” in its settings shows the region'
    throw failure('config', `the region of ${startUrl} is not known`, { hint, code: 'sso-region' })
  }
  const partition = partitions.find(one => one.regions.test(region))
  if (!partition) throw failure('usage', `--sso-region ${JSON.stringify(region)} is not an AWS region`)
  const { dnsSuffix } = partition
  return {
    startUrl,
    region,
    session: named,
    partition,
    oidcUrl: endpoint(env, 'AWS_ENDPOINT_URL_SSO_OIDC', `https://oidc.${region}.${dnsSuffix}`),
    accessUrl: endpoint(env, 'AWS_ENDPOINT_URL_SSO', `https://portal.sso.${region}.${dnsSuffix}`),
  }
}

/** People copy it with `/` or `/#/` at the end, too. */
export function isSameStart(a: string, b: string): boolean {
  const plain = (url: string): string => url.replace(/#.*$/, '').replace(/\/+$/, '')
  return plain(a) === plain(b)
}

interface SsoSession {
  readonly startUrl: string | undefined
  readonly region: string | undefined
}

function readSessions(shared: string): Map<string, SsoSession> {
  const sessions = new Map<string, SsoSession>()
  for (const [section, keys] of readSections(shared)) {
    const name = nameIn(section, 'sso-session')
    if (name !== undefined) sessions.set(name, { startUrl: keys.get('sso_start_url'), region: keys.get('sso_region') })
  }
  return sessions
}

/** The session that fits the options, so that its token is shared; none where several do. */
function nameFor(
  url: string | undefined,
  region: string | undefined,
  sessions: ReadonlyMap<string, SsoSession>,
): string | undefined {
  const fitting = [...sessions].filter(
    ([, one]) =>
      (url === undefined || (one.startUrl !== undefined && isSameStart(one.startUrl, url))) &&
      (region === undefined || (one.region ?? region) === region),
  )
  return fitting.length === 1 ? fitting[0]?.[0] : undefined
}

/** The newer addresses name it: `https://ssoins-….portal.eu-west-1.app.aws`. */
function regionIn(startUrl: string): string | undefined {
  return /\.portal\.([a-z0-9-]+)\.app\.aws$/.exec(new URL(startUrl).hostname)?.[1]
}

/** As the SDKs are told where else to call. */
function endpoint(env: Env, variable: string, address: string): string {
  const ignored = env['AWS_IGNORE_CONFIGURED_ENDPOINT_URLS']?.toLowerCase() === 'true'
  const chosen = ignored ? undefined : env[variable] || env['AWS_ENDPOINT_URL']
  if (chosen && !URL.canParse(chosen)) throw failure('config', `${variable} is no address: ${chosen}`)
  return (chosen || address).replace(/\/+$/, '')
}
