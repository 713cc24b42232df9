/**
 * A manifest for a bucket. (https://github.com/ScoopInstaller/Scoop/wiki/App-Manifests)
 */
import { buildName } from './release-files.ts'
import { summary, type Published } from './release-published.ts'

const architectures = { '64bit': 'x64', arm64: 'arm64' } as const

export function scoopManifest({ version, address, homepage, download }: Published): Record<string, string> {
  const each = (about: (file: string) => object): object =>
    Object.fromEntries(Object.entries(architectures).map(([name, processor]) => [name, about(`windows-${processor}`)]))
  const manifest = {
    version,
    description: summary,
    homepage,
    license: 'MIT',
    architecture: each(target => {
      const { url, sum } = download(`${buildName(version, target)}.zip`)
      return { url, hash: sum }
    }),
    bin: 'cloudtoken.exe',
    checkver: {
      url: `${address}/latest/download/SHA256SUMS`,
      regex: String.raw`cloudtoken-(\d+\.\d+\.\d+)-windows-x64\.zip`,
    },
    // Scoop puts the new version in for the variable.
    autoupdate: {
      architecture: each(target => ({ url: `${address}/download/v$version/${buildName('$version', target)}.zip` })),
      hash: { url: '$baseurl/SHA256SUMS' },
    },
  }
  return { 'cloudtoken.json': `${JSON.stringify(manifest, undefined, 4)}\n` }
}
