/**
 * The names that amazon-ec2-metadata-mock gives to things.
 */

/** Names of its values and where they stand below the version, as far as the name does not say so itself. */
const named: Readonly<Record<string, string>> = {
  'block-device-mapping-ami': 'block-device-mapping/ami',
  'block-device-mapping-ebs': 'block-device-mapping/ebs0',
  'block-device-mapping-ephemeral': 'block-device-mapping/ephemeral0',
  'block-device-mapping-root': 'block-device-mapping/root',
  'block-device-mapping-swap': 'block-device-mapping/swap',
  'iam-info': 'iam/info',
  'iam-security-credentials': 'iam/security-credentials/role',
  'iam-security-credentials-role': 'iam/security-credentials',
  'mac-device-number': 'network/interfaces/macs/{mac}/device-number',
  'mac-ipv6-associations': 'network/interfaces/macs/{mac}/ipv6s',
  'mac-network-interface-id': 'network/interfaces/macs/{mac}/interface-id',
  'mac-network-interface-card-index': 'network/interfaces/macs/{mac}/network-card-index',
  ...Object.fromEntries(
    [
      ...['local-hostname', 'local-ipv4s', 'mac', 'owner-id', 'public-hostname', 'public-ipv4s', 'security-group-ids'],
      ...['security-groups', 'subnet-id', 'subnet-ipv4-cidr-block', 'subnet-ipv6-cidr-blocks', 'vpc-id'],
      ...['vpc-ipv4-cidr-block', 'vpc-ipv4-cidr-blocks', 'vpc-ipv6-cidr-blocks'],
    ].map(name => [`mac-${name}`, `network/interfaces/macs/{mac}/${name}`]),
  ),
  ...Object.fromEntries(
    ['availability-zone', 'availability-zone-id', 'group-name', 'host-id', 'partition-number', 'region'].map(name => [
      `placement-${name}`,
      `placement/${name}`,
    ]),
  ),
  'public-key': 'public-keys/0/openssh-key',
  'services-domain': 'services/domain',
  'services-partition': 'services/partition',
  'tags-instance-name': 'tags/instance/Name',
  'tags-instance-test': 'tags/instance/Test',
  'target-lifecycle-state': 'autoscaling/target-lifecycle-state',
  ...Object.fromEntries(
    [
      ...['ami-id', 'ami-launch-index', 'ami-manifest-path', 'hostname', 'instance-action', 'instance-id'],
      ...['instance-life-cycle', 'instance-type', 'kernel-id', 'local-hostname', 'local-ipv4', 'mac', 'product-codes'],
      ...['public-hostname', 'public-ipv4', 'ramdisk-id', 'reservation-id', 'security-groups'],
    ].map(name => [name, name]),
  ),
  'instance-identity-document': 'dynamic/instance-identity/document',
  'instance-identity-pkcs': 'dynamic/instance-identity/pkcs7',
  'instance-identity-signature': 'dynamic/instance-identity/signature',
  'fws-instance-monitoring': 'dynamic/fws/instance-monitoring',
  userdata: 'user-data',
}

export const places: ReadonlyMap<string, string> = new Map(Object.entries(named))

/** Names without a place of their own: it follows from their value, or from what is simulated. */
export const placeless = [
  ...['tags-instance', 'event-id', 'mac-ipv4-associations', 'elastic-inference-associations'],
  ...['elastic-inference-accelerator', 'events', 'spot', 'spot-termination-time', 'rebalance-rec-time'],
]

/** At the top of the file. */
export const understood = [
  ...['metadata', 'dynamic', 'userdata', 'spot', 'spot-itn', 'events', 'imdsv2', 'mock-delay-sec', 'mock-trigger-time'],
  ...['mock-ip-count', 'server', 'config-file', 'save-config-to-file', 'watch-config-file', 'asglifecycle'],
  ...['rebalance-delay-sec', 'rebalance-trigger-time', 'asg-termination-delay-sec', 'asg-termination-trigger-time'],
]
