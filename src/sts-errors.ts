/**
 * What STS says no with, in plain words, and what would help.
 *
 * Codes: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithSAML.html#API_AssumeRoleWithSAML_Errors
 * and CommonErrors.html.
 */
import { isReservedRole } from './roles.ts'
import { timeSpan } from './assertion.ts'
import { failure, isFailure, messageOf, type Failure } from './errors.ts'
import { redact } from './log.ts'
import { explainChain, explainKey, explainToken, type TokenClaims } from './sts-reasons.ts'

export interface StsCall {
  readonly endpoint: string
  readonly region: string
  readonly roleArn: string
  readonly providerArn?: string
  /** Of a token that was to be exchanged. */
  readonly claims?: TokenClaims
  /** Who wanted to assume the role with a role. */
  readonly sourceArn?: string
  /** Long-term key that signed it. */
  readonly accessKeyId?: string
  /** This machine's clock minus that of STS; `undefined` when STS never answered. */
  readonly skewMs?: number | undefined
}

/** Beyond this a clock is called wrong. Signed requests may be five minutes off. */
const noticeableMs = 2 * 60_000

/** Code of the failure that a fresh assertion cures, from STS or from `checkFresh`. */
export function isExpiredAssertion(error: unknown): boolean {
  return isFailure(error) && (error.code === 'ExpiredTokenException' || error.code === 'assertion-expired')
}

/** The code as it is on the wire: the SDK lengthens the names of the errors that it knows. */
function stsCode(error: unknown): string {
  const name = error instanceof Error ? error.name : ''
  return /^(?:IDP|InvalidIdentity|Malformed|Packed)/.test(name) ? name.replace(/Exception$/, '') : name
}

/** A `Failure` of kind `sts` with the AWS code, or of kind `network` when STS gave no usable answer. */
export function stsFailure(error: unknown, call: StsCall): Failure {
  // From `http`, which has said already what is wrong with the network.
  if (isFailure(error)) return error
  const status = statusOf(error)
  const code = stsCode(error)
  const said = redact(messageOf(error))
    .replace(/[\s\p{Control}]+/gu, ' ')
    .trim()
    .slice(0, 500)
  if (status === undefined || status < 400 || said.startsWith('Deserialization error') || code === 'Error') {
    return failure(
      'network',
      `the answer from ${call.endpoint} is not one of STS${status ? ` (HTTP ${status})` : ''}`,
      {
        hint: 'a proxy or a sign-in page of the network may be in the way',
        code: 'sts-unreadable',
        cause: error,
      },
    )
  }
  if (status >= 500) {
    const message = `STS at ${call.endpoint} is out of order (HTTP ${status}): ${said}`
    return failure('network', message, { hint: 'try again, or take another --region', code, cause: error })
  }
  const { message, hint } = explain(code, said, call)
  const clock = isTimeError(code, said) ? clockNote(call.skewMs) : undefined
  return failure('sts', `${message}${clock ? `; ${clock}` : ''}`, {
    hint: clock ? 'set the clock of this machine, then sign in again' : hint,
    code,
    cause: error,
  })
}

/** `this machine's clock is 10 minutes fast`, when it is. */
export function clockNote(skewMs: number | undefined, noticeable = noticeableMs): string | undefined {
  if (skewMs === undefined || Math.abs(skewMs) < noticeable) return undefined
  return `this machine's clock is ${timeSpan(skewMs)} ${skewMs > 0 ? 'fast' : 'slow'}`
}

/**
 * A duration that STS may accept after it refused `seconds`; `undefined` when the duration was not the trouble or
 * nothing shorter helps.
 */
export function shorterDuration(error: unknown, seconds: number): number | undefined {
  const said = messageOf(error)
  if (stsCode(error) !== 'ValidationError') return undefined
  const limit = Number(/durationSeconds.*less than or equal to (\d+)/is.exec(said)?.[1] ?? Number.NaN)
  if (limit >= 900 && limit < seconds) return limit
  const tooLong = !Number.isNaN(limit) || /exceeds the MaxSessionDuration|exceeds the 1 hour session limit/i.test(said)
  return tooLong && seconds > 3600 ? 3600 : undefined
}

function explain(code: string, said: string, call: StsCall): { message: string; hint: string } {
  const { roleArn, region, claims, sourceArn, accessKeyId } = call
  const special =
    (claims && explainToken(code, said, roleArn, claims)) ??
    (sourceArn === undefined ? undefined : explainChain(code, said, roleArn, sourceArn)) ??
    (accessKeyId === undefined ? undefined : explainKey(code, said, accessKeyId))
  if (special) return special
  const provider = call.providerArn ?? 'the identity provider'
  switch (code) {
    case 'ExpiredTokenException':
    case 'ExpiredToken':
      return call.providerArn
        ? { message: 'the assertion is too old: STS takes it for five minutes', hint: 'sign in again: cloudtoken' }
        : { message: 'the credentials have expired', hint: 'sign in again: cloudtoken' }
    case 'InvalidIdentityToken':
      return {
        message: `AWS does not accept the assertion for ${provider}: ${said}`,
        hint: "the provider must exist in the role's account and hold the identity provider's current metadata",
      }
    case 'IDPRejectedClaim':
      return {
        message: `the identity provider withdrew the assertion: ${said}`,
        hint: 'the user may be locked or disabled: ask the people who run the identity provider',
      }
    case 'IDPCommunicationError':
      return { message: `AWS cannot reach the identity provider: ${said}`, hint: 'try again in a minute' }
    case 'AccessDenied':
    case 'AccessDeniedException':
      if (!call.providerArn) return { message: `AWS denies access: ${said}`, hint: 'sign in again: cloudtoken' }
      return {
        message: `AWS does not let ${provider} assume ${roleArn}: ${said}`,
        hint: isReservedRole(roleArn)
          ? 'roles of IAM Identity Center (AWSReservedSSO_…) cannot be assumed with SAML; choose another'
          : "the role's trust policy must allow sts:AssumeRoleWithSAML to this provider, with the SAML:aud of its partition; " +
            'sts:TagSession and sts:SetSourceIdentity too if the assertion sets tags or a source identity',
      }
    case 'ValidationError':
      return {
        message: `STS does not accept the request: ${said}`,
        hint: /duration/i.test(said)
          ? "ask for a shorter session: --session-duration 3600, or raise the role's maximum session duration"
          : 'check the ARNs of role and provider in the assertion',
      }
    case 'RegionDisabledException':
      return {
        message: `STS is not enabled in the region ${region} for this account`,
        hint: 'take another region: --region, or enable STS there in the account settings of IAM',
      }
    case 'MalformedPolicyDocument':
    case 'PackedPolicyTooLarge':
      return {
        message: `the session tags or policies in the assertion are too large or malformed: ${said}`,
        hint: 'ask the people who run the identity provider to send fewer PrincipalTag attributes',
      }
    case 'InvalidClientTokenId':
      return {
        message: 'AWS does not know these credentials',
        hint: 'sign in again: cloudtoken; keys of one partition do not work in another',
      }
    case 'Throttling':
    case 'ThrottlingException':
      return { message: 'STS takes no more requests for now', hint: 'try again in a minute' }
    default:
      return { message: `STS refused: ${said} (${code})`, hint: 'see the STS documentation for this code' }
  }
}

function isTimeError(code: string, said: string): boolean {
  const codes = [
    'ExpiredTokenException',
    'ExpiredToken',
    'RequestExpired',
    'RequestTimeTooSkewed',
    'SignatureDoesNotMatch',
  ]
  return codes.includes(code) || /expired|redeemed within|not yet/i.test(said)
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined
  const metadata = error.$metadata
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}
