/**
 * The three files of a package in winget's repository, schema 1.10. (https://learn.microsoft.com/windows/package-manager/package/manifest)
 */
import { stringify } from 'yaml'
import { buildName } from './release-files.ts'
import { summary, type Published } from './release-published.ts'

const identifier = 'Cloudtoken.Cloudtoken'
const schema = '1.10.0'

export function wingetManifests({ version, date, homepage, download }: Published): Record<string, string> {
  const manifest = (kind: string, more: object): string => {
    const about = `https://aka.ms/winget-manifest.${kind}.${schema}.schema.json`
    const body = {
      PackageIdentifier: identifier,
      PackageVersion: version,
      ...more,
      ManifestType: kind,
      ManifestVersion: schema,
    }
    return `# yaml-language-server: $schema=${about}\n\n${stringify(body, { lineWidth: 0 })}`
  }
  const installers = ['x64', 'arm64'].map(processor => {
    const { url, sum } = download(`${buildName(version, `windows-${processor}`)}.zip`)
    return { Architecture: processor, InstallerUrl: url, InstallerSha256: sum.toUpperCase() }
  })
  return {
    [`${identifier}.yaml`]: manifest('version', { DefaultLocale: 'en-US' }),
    [`${identifier}.installer.yaml`]: manifest('installer', {
      InstallerType: 'zip',
      NestedInstallerType: 'portable',
      NestedInstallerFiles: [{ RelativeFilePath: 'cloudtoken.exe', PortableCommandAlias: 'cloudtoken' }],
      ReleaseDate: date.slice(0, 10),
      Installers: installers,
    }),
    [`${identifier}.locale.en-US.yaml`]: manifest('defaultLocale', {
      PackageLocale: 'en-US',
      Publisher: 'the cloudtoken authors',
      PackageName: 'cloudtoken',
      PackageUrl: homepage,
      License: 'MIT',
      ShortDescription: summary,
      Moniker: 'cloudtoken',
      Tags: ['aws', 'cli', 'credentials', 'saml', 'sts'],
    }),
  }
}
