/**
 * The built-in tree: an instance of the year 2017, as its listing always looked, or with `ec2` all that one of today has.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
 */
import { createHash } from 'node:crypto'
import { createDirectory, createPage, place, roleOf, toJson } from './metadata-document.ts'
import { awsTime } from './tokens.ts'
import type { Directory, MetadataSource, Page } from './metadata-document.ts'
import { fullDocument, fullValues } from './metadata-ec2.ts'
import { placeIam } from './metadata-iam.ts'
import { createInstance, type Instance, type InstanceOptions } from './metadata-instance.ts'
import { placeValues } from './metadata-values.ts'

export interface TreeOptions extends InstanceOptions {
  /** `classic`: 21 entries, the default. `ec2`: every category that makes sense. */
  readonly profile?: 'classic' | 'ec2'
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
  const source: MetadataSource = snapshot => {
    const instance = createInstance(options, snapshot, since)
    const tree = new Map<string, Page>()
    tree.set('', createPage('dynamic\nmeta-data', { modified: since }))
    place(tree, '/dynamic', dynamicTree(instance, options), since)
    place(tree, '/meta-data', metadataTree(instance, since, roleOf(snapshot) !== undefined), since)
    placeIam(tree, '/meta-data', snapshot)
    const more = [...(options.profile === 'ec2' ? fullValues(instance) : []), ...(options.values ?? [])]
    const rest = new Map(more.filter(([path, value]) => path !== documentPath || value === null))
    placeValues(tree, rest, { mac: instance.mac, modified: since })
    const pages = new Map<string, Page>()
    pages.set('/', createPage(versions.join('\n'), { modified: since }))
    for (const version of versions) for (const [path, page] of tree) pages.set(`/${version}${path}`, page)
    return pages
  }
  // What cannot be served fails here, not at a request.
  source({})
  return source
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
    'security-groups': instance.securityGroups,
    'subnet-id': id('subnet'),
    'subnet-ipv4-cidr-block': instance.subnet,
    'vpc-id': id('vpc'),
    'vpc-ipv4-cidr-block': instance.network,
    'vpc-ipv4-cidr-blocks': instance.network,
  })
  return createDirectory({
    'ami-id': leaf(instance.imageId),
    'ami-launch-index': leaf('0'),
    'ami-manifest-path': leaf('(unknown)'),
    'block-device-mapping': leaves({ ami: '/dev/xvda', root: '/dev/xvda' }),
    hostname: leaf(instance.hostname),
    // `placeIam` fills it.
    ...(hasRole && { iam: createDirectory({}) }),
    'instance-action': leaf('none'),
    'instance-id': leaf(instance.instanceId),
    'instance-type': leaf(instance.type),
    'kernel-id': leaf(instance.kernelId),
    'local-hostname': leaf(instance.hostname),
    'local-ipv4': leaf(instance.address),
    mac: leaf(mac),
    metrics: leaves({ vhostmd: '<?xml version="1.0" encoding="UTF-8"?>' }),
    network: createDirectory({ interfaces: createDirectory({ macs: createDirectory({ [mac]: card }) }) }),
    placement: leaves({ 'availability-zone': instance.zone, region: instance.region }),
    profile: leaf('default-hvm'),
    'public-keys': createDirectory({ '0=cloudtoken': leaves({ 'openssh-key': publicKey(instance) }) }),
    'reservation-id': leaf(id('r')),
    'security-groups': leaf(instance.securityGroups),
    services: leaves({ domain: instance.dnsSuffix, partition: instance.partition }),
  })
}

const documentPath = 'dynamic/instance-identity/document'

/**
 * The identity document alone: we cannot sign it, and a made-up signature would invite misuse. A mapping that is given
 * changes the keys it names.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html
 */
function dynamicTree(instance: Instance, { profile, values }: TreeOptions): Directory {
  const given = values?.get(documentPath)
  const document = {
    accountId: instance.account,
    architecture: 'x86_64',
    availabilityZone: instance.zone,
    billingProducts: null,
    devpayProductCodes: null,
    marketplaceProductCodes: null,
    imageId: instance.imageId,
    instanceId: instance.instanceId,
    instanceType: instance.type,
    kernelId: instance.kernelId,
    pendingTime: awsTime(instance.since),
    privateIp: instance.address,
    ramdiskId: null,
    region: instance.region,
    version: '2017-09-30',
    ...(profile === 'ec2' && fullDocument(instance)),
    ...(typeof given === 'object' && given),
  }
  const page = createPage(typeof given === 'string' ? given : toJson(document), { modified: instance.since })
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
