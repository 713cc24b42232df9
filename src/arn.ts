/**
 * ARNs, and what differs between the partitions of AWS: domains, regions, sign-in and console hosts.
 *
 * The partition is read from the role that is assumed, never from a region setting.
 */
import { failure } from './errors.ts'

/** `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`; region and account may be empty. */
export interface Arn {
  readonly partition: string
  readonly service: string
  readonly region: string
  /** Digits kept as text, of whatever length. */
  readonly account: string
  /** May hold colons and slashes. */
  readonly resource: string
}

/** `undefined` for anything else, blanks, control and non-ASCII characters included: ARNs are shown on terminals. */
export function parseArn(text: string): Arn | undefined {
  const [, partition, service, region = '', account = '', resource] =
    /^arn:([a-z0-9-]+):([a-z0-9-]+):([a-z0-9-]*):([a-z0-9-]*):([!-~]+)$/.exec(text) ?? []
  if (partition === undefined || service === undefined || resource === undefined) return undefined
  return { partition, service, region, account, resource }
}

export function isRoleArn(text: string): boolean {
  return roleResource(text) !== undefined
}

export function isSamlProviderArn(text: string): boolean {
  const arn = parseArn(text)
  // IAM allows no comma in a provider's name; a third part of a role attribute would hide in it.
  return arn?.service === 'iam' && /^saml-provider\/[^,]+$/.test(arn.resource)
}

/** A user of IAM, or the root user: who has keys and no role. */
export function isUserArn(text: string): boolean {
  const arn = parseArn(text)
  return arn?.service === 'iam' && /^(?:user\/(?:.*\/)?[^/]+|root)$/.test(arn.resource)
}

/** Last segment of the path: `Admin` of `…:role/team/ops/Admin`, and of a user in the same way. Empty for all else. */
export function roleName(arn: string): string {
  const resource = roleResource(arn) ?? (isUserArn(arn) ? (parseArn(arn)?.resource ?? '') : '')
  return resource.slice(resource.lastIndexOf('/') + 1)
}

/** The role of `…:sts::ACCOUNT:assumed-role/ROLE/SESSION`, whose path nobody tells; any other ARN as it is. */
export function roleOfSession(arn: string): string {
  return arn.replace(/^(arn:[^:]+):sts::(\d+):assumed-role\/([^/]+)\/.*$/, '$1:iam::$2:role/$3')
}

/** Path and name: `team/ops/Admin`. Empty when it is no role. */
export function rolePath(arn: string): string {
  return roleResource(arn) ?? ''
}

/** Account of a role, empty when it is no ARN. */
export function accountOf(arn: string): string {
  return parseArn(arn)?.account ?? ''
}

/** Name of a SAML provider: `corp` of `…:saml-provider/corp`. */
export function providerName(arn: string): string {
  return parseArn(arn)?.resource.replace(/^saml-provider\//, '') ?? ''
}

function roleResource(text: string): string | undefined {
  const arn = parseArn(text)
  return arn?.service === 'iam' ? /^role\/(?:.*\/)?[^/]+$/.exec(arn.resource)?.[0].slice('role/'.length) : undefined
}

export interface Partition {
  readonly name: string
  /** `sts.REGION.DNSSUFFIX`. */
  readonly dnsSuffix: string
  readonly regions: RegExp
  readonly defaultRegion: string
  /** Hosts that take SAML responses, themselves and as `REGION.HOST`. The first also federates. */
  readonly signInHosts: readonly [string, ...string[]]
  /** Only `REGION.HOST` exists. */
  readonly regionalSignIn?: true
  /** `undefined` where it is not public. */
  readonly consoleHost?: string
}

/** https://docs.aws.amazon.com/general/latest/gr/rande.html and the endpoint rules of the SDKs. */
export const partitions: readonly Partition[] = [
  {
    name: 'aws',
    dnsSuffix: 'amazonaws.com',
    // New corners of the world join this partition; all others have names of their own.
    regions: /^(?!cn-)[a-z]{2}-[a-z]+-\d+$/,
    defaultRegion: 'us-east-1',
    signInHosts: ['signin.aws.amazon.com'],
    consoleHost: 'console.aws.amazon.com',
  },
  {
    name: 'aws-us-gov',
    dnsSuffix: 'amazonaws.com',
    regions: /^us-gov-[a-z]+-\d+$/,
    defaultRegion: 'us-gov-west-1',
    signInHosts: ['signin.amazonaws-us-gov.com', 'signin-fips.amazonaws-us-gov.com'],
    consoleHost: 'console.amazonaws-us-gov.com',
  },
  {
    name: 'aws-cn',
    dnsSuffix: 'amazonaws.com.cn',
    regions: /^cn-[a-z]+-\d+$/,
    defaultRegion: 'cn-north-1',
    signInHosts: ['signin.amazonaws.cn'],
    consoleHost: 'console.amazonaws.cn',
  },
  {
    name: 'aws-eusc',
    dnsSuffix: 'amazonaws.eu',
    regions: /^eusc-[a-z]{2}-[a-z]+-\d+$/,
    defaultRegion: 'eusc-de-east-1',
    signInHosts: ['signin.amazonaws-eusc.eu'],
    regionalSignIn: true,
    consoleHost: 'console.amazonaws-eusc.eu',
  },
  isolated('aws-iso', 'c2s.ic.gov', /^us-iso-[a-z]+-\d+$/, 'us-iso-east-1', 'signin.c2shome.ic.gov'),
  isolated('aws-iso-b', 'sc2s.sgov.gov', /^us-isob-[a-z]+-\d+$/, 'us-isob-east-1', 'signin.sc2shome.sgov.gov'),
  isolated('aws-iso-e', 'cloud.adc-e.uk', /^eu-isoe-[a-z]+-\d+$/, 'eu-isoe-west-1', 'signin.csphome.adc-e.uk'),
  isolated('aws-iso-f', 'csp.hci.ic.gov', /^us-isof-[a-z]+-\d+$/, 'us-isof-south-1', 'signin.csphome.hci.ic.gov'),
]

function isolated(name: string, dnsSuffix: string, regions: RegExp, defaultRegion: string, signIn: string): Partition {
  return { name, dnsSuffix, regions, defaultRegion, signInHosts: [signIn], regionalSignIn: true }
}

/** The partition that an ARN belongs to; `undefined` for one that is not in the table. */
export function partitionOf(arn: string): Partition | undefined {
  const name = parseArn(arn)?.partition
  return partitions.find(partition => partition.name === name)
}

/**
 * The region to use for a partition: the wish where it fits, else the partition's default, since a region that
 * is set for one partition must not break a role in another. Fails with `usage` for a word that is no region at all.
 */
export function regionFor(partition: Partition, wish?: string): string {
  if (!wish) return partition.defaultRegion
  if (partition.regions.test(wish)) return wish
  if (partitions.some(other => other.regions.test(wish))) return partition.defaultRegion
  throw failure('usage', `${JSON.stringify(wish)} is not an AWS region`, {
    hint: `--region ${partition.defaultRegion}`,
  })
}

/** `https://sts.REGION.SUFFIX`: regional, since tokens of the global endpoint do not work in opt-in regions. */
export function stsEndpoint(partition: Partition, region?: string): string {
  return `https://sts.${regionFor(partition, region)}.${partition.dnsSuffix}`
}

/** Where SAML responses and federation requests of a partition go: `https://signin.aws.amazon.com`. */
export function signInOrigin(partition: Partition, region?: string): string {
  const [host] = partition.signInHosts
  return partition.regionalSignIn ? `https://${regionFor(partition, region)}.${host}` : `https://${host}`
}

/** Is this the place where AWS takes SAML responses? With encryption the path goes on after `/saml`. */
export function isAwsSignIn(url: string): boolean {
  const target = URL.canParse(url) ? new URL(url) : undefined
  if (target?.protocol !== 'https:' || target.port !== '' || !target.pathname.startsWith('/saml')) return false
  const known = partitions.flatMap(partition => partition.signInHosts)
  return known.some(host => target.hostname === host || target.hostname.endsWith(`.${host}`))
}
