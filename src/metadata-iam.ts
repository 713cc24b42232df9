/**
 * `iam/`: the credentials. Whatever else is served, this part is always ours.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html
 */
import { createHash } from 'node:crypto'
import { accountOf, parseArn, roleName } from './arn.ts'
import { createDirectory, createPage, place, roleOf, toJson } from './metadata-document.ts'
import { awsTime } from './tokens.ts'
import type { MetadataSnapshot, Page } from './metadata-document.ts'
import type { Credentials } from './types.ts'

/**
 * Puts `PREFIX/iam` and `PREFIX/iam/security-credentials-extended` (not listed, since crawlers read each leaf
 * of `iam` as JSON) in place; nothing while no role is known. `prefix`: `/latest/meta-data`.
 */
export function placeIam(pages: Map<string, Page>, prefix: string, snapshot: MetadataSnapshot): void {
  const { credentials } = snapshot
  const roleArn = roleOf(snapshot)
  if (roleArn === undefined) return
  const modified = credentials?.issued ?? new Date()
  const role = roleName(roleArn)
  const page = (more: Readonly<Record<string, string>>): Page =>
    credentials
      ? credentialsPage(snapshot, credentials, more)
      : createPage(toJson(noneYet(snapshot, modified)), { modified })
  const iam = createDirectory({
    info: createPage(toJson(instanceProfile(roleArn, modified)), { modified }),
    'security-credentials': createDirectory({ [role]: page({}) }),
  })
  const extended = createDirectory({ [role]: page({ AccountId: accountOf(roleArn) }) })
  place(pages, `${prefix}/iam`, iam, modified)
  place(pages, `${prefix}/iam/security-credentials-extended`, extended, modified)
}

function credentialsPage(
  { trouble }: MetadataSnapshot,
  credentials: Credentials,
  more: Readonly<Record<string, string>>,
): Page {
  const modified = credentials.issued
  const expiration = awsTime(credentials.expiration)
  const success = {
    Code: 'Success',
    LastUpdated: awsTime(modified),
    Type: 'AWS-HMAC',
    AccessKeyId: credentials.accessKeyId,
    SecretAccessKey: credentials.secretAccessKey,
    Token: credentials.sessionToken,
    Expiration: expiration,
    ...more,
  }
  // Still 200: that is how EC2 reports it, and SDKs show Code and Message.
  const ended = {
    Code: trouble?.code ?? 'CredentialsExpired',
    Message:
      trouble?.message ?? `the credentials of ${roleName(credentials.roleArn)} ended at ${expiration}; run: cloudtoken`,
    LastUpdated: awsTime(modified),
  }
  const then = createPage(toJson(ended), { modified: credentials.expiration })
  return createPage(toJson(success), { modified, secret: true, end: { at: Date.parse(expiration), then } })
}

/** With Code and Message too, so that clients say why. */
function noneYet({ trouble }: MetadataSnapshot, since: Date): Record<string, string> {
  return {
    Code: trouble?.code ?? 'SignInRequired',
    Message: trouble?.message ?? 'nobody has signed in yet; run: cloudtoken',
    LastUpdated: awsTime(since),
  }
}

/** The role has no instance profile; one of its name stands in. */
function instanceProfile(roleArn: string, modified: Date): Record<string, string> {
  return {
    Code: 'Success',
    LastUpdated: awsTime(modified),
    InstanceProfileArn: `arn:${parseArn(roleArn)?.partition ?? 'aws'}:iam::${accountOf(roleArn)}:instance-profile/${roleName(roleArn)}`,
    InstanceProfileId: `AIPA${uniqueId(roleArn)}`,
  }
}

/** 17 letters of the alphabet of IAM ids, the same for the same ARN. */
function uniqueId(arn: string): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  return [...createHash('sha256').update(arn).digest().subarray(0, 17)].map(byte => letters[byte % 32]).join('')
}
