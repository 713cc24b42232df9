/**
 * Assertions in, credentials out. The SDK is loaded when the first call is made.
 */
import { failure } from './errors.ts'
import {
  abortable,
  assume,
  checkDuration,
  findTarget,
  incomplete,
  keysOf,
  scopeParameters,
  type SessionScope,
  type StsOptions,
} from './sts-call.ts'
import { stsFailure } from './sts-errors.ts'
import type { TokenClaims } from './sts-reasons.ts'
import type { AccessKey, Credentials, Role } from './types.ts'

export { checkDuration } from './sts-call.ts'
export { isExpiredAssertion } from './sts-errors.ts'

export interface AssumeRoleWithSaml extends StsOptions {
  readonly role: Role
  /** Base64 without white space: `SamlResponse.response`. */
  readonly response: string
  /** Seconds that the person asked for: `--session-duration`. */
  readonly durationSeconds?: number | undefined
  /** Seconds that the assertion suggests: `SamlResponse.sessionDuration`. */
  readonly suggestedSeconds?: number | undefined
  readonly scope?: SessionScope | undefined
}

const defaultSeconds = 3600
/** Limits of the API; IAM has no way around them. */
const maxAssertion = 100_000
const maxToken = 20_000

/**
 * AssumeRoleWithSAML, unsigned. Fails as `assume` of sts-call does, and with `usage` for a duration outside 900 to 43200.
 * `isExpiredAssertion` tells whether a fresh assertion would help.
 */
export async function assumeRoleWithSaml(options: AssumeRoleWithSaml): Promise<Credentials> {
  const { role, response, durationSeconds, scope = {} } = options
  const seconds = checkDuration(durationSeconds) ?? options.suggestedSeconds ?? defaultSeconds
  if (response.length > maxAssertion) {
    const message = `the SAML response has ${response.length} characters, STS takes ${maxAssertion}: it is too large`
    throw failure('sts', message, {
      hint: 'ask the people who run the identity provider to send fewer roles or attributes',
      code: 'assertion-too-large',
    })
  }
  const { AssumeRoleWithSAMLCommand } = await import('./sts-client.ts')
  return await assume({
    ...options,
    call: role,
    seconds,
    askedWith: durationSeconds === undefined ? undefined : '--session-duration',
    origin: { samlProvider: role.providerArn },
    send: (client, DurationSeconds) =>
      client.send(
        new AssumeRoleWithSAMLCommand({
          RoleArn: role.roleArn,
          PrincipalArn: role.providerArn,
          SAMLAssertion: response,
          DurationSeconds,
          ...scopeParameters(scope),
        }),
      ),
  })
}

export interface AssumeRoleWithWebIdentity extends StsOptions {
  readonly roleArn: string
  /** A JWT as the runner handed it out. */
  readonly token: string
  /** What the token says of itself, for messages. */
  readonly claims?: TokenClaims | undefined
  /** 2 to 64 of `\w+=,.@-`. */
  readonly sessionName: string
  readonly durationSeconds?: number | undefined
  readonly scope?: SessionScope | undefined
}

/** AssumeRoleWithWebIdentity, unsigned. Fails as `assumeRoleWithSaml` does. */
export async function assumeRoleWithWebIdentity(options: AssumeRoleWithWebIdentity): Promise<Credentials> {
  const { roleArn, token, claims, sessionName, durationSeconds, scope = {} } = options
  if (token.length > maxToken) {
    throw failure('sts', `the token has ${token.length} characters, STS takes ${maxToken}`, { code: 'token-too-large' })
  }
  const { AssumeRoleWithWebIdentityCommand } = await import('./sts-client.ts')
  return await assume({
    ...options,
    call: { roleArn, claims: claims ?? {} },
    seconds: checkDuration(durationSeconds) ?? defaultSeconds,
    askedWith: durationSeconds === undefined ? undefined : '--session-duration',
    send: (client, DurationSeconds) =>
      client.send(
        new AssumeRoleWithWebIdentityCommand({
          RoleArn: roleArn,
          RoleSessionName: sessionName,
          WebIdentityToken: token,
          DurationSeconds,
          ...scopeParameters(scope),
        }),
      ),
  })
}

export interface AssumeRole extends StsOptions {
  readonly roleArn: string
  /** Signs the call. */
  readonly source: Credentials
  readonly sessionName: string
  /** At most 3600: no session of a session lasts longer. */
  readonly durationSeconds: number
  readonly externalId?: string | undefined
  readonly sourceIdentity?: string | undefined
  readonly tags?: Readonly<Record<string, string>>
  readonly scope?: SessionScope | undefined
}

/** AssumeRole, signed with the credentials before. Fails as `assumeRoleWithSaml` does. */
export async function assumeRole(options: AssumeRole): Promise<Credentials> {
  const { roleArn, source, sessionName, externalId, sourceIdentity, tags = {}, scope = {} } = options
  const { samlProvider, issuer } = source
  const { AssumeRoleCommand } = await import('./sts-client.ts')
  return await assume({
    ...options,
    call: { roleArn, sourceArn: source.assumedRoleArn ?? source.roleArn },
    seconds: options.durationSeconds,
    credentials: source,
    origin: { ...(samlProvider && { samlProvider }), ...(issuer && { issuer }) },
    send: (client, DurationSeconds) =>
      client.send(
        new AssumeRoleCommand({
          RoleArn: roleArn,
          RoleSessionName: sessionName,
          DurationSeconds,
          ...(externalId !== undefined && { ExternalId: externalId }),
          ...(sourceIdentity !== undefined && { SourceIdentity: sourceIdentity }),
          ...(Object.keys(tags).length > 0 && {
            Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
          }),
          ...scopeParameters(scope),
        }),
      ),
  })
}

export interface GetSessionToken extends StsOptions {
  readonly key: AccessKey
  /** Whose key it is. */
  readonly userArn: string
  readonly mfa?: { readonly serial: string; readonly code: string } | undefined
  /** 900 to 129600; the root user has 3600 at most. */
  readonly durationSeconds: number
}

/** GetSessionToken, signed with the keys of a user. Fails as `assumeRoleWithSaml` does. */
export async function getSessionToken(options: GetSessionToken): Promise<Credentials> {
  const { key, userArn, mfa, durationSeconds } = options
  const { GetSessionTokenCommand } = await import('./sts-client.ts')
  return await assume({
    ...options,
    call: { roleArn: userArn, accessKeyId: key.accessKeyId },
    seconds: durationSeconds,
    credentials: key,
    send: (client, DurationSeconds) =>
      client.send(
        new GetSessionTokenCommand({
          DurationSeconds,
          ...(mfa && { SerialNumber: mfa.serial, TokenCode: mfa.code }),
        }),
      ),
  })
}

export interface CallerIdentity {
  readonly account: string
  /** `arn:…:sts::ACCOUNT:assumed-role/ROLE/SESSION`. */
  readonly arn: string
  readonly userId: string
}

/**
 * GetCallerIdentity: whom AWS takes these credentials for; `roleArn` is of their partition. Needs no permission. Fails like
 * `assumeRoleWithSaml`.
 */
export async function callerIdentity(
  credentials: AccessKey & Pick<Credentials, 'roleArn'>,
  options: StsOptions,
): Promise<CallerIdentity> {
  const target = findTarget(credentials.roleArn, options)
  const { createSts, GetCallerIdentityCommand } = await import('./sts-client.ts')
  let skewMs: number | undefined
  const onDate = (date: Date): void => void (skewMs = options.now() - date.getTime())
  const client = createSts({ ...target, http: options.http, onDate, credentials: keysOf(credentials) })
  try {
    const result = await abortable(() => client.send(new GetCallerIdentityCommand({})), options.signal)
    const { Account: account, Arn: arn, UserId: userId } = result
    if (account && arn && userId) return { account, arn, userId }
    throw incomplete()
  } catch (error) {
    options.signal?.throwIfAborted()
    const { roleArn, accessKeyId } = credentials
    throw stsFailure(error, { ...target, roleArn, skewMs, ...(!credentials.sessionToken && { accessKeyId }) })
  }
}
