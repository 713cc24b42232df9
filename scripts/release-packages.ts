/**
 * Packages for Linux distributions, by nfpm (https://nfpm.goreleaser.com). Files only: no capabilities, no scripts, and a unit that
 * nobody but its user enables.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serviceFor } from '../src/service.ts'
import { goTool } from './components.ts'
import { root, shell } from './tools.ts'

export interface Packaging {
  readonly version: string
  /** ISO 8601: every file in a package has this time. */
  readonly date: string
  /** The folder with the program of a target, unpacked. */
  readonly programOf: (target: string) => string | undefined
  /** Where completions and the manual page lie. */
  readonly texts: string
  /** Where packages go. */
  readonly out: string
  /** For what nfpm reads. */
  readonly work: string
}

const kinds = [
  { packager: 'deb', libc: '', systemd: true, zsh: 'vendor-completions', depends: ['libc6 (>= 2.17)'] },
  { packager: 'rpm', libc: '', systemd: true, zsh: 'site-functions', depends: ['glibc >= 2.17'] },
  { packager: 'apk', libc: '-musl', systemd: false, zsh: 'site-functions', depends: ['libstdc++'] },
] as const

const processors = { x64: 'amd64', arm64: 'arm64' } as const

/** What `cloudtoken service install` would write, for everybody: without root, so on a port of its own. */
export const packagedUnit: string = serviceFor({
  platform: 'linux',
  env: {},
  home: '/',
  uid: 0,
  self: ['/usr/bin/cloudtoken'],
  args: ['-d', '--no-input', '--listen=127.0.0.1:9911'],
  logFile: '',
}).text

/** Names of the packages made; `undefined` when there is nothing to make them with. */
export async function makePackages(packaging: Packaging): Promise<string[] | undefined> {
  const command = goTool('nfpm')
  if (command === undefined) return undefined
  mkdirSync(packaging.work, { recursive: true })
  writeFileSync(join(packaging.work, 'cloudtoken.service'), packagedUnit)
  const made: string[] = []
  for (const { packager, libc, ...contents } of kinds) {
    for (const [processor, arch] of Object.entries(processors)) {
      const program = packaging.programOf(`linux-${processor}${libc}`)
      if (program === undefined) continue
      const name = `cloudtoken-${packaging.version}-${processor}.${packager}`
      const config = join(packaging.work, `${name}.json`)
      // nfpm reads YAML, and every JSON document is one.
      writeFileSync(config, JSON.stringify(configuration(packaging, { arch, program, ...contents }), undefined, 2))
      const args = ['package', '--config', config, '--packager', packager, '--target', join(packaging.out, name)]
      const { code, output } = await shell(command, args, { quiet: true })
      if (code !== 0) throw new Error(`nfpm cannot make ${name}\n${output}`)
      made.push(name)
    }
  }
  return made
}

interface Contents {
  readonly arch: string
  readonly program: string
  readonly systemd: boolean
  /** The folder below /usr/share/zsh that is in `fpath` there. */
  readonly zsh: string
  readonly depends: readonly string[]
}

function configuration(
  { version, date, texts, work }: Packaging,
  { arch, program, systemd, zsh, depends }: Contents,
): object {
  const file = (src: string, dst: string, mode = 0o644): object => ({ src, dst, file_info: { mode, mtime: date } })
  return {
    name: 'cloudtoken',
    arch,
    version,
    mtime: date,
    maintainer: 'the cloudtoken authors <cloudtoken@localhost>',
    description:
      "Sign in at your company's identity provider once;\nevery AWS tool on this machine has fresh credentials.",
    license: 'MIT',
    section: 'utils',
    priority: 'optional',
    depends,
    contents: [
      file(program, '/usr/bin/cloudtoken', 0o755),
      file(join(texts, 'cloudtoken.bash'), '/usr/share/bash-completion/completions/cloudtoken'),
      file(join(texts, '_cloudtoken'), `/usr/share/zsh/${zsh}/_cloudtoken`),
      file(join(texts, 'cloudtoken.fish'), '/usr/share/fish/vendor_completions.d/cloudtoken.fish'),
      file(join(texts, 'cloudtoken.1.gz'), '/usr/share/man/man1/cloudtoken.1.gz'),
      file(join(root, 'LICENSE'), '/usr/share/doc/cloudtoken/copyright'),
      ...(systemd ? [file(join(work, 'cloudtoken.service'), '/usr/lib/systemd/user/cloudtoken.service')] : []),
    ],
    rpm: { buildhost: 'localhost' },
  }
}
