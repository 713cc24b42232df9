/**
 * What a release says about itself: which packages are in it (CycloneDX 1.6) and how it was made (in-toto, SLSA 1.0).
 */
import { Buffer } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { sha256 } from './release-files.ts'
import { root } from './tools.ts'

export interface Origin {
  readonly version: string
  /** Of the commit, hex. */
  readonly commit: string
  /** When it was committed, ISO 8601: nothing in a release is dated by the day it was made. */
  readonly date: string
  readonly bun: string
}

interface Locked {
  readonly name: string
  readonly version: string
  /** SHA-512 in base64. */
  readonly integrity: string
  readonly needs: readonly string[]
}

type Json = Readonly<Record<string, unknown>>

/** Every package of bun.lock that the program itself needs, by its place there (`a`, or `b/a` for a second version). */
export function lockedPackages(lock: string, direct: readonly string[]): Map<string, Locked> {
  // Its commas at the end of lists are no JSON, but good YAML.
  const { packages }: { packages: Record<string, [string, string, Json, string]> } = parse(lock)
  const found = new Map<string, Locked>()
  const visit = (name: string, from: string): void => {
    const place = [...prefixes(from)].map(prefix => `${prefix}${name}`).find(key => packages[key] !== undefined)
    const entry = place === undefined ? undefined : packages[place]
    if (place === undefined || entry === undefined || found.has(place)) return
    const [id, , meta, integrity] = entry
    const needs = Object.keys({ ...table(meta['dependencies']), ...table(meta['optionalDependencies']) })
    found.set(place, { name, version: id.slice(id.lastIndexOf('@') + 1), integrity, needs })
    for (const need of needs) visit(need, place)
  }
  for (const name of direct) visit(name, '')
  return found
}

/** The places where a package of `a/b` is looked up: `a/b/`, `a/`, top. Scopes (`@x/y`) are one step. */
function* prefixes(place: string): Generator<string> {
  const steps = place.match(/(?:@[^/]+\/)?[^/]+/g) ?? []
  for (let count = steps.length; count > 0; count -= 1) yield `${steps.slice(0, count).join('/')}/`
  yield ''
}

function table(value: unknown): Json {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}

export function billOfMaterials({ version, date, bun }: Origin): string {
  const { dependencies }: { dependencies: Record<string, string> } = JSON.parse(read('package.json'))
  const packages = lockedPackages(read('bun.lock'), Object.keys(dependencies))
  const components = [...packages.values()]
    .map(({ name, version: of, integrity }) => ({
      type: 'library',
      'bom-ref': purl(name, of),
      name,
      version: of,
      purl: purl(name, of),
      hashes: [{ alg: 'SHA-512', content: hex(integrity) }],
      licenses: [{ expression: licenseOf(name) }],
    }))
    .toSorted((a, b) => a.purl.localeCompare(b.purl, 'en'))
  return json({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: date,
      component: {
        type: 'application',
        'bom-ref': `pkg:generic/cloudtoken@${version}`,
        name: 'cloudtoken',
        version,
        licenses: [{ expression: 'MIT' }],
      },
    },
    components: [
      {
        type: 'platform',
        'bom-ref': `pkg:generic/bun@${bun}`,
        name: 'bun',
        version: bun,
        purl: `pkg:generic/bun@${bun}`,
      },
      ...components,
    ],
  })
}

/** For these files, by name and SHA-256. */
export function provenance({ version, commit, date, bun }: Origin, files: ReadonlyMap<string, string>): string {
  return json({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [...files].map(([name, digest]) => ({ name, digest: { sha256: digest } })),
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: 'urn:cloudtoken:bun-run-release:1',
        externalParameters: { version, command: 'bun run release' },
        resolvedDependencies: [
          { name: 'cloudtoken', digest: { gitCommit: commit } },
          { name: 'bun.lock', digest: { sha256: sha256(read('bun.lock')) } },
          { uri: `pkg:generic/bun@${bun}` },
        ],
      },
      runDetails: { builder: { id: 'urn:cloudtoken:scripts/release.ts' }, metadata: { finishedOn: date } },
    },
  })
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

function licenseOf(name: string): string {
  const { license }: { license?: string } = JSON.parse(read(join('node_modules', name, 'package.json')))
  return license ?? 'NOASSERTION'
}

function purl(name: string, version: string): string {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`
}

function hex(integrity: string): string {
  return Buffer.from(integrity.replace(/^sha512-/, ''), 'base64').toString('hex')
}

function json(value: Json): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
