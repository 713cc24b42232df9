/**
 * Values that a person puts in place of ours, by path below the version: `meta-data/instance-type`, `user-data`.
 */
import { failure } from './errors.ts'
import { isDeeper } from './json.ts'
import { createPage, type Page } from './metadata-document.ts'
import { putPage, removePage, type VersionPages } from './metadata-overlay.ts'

/** Text as it is, bytes as they are, anything else as JSON; `null` takes the page away. */
export type MetadataValue = string | object | null
export type MetadataValues = ReadonlyMap<string, MetadataValue>

/**
 * `metadata:` of config.yaml. Names are paths below `meta-data/`, or begin with `dynamic/` or `user-data`; `{mac}` is the
 * network card. Fails with `config`, naming the key.
 */
export function readValues(entries: Readonly<Record<string, unknown>>, where: string): MetadataValues {
  const values = new Map<string, MetadataValue>()
  for (const [key, value] of Object.entries(entries)) {
    const path = valuePath(key)
    const problem = problemWith(path, value, values)
    if (problem) throw failure('config', `${where}: ${key} ${problem}`)
    values.set(path, typeof value === 'object' ? value : String(value))
  }
  return values
}

/** `/latest/meta-data/mac`, `meta-data/mac` and `mac` are one. */
export function valuePath(name: string): string {
  const path = name
    .split('/')
    .filter(Boolean)
    .join('/')
    .replace(/^latest\//, '')
  return /^(meta-data|dynamic|user-data)(\/|$)/.test(path) ? path : `meta-data/${path}`
}

/** An instance has far fewer; each is put into every version anew when the credentials change. */
const mostValues = 1000

/** Deeper than any page of EC2. */
const deepest = 50

/** Why there can be no such value of that name, beside those. */
export function problemWith(path: string, value: unknown, others: MetadataValues): string | undefined {
  if (isOfIam(path)) return 'cannot be set: the credentials are real'
  if (['', 'meta-data', 'meta-data/', 'dynamic'].includes(path) || path.startsWith('user-data/')) {
    return 'is no name of a value'
  }
  // No request for a path with a dot segment or an escape gets this far.
  if (!/^[!-$&-~]+$/.test(path) || /(^|\/)\.{1,2}(\/|$)/.test(path)) return 'is no name of a value'
  if (others.size >= mostValues) return `is one more than ${mostValues} values`
  if (isDeeper(value, deepest)) return `is nested more than ${deepest} times`
  for (const other of others.keys()) {
    if (path.startsWith(`${other}/`) || other.startsWith(`${path}/`)) return `and ${other} cannot both have a value`
  }
  return undefined
}

export function isOfIam(path: string): boolean {
  return /^meta-data\/(iam|identity-credentials)(\/|$)/.test(path)
}

export function placeValues(
  pages: VersionPages,
  values: MetadataValues,
  { mac, modified }: { readonly mac?: string; readonly modified: Date },
): void {
  for (const [name, value] of values) {
    const path = mac === undefined ? name : name.replaceAll('{mac}', mac)
    if (value === null || value === '') removePage(pages, path, modified)
    else putPage(pages, path, pageOf(path, value, modified), modified)
  }
}

function pageOf(path: string, value: Exclude<MetadataValue, null>, modified: Date): Page {
  const raw = typeof value === 'string' || value instanceof Uint8Array
  if (path === 'user-data') {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
    return userDataPage(bytes instanceof Uint8Array ? bytes : new TextEncoder().encode(JSON.stringify(value)), modified)
  }
  return createPage(raw ? value : JSON.stringify(value, undefined, 2), { modified })
}

/** Raw bytes, at most 16 KiB. Fails with `config`. */
export function userDataPage(bytes: Uint8Array, modified: Date): Page {
  if (bytes.length > longestUserData) throw failure('config', 'the user data has more than 16 KiB')
  return createPage(bytes, { modified, type: 'application/octet-stream' })
}

export const longestUserData = 16 * 1024
