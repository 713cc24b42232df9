/**
 * The instance that this machine seems to be: placeholders that agree with each other, the same on one machine at all
 * times, and telling nothing about it. What a person gives instead is taken up by everything that depends on it.
 */
import { createHash } from 'node:crypto'
import { isIPv4 } from 'node:net'
import { parseArn, partitionOf, regionFor } from './arn.ts'
import { failure } from './errors.ts'
import type { MetadataSnapshot } from './metadata-document.ts'
import type { MetadataValues } from './metadata-values.ts'

export interface Instance {
  /** `i-0…`: a kind of thing, how long its number is, and which one of them. */
  readonly id: (kind: string, length?: number, which?: string) => string
  readonly account: string
  readonly partition: string
  readonly dnsSuffix: string
  readonly region: string
  readonly zone: string
  readonly instanceId: string
  readonly imageId: string
  readonly kernelId: string
  readonly ramdiskId: string
  /** 25 letters and digits. */
  readonly productCode: string
  readonly securityGroups: string
  readonly type: string
  readonly hostname: string
  readonly address: string
  readonly subnet: string
  readonly network: string
  readonly mac: string
  readonly publicAddress: string
  readonly publicHostname: string
  /** IPv6: an address, and the first four groups of its subnet. */
  readonly address6: string
  readonly subnet6: string
  readonly since: Date
}

export interface InstanceOptions {
  /** What the placeholder ids are derived from, such as a random text kept with the token key. */
  readonly seed: string
  /** Where the instance seems to be; without it, or where it does not fit the role's partition, that one's default. */
  readonly region?: string | undefined
  readonly values?: MetadataValues | undefined
}

const noRole = 'arn:aws:iam::000000000000:role/none'

/** Fails with `usage` for a region that is none, with `config` for an address that is none. */
export function createInstance(options: InstanceOptions, snapshot: MetadataSnapshot, since: Date): Instance {
  const { seed, values } = options
  const given = (name: string): string | undefined => {
    const value = values?.get(`meta-data/${name}`)
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const checked = (name: string, fits: (text: string) => boolean): string | undefined => {
    const text = given(name)
    if (text === undefined || fits(text)) return text
    throw failure('config', `metadata: ${JSON.stringify(text)} cannot be the ${name} of an instance`)
  }
  const digest = (kind: string): string => createHash('sha256').update(`${seed}\n${kind}`).digest('hex')
  const id: Instance['id'] = (kind, length = 17, which = kind) => `${kind}-0${digest(which).slice(0, length - 1)}`
  const number = (kind: string, byte: number): number => Number.parseInt(digest(kind).slice(2 * byte, 2 * byte + 2), 16)

  const arn = snapshot.credentials?.roleArn ?? noRole
  const known = partitionOf(arn) ?? partitionOf(noRole)
  const expected = known ? regionFor(known, options.region) : 'us-east-1'
  const zoned = given('placement/availability-zone')
  const region = given('placement/region') ?? zoned?.replace(/[a-z]$/, '') ?? expected
  const dnsSuffix = known?.dnsSuffix ?? 'amazonaws.com'

  // The first four addresses and the last one of a subnet are AWS's own.
  const address = checked('local-ipv4', isIPv4) ?? `172.31.${number('address', 0)}.${4 + (number('address', 1) % 250)}`
  const [first, second, third] = address.split('.').map(Number)
  // The blocks 203.0.113.0/24 and 2001:db8::/32 are kept for examples: nobody has these addresses.
  const publicAddress = checked('public-ipv4', isIPv4) ?? `203.0.113.${1 + (number('public', 0) % 254)}`
  const groups = [256 + number('network6', 0), 256 * (1 + (number('network6', 1) % 255))]
  const subnet6 = ['2001:db8', ...groups.map(group => group.toString(16))].join(':')
  const dashed = (ip: string): string => ip.replaceAll(/[.:]/g, '-')
  const compute = region === 'us-east-1' ? `compute-1.${dnsSuffix}` : `${region}.compute.${dnsSuffix}`
  return {
    id,
    account: snapshot.credentials?.accountId ?? '000000000000',
    partition: parseArn(arn)?.partition ?? 'aws',
    dnsSuffix,
    region,
    zone: zoned ?? `${region}a`,
    instanceId: given('instance-id') ?? id('i'),
    imageId: given('ami-id') ?? id('ami'),
    kernelId: given('kernel-id') ?? id('aki', 8),
    ramdiskId: given('ramdisk-id') ?? id('ari', 8),
    productCode: given('product-codes') ?? id('x', 25, 'product').slice('x-'.length),
    securityGroups: given('security-groups') ?? 'default',
    type: given('instance-type') ?? 't2.micro',
    hostname:
      given('local-hostname') ??
      given('hostname') ??
      `ip-${dashed(address)}.${region === 'us-east-1' ? 'ec2.internal' : `${region}.compute.internal`}`,
    address,
    subnet: `${first}.${second}.${(third ?? 0) & 0xf0}.0/20`,
    network: `${first}.${second}.0.0/16`,
    // Locally administered, unicast.
    mac:
      checked('mac', text => /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) ??
      `02:${digest('mac').slice(0, 10).match(/../g)?.join(':') ?? ''}`,
    publicAddress,
    publicHostname: given('public-hostname') ?? `ec2-${dashed(publicAddress)}.${compute}`,
    address6: given('ipv6') ?? `${subnet6}::${(16 + number('address6', 0)).toString(16)}`,
    subnet6,
    since,
  }
}

/** `use1-az1`: the id of a zone is the same in every account, unlike its letter. */
export function zoneId({ region, zone }: Pick<Instance, 'region' | 'zone'>): string {
  const [area = '', ...rest] = region.split('-')
  const sides: Readonly<Record<string, string>> = {
    gov: 'g',
    north: 'n',
    south: 's',
    east: 'e',
    west: 'w',
    central: 'c',
  }
  const short = rest.map(part => sides[part] ?? part.replace(/(north|south)(east|west)/, (_, a, b) => `${a[0]}${b[0]}`))
  return `${area}${short.join('')}-az${(zone.codePointAt(zone.length - 1) ?? 97) - 96}`
}
