/**
 * The SDK's STS client, set up so that nothing of this machine's AWS configuration can matter: every setting is
 * given, so no profile, no file under ~/.aws and no variable is looked up. Loaded only when STS is called.
 */
import { STSClient } from '@aws-sdk/client-sts'
import { codeOf } from './errors.ts'
import type { Http } from './http.ts'
import type { AccessKey } from './types.ts'

export {
  AssumeRoleCommand,
  AssumeRoleWithSAMLCommand,
  AssumeRoleWithWebIdentityCommand,
  GetCallerIdentityCommand,
  GetSessionTokenCommand,
} from '@aws-sdk/client-sts'

export interface StsTarget {
  readonly endpoint: string
  readonly region: string
  /** Without them only unsigned calls work. */
  readonly credentials?: AccessKey
  readonly http: Http
  /** Told the `Date` header of each answer. */
  readonly onDate: (date: Date) => void
}

/** The part of the SDK's request that a query call uses. */
interface StsRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

const attempts = 4

export function createSts({ endpoint, region, credentials, http, onDate }: StsTarget): STSClient {
  return new STSClient({
    endpoint,
    region,
    credentials: async () => {
      if (credentials) return credentials
      throw new Error('this call is not signed')
    },
    credentialDefaultProvider: () => async () => {
      throw new Error('credentials are never looked for')
    },
    requestHandler: { handle: (request: StsRequest) => send(http, request, onDate) },
    maxAttempts: attempts,
    retryMode: 'standard',
    defaultsMode: 'standard',
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    useGlobalEndpoint: false,
    disableClockSkewCorrection: false,
    authSchemePreference: [],
    sigv4aSigningRegionSet: [],
    userAgentAppId: async () => undefined,
  })
}

/** Through our own client, which knows HTTPS_PROXY and the certificates of the system; the SDK's does not. */
async function send(http: Http, request: StsRequest, onDate: (date: Date) => void) {
  const { protocol, hostname, port, path, body } = request
  const url = `${protocol}//${hostname}${port ? `:${port}` : ''}${path}`
  // Both are the client's to set; it writes the same that was signed.
  const headers = Object.entries(request.headers).filter(([name]) => !['host', 'content-length'].includes(name))
  const answer = await http
    .request({ url, method: 'POST', headers: Object.fromEntries(headers), ...(body && { body }), sensitive: true })
    .catch((error: unknown) => {
      // The SDK's word for "worth another attempt". After a time-out nobody wants to wait as long again.
      const passing = ['dns', 'refused', 'reset', 'unreachable'].includes(codeOf(error) ?? '')
      throw passing && error instanceof Error ? Object.assign(error, { $retryable: {} }) : error
    })
  const date = new Date(answer.headers.get('date') ?? '')
  if (!Number.isNaN(date.getTime())) onDate(date)
  const { status: statusCode, bytes } = answer
  return { response: { statusCode, headers: Object.fromEntries(answer.headers), body: bytes } }
}
