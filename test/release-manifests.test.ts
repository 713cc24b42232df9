/**
 * What package managers read of a release: shapes, addresses, checksums. What their own tools say of it: test/real/linters.test.ts.
 */
import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ajv, type Schema } from 'ajv'
import { parse } from 'yaml'
import { writeManifests } from '../scripts/release-manifests.ts'
import { madeManifests, published } from './manifests.ts'

const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-manifests-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const { address, sums, version } = published
const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
const build = (file: string): string => `${address}/download/v${version}/cloudtoken-${version}-${file}`

/** Fails with what is wrong. */
function fits(value: unknown, schema: Schema): void {
  const ajv = new Ajv({ strict: false })
  if (!ajv.validate(schema, value)) throw new Error(ajv.errorsText())
}

/** An object with these members and no others, all of them required. */
const exactly = (properties: Readonly<Record<string, Schema>>): Schema => ({
  type: 'object',
  properties,
  required: Object.keys(properties),
  additionalProperties: false,
})
const text = { type: 'string', minLength: 1, maxLength: 256 }
const link = { type: 'string', pattern: '^https?://' }

test('all four are made', () => {
  expect(madeManifests(folder)).toEqual(['Homebrew', 'Scoop', 'winget', 'Nix'])
})

test.each([
  ['cloudtoken.rb', 5],
  ['cloudtoken.json', 2],
  ['Cloudtoken.Cloudtoken.installer.yaml', 2],
  ['cloudtoken.nix', 8],
])('%s names %i files, each beside its checksum', (file, count) => {
  const named = [...read(file).matchAll(/\/download\/v1\.2\.3\/([\w.-]+)/g)].map(([, name = '']) => name)
  const found = [...read(file).matchAll(/\b[0-9A-Fa-f]{64}\b/g)].map(([sum]) => sum.toLowerCase())
  expect(new Set(named).size).toBe(count)
  expect(found).toEqual(named.map(name => sums.get(name) ?? 'no such file'))
})

test('Scoop', () => {
  const hash = { type: 'string', pattern: '^[0-9a-f]{64}$' }
  const architecture = exactly({ url: link, hash })
  const update = exactly({ url: { type: 'string', pattern: String.raw`^https://.*v\$version.*\.zip$` } })
  const manifest: unknown = JSON.parse(read('cloudtoken.json'))
  fits(
    manifest,
    exactly({
      version: { const: version },
      description: text,
      homepage: { const: 'https://example.com/cloudtoken' },
      license: { const: 'MIT' },
      architecture: exactly({ '64bit': architecture, arm64: architecture }),
      bin: { const: 'cloudtoken.exe' },
      checkver: exactly({ url: { const: `${address}/latest/download/SHA256SUMS` }, regex: text }),
      autoupdate: exactly({
        architecture: exactly({ '64bit': update, arm64: update }),
        hash: exactly({ url: { const: '$baseurl/SHA256SUMS' } }),
      }),
    }),
  )
  expect(manifest).toMatchObject({ architecture: { '64bit': { url: build('windows-x64.zip') } } })
  const { checkver }: { checkver: { regex: string } } = JSON.parse(read('cloudtoken.json'))
  expect(new RegExp(checkver.regex).exec('… cloudtoken-9.8.7-windows-x64.zip')?.[1]).toBe('9.8.7')
})

test('winget', () => {
  const head = { PackageIdentifier: { const: 'Cloudtoken.Cloudtoken' }, PackageVersion: { const: version } }
  const tail = (kind: string): Record<string, Schema> => ({
    ManifestType: { const: kind },
    ManifestVersion: { const: '1.10.0' },
  })
  fits(
    parse(read('Cloudtoken.Cloudtoken.yaml')),
    exactly({ ...head, DefaultLocale: { const: 'en-US' }, ...tail('version') }),
  )
  const installer = exactly({
    Architecture: { enum: ['x64', 'arm64'] },
    InstallerUrl: link,
    InstallerSha256: { type: 'string', pattern: '^[0-9A-F]{64}$' },
  })
  const nested = exactly({
    RelativeFilePath: { const: 'cloudtoken.exe' },
    PortableCommandAlias: { const: 'cloudtoken' },
  })
  fits(
    parse(read('Cloudtoken.Cloudtoken.installer.yaml')),
    exactly({
      ...head,
      InstallerType: { const: 'zip' },
      NestedInstallerType: { const: 'portable' },
      NestedInstallerFiles: { type: 'array', minItems: 1, maxItems: 1, items: nested },
      ReleaseDate: { const: '2026-01-02' },
      Installers: { type: 'array', minItems: 2, maxItems: 2, items: installer },
      ...tail('installer'),
    }),
  )
  fits(
    parse(read('Cloudtoken.Cloudtoken.locale.en-US.yaml')),
    exactly({
      ...head,
      PackageLocale: { const: 'en-US' },
      Publisher: text,
      PackageName: text,
      PackageUrl: link,
      License: { const: 'MIT' },
      ShortDescription: text,
      Moniker: { type: 'string', maxLength: 40 },
      Tags: { type: 'array', maxItems: 16, uniqueItems: true, items: { type: 'string', maxLength: 40 } },
      ...tail('defaultLocale'),
    }),
  )
})

test('one whose builds are not there is left out', () => {
  const some = mkdtempSync(join(folder, 'some-'))
  const windows = new Map([...sums].filter(([name]) => name.includes('windows')))
  expect(writeManifests(some, published, windows)).toEqual(['Scoop', 'winget'])
  expect(readdirSync(some).length).toBe(4)
})
