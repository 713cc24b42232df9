/**
 * A configuration of amazon-ec2-metadata-mock, in JSON: its values stand in the full tree, under its paths, and the events
 * that it describes are simulated from the start. What it says of credentials is left out, since ours are real.
 *
 * https://github.com/aws/amazon-ec2-metadata-mock/blob/main/docs/configuration.md
 */
import { Buffer } from 'node:buffer'
import { failure } from './errors.ts'
import { toTimestamp } from './metadata-document.ts'
import { maintenanceCodes, spotActions, type Simulated } from './metadata-simulated.ts'
import { isOfIam, problemWith, valuePath, type MetadataValue, type MetadataValues } from './metadata-values.ts'
import { unknownName } from './names.ts'

export interface MockConfig {
  readonly values: MetadataValues
  /** To be simulated `delaySeconds` after the start. */
  readonly simulated: Simulated
  readonly delaySeconds: number
  readonly requireToken: boolean
  readonly warnings: readonly string[]
}

/** Names of its values and where they stand below the version, as far as the name does not say so itself. */
const places: Readonly<Record<string, string>> = {
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

/** Names without a place of their own: it follows from their value, or from what is simulated. */
const placeless = [
  ...['tags-instance', 'event-id', 'mac-ipv4-associations', 'elastic-inference-associations'],
  ...['elastic-inference-accelerator', 'events', 'spot', 'spot-termination-time', 'rebalance-rec-time'],
]

const understood = [
  ...['metadata', 'dynamic', 'userdata', 'spot', 'spot-itn', 'events', 'imdsv2', 'mock-delay-sec', 'mock-trigger-time'],
  ...['mock-ip-count', 'server', 'config-file', 'save-config-to-file', 'watch-config-file', 'asglifecycle'],
  ...['rebalance-delay-sec', 'rebalance-trigger-time', 'asg-termination-delay-sec', 'asg-termination-trigger-time'],
]

type Entries = Readonly<Record<string, unknown>>

/** Whether the text is such a configuration; one in YAML with `latest` and `paths` is not. */
export function isMockConfig(text: string): boolean {
  const value = parsed(text)
  return value !== undefined && !('paths' in value) && understood.some(key => key in value)
}

/** `file` is named in what is said about it. Fails with `config` for what is not understood. */
export function readMockConfig(text: string, file: string, now: Date = new Date()): MockConfig {
  const top = parsed(text) ?? {}
  const wrong = (message: string): Error => failure('config', `${file}: ${message}`)
  const warnings: string[] = []
  for (const key of Object.keys(top)) {
    if (!understood.includes(key)) throw unknownName(`${file}: unknown key ${key}`, key, understood)
    if (/^(rebalance|asg-termination)-/.test(key) && top[key]) warnings.push(`${file}: ${key} is left out`)
  }
  if (Number(top['mock-ip-count'] ?? 2) !== 2) {
    warnings.push(`${file}: mock-ip-count is left out: every caller sees the same`)
  }
  const values = new Map<string, MetadataValue>()
  const simulatedId: { 'event-id'?: string } = {}
  for (const section of ['metadata', 'dynamic', 'userdata'] as const) {
    const { paths, values: given, ...rest } = object(top[section] ?? {}, section)
    const [odd] = Object.keys(rest)
    if (odd !== undefined) throw unknownName(`${file}: unknown key ${section}.${odd}`, odd, ['paths', 'values'])
    place(section, object(paths ?? {}, `${section}.paths`), object(given ?? {}, `${section}.values`))
  }

  function object(value: unknown, name: string): Entries {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
    throw wrong(`${name} is no object`)
  }

  function place(section: string, paths: Entries, given: Entries): void {
    for (const [name, path] of Object.entries(paths)) {
      if (typeof path !== 'string' || !path.startsWith('/latest/')) {
        throw wrong(`${section}.paths.${name} does not begin with /latest/`)
      }
      const usual = places[name]
      if (!(name in given) && !placeless.includes(name) && (usual === undefined || valuePath(usual) !== valuePath(path))) {
        warnings.push(`${file}: ${section}.paths.${name} has no value`)
      }
    }
    for (const [name, value] of Object.entries(given)) {
      if (name === 'event-id') simulatedId['event-id'] = String(value)
      else for (const [path, each] of placed(section, name, value, paths, given)) put(`${section}.values.${name}`, path, each)
    }
  }

  function placed(section: string, name: string, value: unknown, paths: Entries, given: Entries): [string, unknown][] {
    if (name === 'tags-instance') {
      return Object.entries(object(value, name)).map(([key, tag]) => [`tags/instance/${key}`, tag])
    }
    // A folder, whose listing follows from what is in it.
    if (name === 'elastic-inference-associations') return []
    const path = paths[name]
    if (typeof path === 'string') return [[path, value]]
    if (name === 'mac-ipv4-associations') return [[`network/interfaces/macs/{mac}/ipv4-associations/${String(value)}`, value]]
    if (name === 'elastic-inference-accelerator') {
      return [[`elastic-inference/associations/${String(given['elastic-inference-associations'] ?? 'eia')}`, value]]
    }
    const known = places[name]
    if (known === undefined) {
      throw unknownName(`${file}: unknown value ${section}.values.${name}, and no path for it`, name, Object.keys(places))
    }
    return [[known, value]]
  }

  function put(name: string, where: string, value: unknown): void {
    const path = valuePath(where)
    if (isOfIam(path)) {
      if (!warnings.some(each => each.includes(' iam '))) warnings.push(`${file}: what it says of iam is left out: the credentials are real`)
      return
    }
    // Files that were saved name some values twice.
    if (values.get(path) === value) return
    const problem = problemWith(path, values)
    if (problem) throw wrong(`${name}: ${path} ${problem}`)
    const coded = path === 'user-data' && name.startsWith('userdata.')
    values.set(path, coded ? decoded(value) : typeof value === 'object' ? value : String(value))
  }

  function decoded(value: unknown): Uint8Array {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : undefined
    if (bytes === undefined || bytes.toString('base64') !== value) throw wrong('userdata is not base64')
    return bytes
  }

  const delaySeconds = startOf(top, wrong, now)
  const begin = new Date(now.getTime() + 1000 * delaySeconds)
  const simulated = simulatedOf(top, object, wrong, begin, simulatedId['event-id'])
  return { values, simulated, delaySeconds, requireToken: top['imdsv2'] === true, warnings }
}

function startOf(top: Entries, wrong: (message: string) => Error, now: Date): number {
  const trigger = top['mock-trigger-time']
  if (trigger !== undefined && trigger !== '') {
    const at = Date.parse(String(trigger))
    if (Number.isNaN(at)) throw wrong('mock-trigger-time is no time')
    return Math.max(0, Math.ceil((at - now.getTime()) / 1000))
  }
  const delay = Number(top['mock-delay-sec'] ?? 0)
  if (!Number.isSafeInteger(delay) || delay < 0) throw wrong('mock-delay-sec is no number of seconds')
  return delay
}

function simulatedOf(
  top: Entries,
  object: (value: unknown, name: string) => Entries,
  wrong: (message: string) => Error,
  begin: Date,
  id: string | undefined,
): Simulated {
  const time = (section: Entries, name: string, days: number): string => {
    const given = section[name]
    const at = given === undefined || given === '' ? begin.getTime() + 86_400_000 * days : Date.parse(String(given))
    if (Number.isNaN(at)) throw wrong(`${name} is no time`)
    return toTimestamp(new Date(at))
  }
  const word = (section: Entries, name: string, values: readonly string[]): string => {
    const given = String(section[name] ?? values[0])
    if (!values.includes(given)) throw wrong(`${name} is not one of ${values.join(', ')}`)
    return given
  }
  const known = (section: string, names: readonly string[]): Entries | undefined => {
    if (top[section] === undefined) return undefined
    const entries = object(top[section], section)
    const odd = Object.keys(entries).find(name => !names.includes(name))
    if (odd !== undefined) throw wrong(`unknown key ${section}.${odd}`)
    return entries
  }
  // The older name, and its older key.
  const spot = known('spot', ['action', 'time', 'rebalance-rec-time']) ?? known('spot-itn', ['instance-action', 'time'])
  const events = known('events', ['code', 'state', 'not-before', 'not-after', 'not-before-deadline'])
  return {
    ...(spot && {
      'spot-interruption': {
        action: word(spot, 'action' in spot ? 'action' : 'instance-action', spotActions),
        time: time(spot, 'time', 2 / 1440),
      },
      rebalance: { time: time(spot, 'rebalance-rec-time', 0) },
    }),
    ...(events && {
      maintenance: {
        code: word(events, 'code', maintenanceCodes),
        state: word(events, 'state', ['active', 'completed', 'canceled']),
        from: time(events, 'not-before', 0),
        to: time(events, 'not-after', 7),
        deadline: time(events, 'not-before-deadline', 9),
        ...(id !== undefined && { id }),
      },
    }),
  }
}

function parsed(text: string): Entries | undefined {
  if (!text.trimStart().startsWith('{')) return undefined
  try {
    return { ...JSON.parse(text) }
  } catch {
    return undefined
  }
}
