/**
 * What package managers of other people read: files that name the builds of a release and their checksums.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { homebrewFormula } from './release-homebrew.ts'
import { nixExpression } from './release-nix.ts'
import { Absent, type Published, type Release } from './release-published.ts'
import { scoopManifest } from './release-scoop.ts'
import { wingetManifests } from './release-winget.ts'

/** The files of each, by name. */
const manifests: Readonly<Record<string, (published: Published) => Readonly<Record<string, string>>>> = {
  Homebrew: homebrewFormula,
  Scoop: scoopManifest,
  winget: wingetManifests,
  Nix: nixExpression,
}

/**
 * Writes them into the folder of a release whose files have these checksums; the answer is which were made. One that would
 * name a build that is not there is left out.
 */
export function writeManifests(folder: string, release: Release, sums: ReadonlyMap<string, string>): string[] {
  const published: Published = {
    ...release,
    homepage: release.address.replace(/\/releases$/, ''),
    download(file) {
      const sum = sums.get(file)
      if (sum === undefined) throw new Absent(file)
      return { url: `${release.address}/download/v${release.version}/${file}`, sum }
    },
  }
  return Object.entries(manifests).flatMap(([name, make]) => {
    try {
      for (const [file, text] of Object.entries(make(published))) writeFileSync(join(folder, file), text)
      return [name]
    } catch (error) {
      if (error instanceof Absent) return []
      throw error
    }
  })
}
