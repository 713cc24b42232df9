/**
 * The manifests of a release that needs no compiling.
 */
import { targets } from '../scripts/build.ts'
import { buildName, sha256 } from '../scripts/release-files.ts'
import { writeManifests } from '../scripts/release-manifests.ts'

const version = '1.2.3'
const texts = ['cloudtoken.bash', '_cloudtoken', 'cloudtoken.fish', 'cloudtoken.1.gz']
const files = [
  ...targets.flatMap(target => ['gz', 'zip'].map(format => `${buildName(version, target)}.${format}`)),
  ...texts,
]

export const published = {
  version,
  date: '2026-01-02T03:04:05Z',
  address: 'https://example.com/cloudtoken/releases',
  /** SHA-256 of each file, by name. */
  sums: new Map(files.map(file => [file, sha256(file)])),
} as const

/** Writes them; the answer is which. */
export function madeManifests(folder: string): string[] {
  return writeManifests(folder, published, published.sums)
}
