/**
 * What the codes of STS mean where no SAML assertion is involved: for a token of a workload, for a role or
 * a user that assumes a role, for the key of a user.
 */
import { isUserArn } from './arn.ts'

/** Claims of an OIDC token that a trust policy looks at. */
export interface TokenClaims {
  readonly issuer?: string | undefined
  readonly audience?: string | undefined
  readonly subject?: string | undefined
}

interface Reason {
  readonly message: string
  readonly hint: string
}

/** AssumeRoleWithWebIdentity; `undefined` for what means the same everywhere. */
export function explainToken(code: string, said: string, roleArn: string, claims: TokenClaims): Reason | undefined {
  const { issuer = 'its issuer', audience = 'its audience', subject } = claims
  switch (code) {
    case 'ExpiredTokenException':
    case 'ExpiredToken':
      return { message: 'the token is too old for AWS', hint: 'tokens of a job last minutes: let cloudtoken fetch it' }
    case 'InvalidIdentityToken':
      return {
        message: `AWS does not accept the token: ${said}`,
        hint: `IAM in the role's account needs an OpenID Connect provider for ${issuer} with the audience ${audience}`,
      }
    case 'IDPRejectedClaim':
      return {
        message: `AWS does not accept what the token says: ${said}`,
        hint: `the audience of the provider in IAM must be ${audience}, and the token not too old`,
      }
    case 'AccessDenied':
    case 'AccessDeniedException':
      return {
        message: `AWS does not let ${subject ?? 'this token'} assume ${roleArn}: ${said}`,
        hint:
          "the role's trust policy must allow sts:AssumeRoleWithWebIdentity to the provider " +
          `${issuer}, with :aud ${audience}${subject === undefined ? '' : ` and :sub ${subject}`}`,
      }
    default:
      return undefined
  }
}

/** Signed with the long-term key of a user; `undefined` for what means the same everywhere. */
export function explainKey(code: string, said: string, accessKeyId: string): Reason | undefined {
  switch (code) {
    case 'InvalidClientTokenId':
      return {
        message: `AWS does not know the access key ${accessKeyId}`,
        hint: 'it may be deleted, inactive, or of another partition (--region); keys that were typed: --password-prompt asks again',
      }
    case 'SignatureDoesNotMatch':
      return {
        message: `the secret access key is not the one of ${accessKeyId}`,
        hint: 'keys that were typed: --password-prompt asks again',
      }
    case 'AccessDenied':
    case 'AccessDeniedException':
      return { message: `AWS denies access to ${accessKeyId}: ${said}`, hint: 'ask who looks after the account' }
    default:
      return undefined
  }
}

/** AssumeRole signed by the session of another role; `undefined` for what means the same everywhere. */
export function explainChain(code: string, said: string, roleArn: string, sourceArn: string): Reason | undefined {
  switch (code) {
    case 'AccessDenied':
    case 'AccessDeniedException':
      return {
        message: `${sourceArn} may not assume ${roleArn}: ${said}`,
        hint: isUserArn(sourceArn)
          ? "the user's policy must allow sts:AssumeRole on the role, and the role's trust policy must name the user or the account; " +
            'it may also want a code of the user, --mfa-serial ARN, or an --external-id'
          : "the first role's policy must allow sts:AssumeRole on the second, and the second's trust policy must name the first; " +
            'it may also want an --external-id, and sts:TagSession or sts:SetSourceIdentity for --session-tag and --source-identity',
      }
    case 'ExpiredToken':
    case 'ExpiredTokenException':
      return { message: `the credentials of ${sourceArn} have expired`, hint: 'sign in again: cloudtoken' }
    case 'MalformedPolicyDocument':
      return {
        message: `AWS does not understand the session policy: ${said}`,
        hint: 'check the file of --session-policy',
      }
    case 'PackedPolicyTooLarge':
      return {
        message: `session policy and tags together are too large: ${said}`,
        hint: 'a shorter --session-policy, or fewer --session-tag',
      }
    case 'ValidationError':
      return {
        message: `STS does not accept the request for ${roleArn}: ${said}`,
        hint: /duration/i.test(said)
          ? 'a role that is assumed by a role has one hour at most: --switch-role-session-duration 3600'
          : 'check --chain, --role-session-name, --external-id, --session-tag and --source-identity',
      }
    default:
      return undefined
  }
}
