/**
 * What an instance of today has beside the classic 21 entries: `--metadata-profile ec2`.
 *
 * Left out is what would contradict the rest (a dedicated host beside a placement group, an instance store on a type
 * without one), what AWS has ended (elastic-gpus, elastic-inference), and what is not ours to make up: signatures of the
 * identity document, and identity-credentials. Spot notices and rebalance recommendations come with `cloudtoken simulate`.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-categories.html
 */
import { zoneId, type Instance } from './metadata-instance.ts'
import type { MetadataValues } from './metadata-values.ts'

/** By path below the version. */
export function fullValues(instance: Instance): MetadataValues {
  const { id, mac, address, address6, subnet6, publicAddress, publicHostname } = instance
  const card = `network/interfaces/macs/${mac}`
  const below: Readonly<Record<string, string>> = {
    'ancestor-ami-ids': id('ami', 17, 'ancestor'),
    'autoscaling/target-lifecycle-state': 'InService',
    'block-device-mapping/ebs1': 'sdf',
    'events/maintenance/history': '[]',
    'events/maintenance/scheduled': '[]',
    'instance-life-cycle': 'on-demand',
    ipv6: address6,
    [`${card}/ipv4-associations/${publicAddress}`]: address,
    [`${card}/ipv6s`]: address6,
    [`${card}/network-card-index`]: '0',
    [`${card}/public-hostname`]: publicHostname,
    [`${card}/public-ipv4s`]: publicAddress,
    [`${card}/subnet-ipv6-cidr-blocks`]: `${subnet6}::/64`,
    [`${card}/vpc-ipv6-cidr-blocks`]: `${subnet6}::/56`,
    'placement/availability-zone-id': zoneId(instance),
    'placement/group-name': 'cloudtoken',
    'placement/partition-number': '1',
    'product-codes': instance.productCode,
    'public-hostname': publicHostname,
    'public-ipv4': publicAddress,
    'ramdisk-id': instance.ramdiskId,
    system: 'xen-on-nitro',
    'tags/instance/Name': 'cloudtoken',
  }
  const values = new Map(Object.entries(below).map(([path, text]) => [`meta-data/${path}`, text]))
  return values.set('dynamic/fws/instance-monitoring', 'disabled')
}

/** What the identity document says differently then. */
export function fullDocument({ productCode, ramdiskId }: Instance): Readonly<Record<string, unknown>> {
  return { marketplaceProductCodes: [productCode], ramdiskId }
}
