/**
 * The container credentials protocol, as the agents of ECS and EKS speak it: one GET with an authorization token, answered
 * from memory.
 *
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
 */
import type { Buffer } from 'node:buffer'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { roleName } from './arn.ts'
import type { MetadataSnapshot } from './metadata-document.ts'
import { awsTime } from './tokens.ts'
import { canonicalPath, type Handler } from './metadata.ts'
import type { Credentials } from './types.ts'

/** What one token may read. */
export interface Grant {
  /** `/role/NAME`; to this token `/` answers the same. */
  readonly path: string
  /** The value of the `Authorization` header, as it is. */
  readonly token: string
  show(snapshot: MetadataSnapshot): void
  /** From now on the token is good for nothing. */
  revoke(): void
}

export interface Container {
  readonly handler: Handler
  /** A new token, good for this role and no other. */
  grant(roleArn: string): Grant
}

interface Held {
  readonly path: string
  readonly digest: Buffer
  snapshot: MetadataSnapshot
}

export function createContainer(now: () => number = Date.now): Container {
  const grants = new Set<Held>()
  return {
    handler(request, path) {
      if (request.method !== 'GET') return refuse(405, 'MethodNotAllowed', 'only GET', { Allow: 'GET' })
      const given = request.headers.get('authorization')
      if (given === null) return refuse(401, 'Unauthorized', 'the Authorization header is missing')
      const digest = digestOf(given)
      // Digests are of one length, and every grant is compared, so that time tells nothing.
      let found: Held | undefined
      for (const held of grants) if (timingSafeEqual(held.digest, digest)) found = held
      const asked = canonicalPath(path)
      if (!found || (asked !== '/' && asked !== found.path))
        return refuse(403, 'Forbidden', 'the authorization token is not good for this path')
      return answer(found.snapshot, now())
    },
    grant(roleArn) {
      const token = randomBytes(32).toString('base64url')
      const held: Held = { path: `/role/${roleName(roleArn)}`, digest: digestOf(token), snapshot: {} }
      grants.add(held)
      return {
        path: held.path,
        token,
        show: next => void (held.snapshot = next),
        revoke: () => void grants.delete(held),
      }
    },
  }
}

function answer({ credentials, trouble }: MetadataSnapshot, now: number): Response {
  if (!credentials) return refuse(403, 'NoCredentials', 'nobody has signed in yet')
  if (Date.parse(awsTime(credentials.expiration)) > now) return json(200, document(credentials))
  const ended = `the credentials of ${roleName(credentials.roleArn)} have ended; run: cloudtoken`
  return refuse(403, trouble?.code ?? 'CredentialsExpired', trouble?.message ?? ended)
}

function document(credentials: Credentials): Record<string, string> {
  return {
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: awsTime(credentials.expiration),
    AccountId: credentials.accountId,
    RoleArn: credentials.roleArn,
  }
}

/** SDKs show both fields to the person. */
function refuse(status: number, code: string, message: string, headers: Record<string, string> = {}): Response {
  return json(status, { code, message }, headers)
}

function json(status: number, value: Record<string, string>, more: Record<string, string> = {}): Response {
  const body = JSON.stringify(value)
  const length = String(new TextEncoder().encode(body).length)
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', 'Content-Length': length, ...more }
  return new Response(body, { status, headers })
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
