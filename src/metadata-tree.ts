/**
 * The built-in tree: an instance of the year 2017, as its listing always looked, with values that agree with each
 * other. They are placeholders: the same on one machine at all times, and they tell nothing about it.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
 */
import { createHash } from 'node:crypto'
import { parseArn, partitionOf, regionFor } from './arn.ts'
import { failure } from './errors.ts'
import { createDirectory, createPage, place, roleOf, toJson, toTimestamp } from './metadata-document.ts'
import type { Directory, MetadataSnapshot, MetadataSource, Page } from './metadata-document.ts'
import { placeIam } from './metadata-iam.ts'

export interface TreeOptions {
  /** What the placeholder ids are derived from, such as a random text kept with the token key. */
  readonly seed: string
  /** Where the instance seems to be; without it, or where it does not fit the role's partition, that one's default. */
  readonly region?: string | undefined
  /** Raw bytes, at most 16 KiB; empty is none. */
  readonly userData?: Uint8Array | undefined
  /** When the instance seems to have started; the default is now. */
  readonly since?: Date | undefined
}

/** Every version with the same tree; ends with `latest`. */
export const versions: readonly string[] = [
  ...['1.0', '2007-01-19', '2007-03-01', '2007-08-29', '2007-10-10', '2007-12-15', '2008-02-01', '2008-09-01'],
  ...['2009-04-04', '2011-01-01', '2011-05-01', '2012-01-12', '2014-02-25', '2014-11-05', '2015-10-20', '2016-04-19'],
  ...['2016-06-30', '2016-09-02', '2018-03-28', '2018-08-17', '2018-09-24', '2019-10-01', '2020-10-27', '2021-01-03'],
  ...['2021-03-23', '2021-07-15', 'latest'],
]

export function createTree(options: TreeOptions): MetadataSource {
  const since = options.since ?? new Date()
  const { userData } = options
  if (userData && userData.length > 16 * 1024) throw failure('config', 'the user data has more than 16 KiB')
  // A word that is no region fails here, not at a request.
  placeOf({}, options.region)
  return snapshot => {
    const pages = new Map<string, Page>()
    pages.set('/', createPage(versions.join('\n'), { modified: since }))
    const instance = createInstance(options, snapshot, since)
    const top = ['dynamic', 'meta-data']
    const raw = userData?.length && createPage(userData, { modified: since, type: 'application/octet-stream' })
    if (raw) top.push('user-data')
    const listing = createPage(top.join('\n'), { modified: since })
    const dynamic = dynamicTree(instance, since)
    const metadata = metadataTree(instance, since, roleOf(snapshot) !== undefined)
    const tree = new Map<string, Page>()
    tree.set('', listing)
    place(tree, '/dynamic', dynamic, since)
    place(tree, '/meta-data', metadata, since)
    placeIam(tree, '/meta-data', snapshot)
    if (raw) tree.set('/user-data', raw)
    for (const version of versions) for (const [path, page] of tree) pages.set(`/${version}${path}`, page)
    return pages
  }
}

interface Instance {
  readonly id: (kind: string, length?: number) => string
  readonly account: string
  readonly partition: string
  readonly dnsSuffix: string
  readonly region: string
  readonly zone: string
  readonly hostname: string
  readonly address: string
  readonly subnet: string
  readonly mac: string
  readonly since: Date
}

const instanceType = 't2.micro'
const network = '172.31.0.0/16'
const noRole = 'arn:aws:iam::000000000000:role/none'

function placeOf(
  snapshot: MetadataSnapshot,
  wish: string | undefined,
): Pick<Instance, 'partition' | 'dnsSuffix' | 'region'> {
  const arn = snapshot.credentials?.roleArn ?? noRole
  const known = partitionOf(arn) ?? partitionOf(noRole)
  const region = known ? regionFor(known, wish) : 'us-east-1'
  return { partition: parseArn(arn)?.partition ?? 'aws', dnsSuffix: known?.dnsSuffix ?? 'amazonaws.com', region }
}

function createInstance({ seed, region: wish }: TreeOptions, snapshot: MetadataSnapshot, since: Date): Instance {
  const bytes = (kind: string): Uint8Array => createHash('sha256').update(`${seed}\n${kind}`).digest()
  const hex = (kind: string): string => createHash('sha256').update(`${seed}\n${kind}`).digest('hex')
  const [third = 0, fourth = 0] = bytes('address')
  // The first four addresses and the last one of a subnet are AWS's own.
  const address = `172.31.${third}.${4 + (fourth % 250)}`
  const place = placeOf(snapshot, wish)
  const domain = place.region === 'us-east-1' ? 'ec2.internal' : `${place.region}.compute.internal`
  return {
    ...place,
    id: (kind, length = 17) => `${kind}-0${hex(kind).slice(0, length - 1)}`,
    account: snapshot.credentials?.accountId ?? '000000000000',
    zone: `${place.region}a`,
    hostname: `ip-${address.replaceAll('.', '-')}.${domain}`,
    address,
    subnet: `172.31.${third & 0xf0}.0/20`,
    // Locally administered, unicast.
    mac: `02:${hex('mac').slice(0, 10).match(/../g)?.join(':') ?? ''}`,
    since,
  }
}

/** Exactly the 21 entries in their order; `iam` is absent where no role is attached, as on EC2. */
function metadataTree(instance: Instance, modified: Date, hasRole: boolean): Directory {
  const leaf = (text: string): Page => createPage(text, { modified })
  const leaves = (values: Readonly<Record<string, string>>): Directory =>
    createDirectory(Object.fromEntries(Object.entries(values).map(([name, text]) => [name, leaf(text)])))
  const { id, mac } = instance
  const card = leaves({
    'device-number': '0',
    'interface-id': id('eni'),
    'local-hostname': instance.hostname,
    'local-ipv4s': instance.address,
    mac,
    'owner-id': instance.account,
    'security-group-ids': id('sg'),
    'security-groups': 'default',
    'subnet-id': id('subnet'),
    'subnet-ipv4-cidr-block': instance.subnet,
    'vpc-id': id('vpc'),
    'vpc-ipv4-cidr-block': network,
    'vpc-ipv4-cidr-blocks': network,
  })
  return createDirectory({
    'ami-id': leaf(id('ami')),
    'ami-launch-index': leaf('0'),
    'ami-manifest-path': leaf('(unknown)'),
    'block-device-mapping': leaves({ ami: '/dev/xvda', root: '/dev/xvda' }),
    hostname: leaf(instance.hostname),
    // `placeIam` fills it.
    ...(hasRole && { iam: createDirectory({}) }),
    'instance-action': leaf('none'),
    'instance-id': leaf(id('i')),
    'instance-type': leaf(instanceType),
    'kernel-id': leaf(id('aki', 8)),
    'local-hostname': leaf(instance.hostname),
    'local-ipv4': leaf(instance.address),
    mac: leaf(mac),
    metrics: leaves({ vhostmd: '<?xml version="1.0" encoding="UTF-8"?>' }),
    network: createDirectory({ interfaces: createDirectory({ macs: createDirectory({ [mac]: card }) }) }),
    placement: leaves({ 'availability-zone': instance.zone, region: instance.region }),
    profile: leaf('default-hvm'),
    'public-keys': createDirectory({ '0=cloudtoken': leaves({ 'openssh-key': publicKey(instance) }) }),
    'reservation-id': leaf(id('r')),
    'security-groups': leaf('default'),
    services: leaves({ domain: instance.dnsSuffix, partition: instance.partition }),
  })
}

/**
 * The identity document alone: we cannot sign it, and a made-up signature would invite misuse.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
 */
function dynamicTree(instance: Instance, modified: Date): Directory {
  const document = {
    accountId: instance.account,
    architecture: 'x86_64',
    availabilityZone: instance.zone,
    billingProducts: null,
    devpayProductCodes: null,
    marketplaceProductCodes: null,
    imageId: instance.id('ami'),
    instanceId: instance.id('i'),
    instanceType,
    kernelId: instance.id('aki', 8),
    pendingTime: toTimestamp(instance.since),
    privateIp: instance.address,
    ramdiskId: null,
    region: instance.region,
    version: '2017-09-30',
  }
  const page = createPage(toJson(document), { modified })
  return createDirectory({ 'instance-identity': createDirectory({ document: page }) })
}

/** An Ed25519 key (RFC 8709) whose private half nobody has. */
function publicKey(instance: Instance): string {
  const name = 'ssh-ed25519'
  const point = createHash('sha256').update(instance.id('key')).digest()
  const field = (bytes: Uint8Array): number[] => [0, 0, 0, bytes.length, ...bytes]
  const blob = [...field(new TextEncoder().encode(name)), ...field(point)]
  return `${name} ${btoa(String.fromCharCode(...blob))} cloudtoken`
}
