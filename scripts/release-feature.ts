/**
 * A feature for dev containers, as an archive whose address goes into `devcontainer.json`. (https://containers.dev/implementors/features)
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { tar } from './release-files.ts'
import { summary } from './release-published.ts'
import { root } from './tools.ts'

/** The name is one that the tools of dev containers insist on. */
const featureFile = 'devcontainer-feature-cloudtoken.tgz'

/** `address` is where the releases are, as `install.sh --base-url` takes it. */
export function writeFeature(folder: string, version: string, address: string): void {
  const feature = {
    id: 'cloudtoken',
    version,
    name: 'cloudtoken',
    description: summary,
    options: {
      version: { type: 'string', default: version, description: 'the release to install' },
      baseUrl: { type: 'string', default: address, description: 'where the releases are' },
    },
    installsAfter: ['ghcr.io/devcontainers/features/common-utils'],
  }
  const files = {
    'devcontainer-feature.json': `${JSON.stringify(feature, undefined, 2)}\n`,
    'install.sh': readFileSync(join(root, 'packaging', 'devcontainer.sh')),
    'cloudtoken.sh': readFileSync(join(root, 'install.sh')),
  }
  writeFileSync(join(folder, featureFile), gzipSync(tar(files), { level: 9 }))
}
