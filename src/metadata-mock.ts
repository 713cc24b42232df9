/**
 * A configuration of amazon-ec2-metadata-mock, in JSON: its values stand in the full tree, under its paths, and the events
 * that it describes are simulated from the start. What it says of credentials is left out, since ours are real.
 *
 * https://github.com/aws/amazon-ec2-metadata-mock/blob/main/docs/configuration.md
 */
import { Buffer } from 'node:buffer'
import { failure } from './errors.ts'
import { fieldsOf, readJson } from './json.ts'
import { readEvents, type Entries, type MockReader, type Wanted } from './metadata-mock-events.ts'
import { placeless, places, understood } from './metadata-mock-names.ts'
import { isOfIam, problemWith, valuePath, type MetadataValue, type MetadataValues } from './metadata-values.ts'
import { unknownName } from './names.ts'

export interface MockConfig {
  readonly values: MetadataValues
  /** To be simulated from the start, or later. */
  readonly wanted: readonly Wanted[]
  readonly requireToken: boolean
  readonly warnings: readonly string[]
}

/** Whether the text is such a configuration; one in YAML with `latest` and `paths` is not. */
export function isMockConfig(text: string): boolean {
  const value = parsed(text)
  return value !== undefined && !('paths' in value) && understood.some(key => key in value)
}

/** `file` is named in what is said about it. Fails with `config` for what is not understood. */
export function readMockConfig(text: string, file: string, now: Date = new Date()): MockConfig {
  const top = parsed(text) ?? {}
  const warnings: string[] = []
  const reader: MockReader = {
    wrong: message => failure('config', `${file}: ${message}`),
    object(value, name) {
      if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
      throw reader.wrong(`${name} is no object`)
    },
  }
  for (const key of Object.keys(top)) {
    if (!understood.includes(key)) throw unknownName(`${file}: unknown key ${key}`, key, understood)
    if (key.startsWith('asg-termination-') && top[key]) warnings.push(`${file}: ${key} is left out`)
  }
  // Two is what it is without being said.
  if (Number(top['mock-ip-count'] ?? 2) !== 2) {
    warnings.push(`${file}: mock-ip-count is left out: every caller sees the same`)
  }
  const values = new Map<string, MetadataValue>()
  let eventId: string | undefined
  for (const section of ['metadata', 'dynamic', 'userdata'] as const) {
    const { paths = {}, values: given = {}, ...rest } = reader.object(top[section] ?? {}, section)
    const [odd] = Object.keys(rest)
    if (odd !== undefined) throw unknownName(`${file}: unknown key ${section}.${odd}`, odd, ['paths', 'values'])
    const placed = readSection(
      section,
      reader.object(paths, `${section}.paths`),
      reader.object(given, `${section}.values`),
    )
    for (const { name, path, value } of placed) {
      if (name === 'event-id') eventId = String(value)
      else put(`${section}.values.${name}`, valuePath(path), value)
    }
  }
  return { values, wanted: readEvents(top, reader, now, eventId), requireToken: top['imdsv2'] === true, warnings }

  function readSection(section: string, paths: Entries, given: Entries): Placed[] {
    for (const [name, path] of Object.entries(paths)) {
      if (typeof path !== 'string' || !path.startsWith('/latest/')) {
        throw reader.wrong(`${section}.paths.${name} does not begin with /latest/`)
      }
      const isUsual = valuePath(path) === valuePath(places.get(name) ?? '')
      if (!(name in given) && !placeless.includes(name) && !isUsual) {
        warnings.push(`${file}: ${section}.paths.${name} has no value`)
      }
    }
    return Object.entries(given).flatMap(([name, value]): Placed[] => {
      if (name === 'tags-instance') {
        const tags = Object.entries(reader.object(value, `${section}.values.${name}`))
        return tags.map(([key, tag]) => ({ name, path: `tags/instance/${key}`, value: tag }))
      }
      // A folder, whose listing follows from what is in it.
      if (name === 'elastic-inference-associations') return []
      const path = paths[name] ?? usualPath(name, value, given)
      if (typeof path === 'string') return [{ name, path, value }]
      throw unknownName(`${file}: unknown value ${section}.values.${name}, and no path for it`, name, [
        ...places.keys(),
      ])
    })
  }

  function put(name: string, path: string, value: unknown): void {
    if (isOfIam(path)) {
      const warning = `${file}: what it says of iam is left out: the credentials are real`
      if (!warnings.includes(warning)) warnings.push(warning)
      return
    }
    // Files that were saved name some values twice.
    if (values.get(path) === value) return
    const problem = problemWith(path, value, values)
    if (problem) throw reader.wrong(`${name}: ${path} ${problem}`)
    if (name.startsWith('userdata.')) values.set(path, decoded(value))
    else values.set(path, typeof value === 'object' ? value : String(value))
  }

  function decoded(value: unknown): Uint8Array {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'base64') : undefined
    if (bytes === undefined || bytes.toString('base64') !== value) throw reader.wrong('userdata is not base64')
    return bytes
  }
}

interface Placed {
  readonly name: string
  readonly path: string
  readonly value: unknown
}

function usualPath(name: string, value: unknown, given: Entries): string | undefined {
  switch (name) {
    case 'event-id':
      return 'events'
    case 'mac-ipv4-associations':
      return `network/interfaces/macs/{mac}/ipv4-associations/${String(value)}`
    case 'elastic-inference-accelerator':
      return `elastic-inference/associations/${String(given['elastic-inference-associations'] ?? 'eia')}`
    default:
      return places.get(name)
  }
}

function parsed(text: string): Entries | undefined {
  if (!text.trimStart().startsWith('{')) return undefined
  const value = readJson(text)
  return value === undefined ? undefined : fieldsOf(value)
}
