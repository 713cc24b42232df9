/**
 * Variables that make clients ignore the daemon or miss it. The instance metadata is the last place where every client
 * looks: keys, a profile, a token file and a container endpoint all win over it.
 *
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
 */
import { ok, type Env, type Finding } from './doctor.ts'

const check = 'environment'

/** `url`: where the daemon serves, as `http://HOST[:PORT]`; `undefined` when none runs. */
export function judgeEnvironment(env: Env, url: string | undefined): Finding[] {
  const set = (name: string): boolean => Boolean(env[name])
  // Without a daemon, keys in the environment may be just what the person wants, and a proxy does no harm.
  const verdict = url === undefined ? 'warning' : 'problem'
  const found: Finding[] = []
  const keys = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'].filter(set)
  if (keys.length > 0) {
    const message = `${keys.join(', ')}: keys in the environment win over all else, and nobody renews them`
    found.push({ check, verdict, message, hint: `unset ${keys.join(' ')}` })
  }
  for (const name of winners.filter(set)) {
    const message = `${name}: clients take their credentials from there before they ask the metadata service`
    found.push({ check, verdict, message, hint: `unset ${name}` })
  }
  if (env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') {
    const message = 'AWS_EC2_METADATA_DISABLED is true: clients do not ask the metadata service at all'
    found.push({ check, verdict, message, hint: 'unset AWS_EC2_METADATA_DISABLED' })
  }
  found.push(...judgeEndpoint(env, url), ...judgeProxy(env, url ?? standard, verdict))
  return found.length === 0 ? [ok(check, 'no variable keeps clients from the metadata service')] : found
}

const winners = [
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
]

const standard = 'http://169.254.169.254'
const endpointVariable = 'AWS_EC2_METADATA_SERVICE_ENDPOINT'

function judgeEndpoint(env: Env, url: string | undefined): Finding[] {
  const endpoint = env[endpointVariable]
  if (url === undefined || sameHost(endpoint || standard, url)) return []
  const hint = url === standard ? `unset ${endpointVariable}` : `export ${endpointVariable}=${url}`
  const message = `the daemon serves at ${url}, and clients look at ${endpoint || standard}`
  return [{ check, verdict: 'problem', message, hint }]
}

/** Clients send `http:` requests through HTTP_PROXY, link-local or not, unless NO_PROXY names the host. */
function judgeProxy(env: Env, url: string, verdict: Finding['verdict']): Finding[] {
  const proxy = ['http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'].find(name => env[name])
  const { hostname } = new URL(url)
  const exempt = (env['NO_PROXY'] || env['no_proxy'] || '').split(/[\s,]+/)
  if (proxy === undefined || exempt.some(entry => entry === '*' || entry === hostname)) return []
  const message = `${proxy} is set and NO_PROXY does not name ${hostname}: many clients ask the proxy for the credentials`
  const hint = `export NO_PROXY="\${NO_PROXY:+$NO_PROXY,}${hostname}" no_proxy="\${NO_PROXY:+$NO_PROXY,}${hostname}"`
  return [{ check, verdict, message, hint }]
}

function sameHost(one: string, other: string): boolean {
  return URL.canParse(one) && URL.canParse(other) && new URL(one).host === new URL(other).host
}
