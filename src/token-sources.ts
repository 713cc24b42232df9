/**
 * Where a job's OIDC token comes from: one row for each system that runs jobs. All of them are asked anew for each sign-in.
 */
import path from 'node:path'
import { failure, type Failure } from './errors.ts'
import { readText } from './files.ts'
import { isLoopback, type Http, type HttpRequest } from './http.ts'
import { readFields } from './json.ts'
import type { Run } from './run.ts'

export interface TokenRequest {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly http: Http
  readonly run: Run
  /** What a person asked for; `undefined` leaves it to the source. */
  readonly audience: string | undefined
  readonly serviceConnection: string | undefined
  readonly signal: AbortSignal
}

export interface TokenSource {
  /** As `--token-source` says it. */
  readonly name: string
  readonly label: string
  /** Is this such a job, with or without a token? */
  runsIn(env: TokenRequest['env']): boolean
  /** Is a token to be had here? A look at the environment, never at the network. */
  offers(env: TokenRequest['env']): boolean
  /** What the job's file has to say so that it is. */
  readonly hint: string
  /** The token, unchecked. */
  token(request: TokenRequest): Promise<string>
}

const defaultAudience = 'sts.amazonaws.com'

/** In the order in which they are looked for. A runner in a Kubernetes pod has its own identity and the job's: the job's counts. */
export const tokenSources: readonly TokenSource[] = [
  {
    // https://docs.github.com/en/actions/reference/security/oidc#methods-for-requesting-the-oidc-token
    name: 'github',
    label: 'GitHub Actions',
    runsIn: env => env['GITHUB_ACTIONS'] === 'true',
    offers: env => Boolean(env['ACTIONS_ID_TOKEN_REQUEST_URL'] && env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']),
    hint: 'give the job "permissions: id-token: write" (and "contents: read"); pull requests of forks get no token',
    async token({ env, http, audience }) {
      const url = privateUrl(env['ACTIONS_ID_TOKEN_REQUEST_URL'], 'ACTIONS_ID_TOKEN_REQUEST_URL')
      url.searchParams.set('audience', audience ?? defaultAudience)
      const headers = {
        authorization: `Bearer ${env['ACTIONS_ID_TOKEN_REQUEST_TOKEN'] ?? ''}`,
        accept: 'application/json',
      }
      return await answerOf(http, { url: url.href, headers }, 'value', 'GitHub Actions')
    },
  },
  {
    // https://docs.gitlab.com/ci/secrets/id_token_authentication/: the job chooses the name and the audience.
    ...variable('gitlab', 'GitLab CI', 'GITLAB_CI', 'GITLAB_OIDC_TOKEN'),
    hint:
      'give the job "id_tokens: GITLAB_OIDC_TOKEN: aud: sts.amazonaws.com", ' +
      'or say --token-variable for one of another name',
  },
  {
    // https://support.atlassian.com/bitbucket-cloud/docs/deploy-on-aws-using-bitbucket-pipelines-openid-connect/
    ...variable('bitbucket', 'Bitbucket Pipelines', 'BITBUCKET_BUILD_NUMBER', 'BITBUCKET_STEP_OIDC_TOKEN'),
    hint: 'give the step "oidc: true"',
  },
  {
    // https://circleci.com/docs/openid-connect-tokens/ and /docs/oidc-tokens-with-custom-claims/
    ...variable('circleci', 'CircleCI', 'CIRCLECI', 'CIRCLE_OIDC_TOKEN_V2'),
    hint: 'CircleCI gives tokens to jobs on its cloud, and on servers from 4.4',
    async token({ env, run, audience, signal }) {
      if (audience === undefined) return env['CIRCLE_OIDC_TOKEN_V2'] ?? ''
      const args = ['run', 'oidc', 'get', '--claims', JSON.stringify({ aud: audience })]
      return await printed(run, 'circleci', args, { env, signal })
    },
  },
  {
    // https://buildkite.com/docs/agent/v3/cli-oidc
    name: 'buildkite',
    label: 'Buildkite',
    runsIn: env => env['BUILDKITE'] === 'true',
    offers: env => env['BUILDKITE'] === 'true',
    hint: 'the job needs the program buildkite-agent',
    token: ({ env, run, audience, signal }) =>
      printed(run, 'buildkite-agent', ['oidc', 'request-token', '--audience', audience ?? defaultAudience], {
        env,
        signal,
      }),
  },
  {
    // https://learn.microsoft.com/en-us/rest/api/azure/devops/distributedtask/oidctoken/create
    name: 'azure',
    label: 'Azure Pipelines',
    runsIn: env => env['TF_BUILD'] !== undefined,
    offers: env => Boolean(env['SYSTEM_OIDCREQUESTURI'] && env['SYSTEM_ACCESSTOKEN']),
    hint: 'give the step "env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)"',
    async token({ env, http, serviceConnection }) {
      const url = privateUrl(env['SYSTEM_OIDCREQUESTURI'], 'SYSTEM_OIDCREQUESTURI')
      url.searchParams.set('api-version', '7.1')
      const connection = serviceConnection ?? env['AZURESUBSCRIPTION_SERVICE_CONNECTION_ID']
      if (connection) url.searchParams.set('serviceConnectionId', connection)
      const headers = {
        authorization: `Bearer ${env['SYSTEM_ACCESSTOKEN'] ?? ''}`,
        'content-type': 'application/json',
        accept: 'application/json',
        // Without it a refusal is a redirect to a sign-in page.
        'x-tfs-fedauthredirect': 'Suppress',
      }
      return await answerOf(http, { url: url.href, method: 'POST', headers, body: '' }, 'oidcToken', 'Azure Pipelines')
    },
  },
  {
    // https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/; EKS sets the variable.
    name: 'kubernetes',
    label: 'Kubernetes',
    runsIn: env => env['KUBERNETES_SERVICE_HOST'] !== undefined,
    offers: env => Boolean(env['AWS_WEB_IDENTITY_TOKEN_FILE']),
    hint: 'mount a projected service account token and name it: --token-file FILE',
    async token({ env }) {
      return readToken(env['AWS_WEB_IDENTITY_TOKEN_FILE'] ?? '')
    },
  },
  {
    // https://docs.cloud.google.com/compute/docs/instances/verifying-instance-identity
    name: 'google',
    label: 'Google Cloud',
    runsIn: () => false,
    // Whatever answers at such a name on another network must not be believed: only by name.
    offers: () => false,
    hint: '--token-source google',
    async token({ env, http, audience }) {
      const host = env['GCE_METADATA_HOST'] || 'metadata.google.internal'
      const url = new URL(`http://${host}/computeMetadata/v1/instance/service-accounts/default/identity`)
      url.searchParams.set('audience', audience ?? defaultAudience)
      url.searchParams.set('format', 'full')
      const answer = await http.request({ url: url.href, headers: { 'metadata-flavor': 'Google' } })
      const genuine = answer.headers.get('metadata-flavor') === 'Google'
      if (answer.status === 200 && genuine) return answer.text
      throw noToken('Google Cloud', genuine ? `HTTP ${answer.status}` : `${host} is no metadata server of Google`)
    },
  },
]

/** Of a file that may be replaced at any time. */
export function readToken(file: string): string {
  const text = readText(path.resolve(file))
  if (text !== undefined) return text
  throw failure('config', `there is no token file ${file}`, { hint: '--token-file FILE', code: 'token-missing' })
}

/** What the program prints; its stderr, shortened, where it fails. */
export async function printed(
  run: Run,
  command: string,
  args: readonly string[],
  { env, signal }: Pick<TokenRequest, 'env' | 'signal'>,
): Promise<string> {
  const { code, stdout, stderr } = await run(command, args, { env, signal, timeoutMs: 60_000 })
  if (code === 0) return stdout
  const said = stderr
    .replace(/[\s\p{Control}]+/gu, ' ')
    .trim()
    .slice(0, 300)
  throw failure('network', `${command} brought no token (exit code ${code})${said ? `: ${said}` : ''}`, {
    hint: `try it by itself: ${[command, ...args].join(' ')}`,
    code: 'token-refused',
  })
}

function variable(name: string, label: string, mark: string, token: string): Omit<TokenSource, 'hint'> {
  return {
    name,
    label,
    runsIn: env => Boolean(env[mark]),
    offers: env => Boolean(env[token]),
    async token({ env }) {
      return env[token] ?? ''
    },
  }
}

/** The bearer token must not be read on the way. */
function privateUrl(text: string | undefined, name: string): URL {
  const url = text !== undefined && URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))) return url
  throw failure('config', `${name} is no https URL`, { code: 'token-address' })
}

async function answerOf(http: Http, request: HttpRequest, key: string, label: string): Promise<string> {
  const { status, text } = await http.request(request)
  if (status !== 200) throw noToken(label, `HTTP ${status}`)
  const token = readFields(text)[key]
  if (typeof token === 'string') return token
  throw noToken(label, 'the answer has no token in it')
}

function noToken(label: string, reason: string): Failure {
  const hint = tokenSources.find(source => source.label === label)?.hint
  return failure('network', `${label} gave no OIDC token: ${reason}`, { hint, code: 'token-refused' })
}
