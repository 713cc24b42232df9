/**
 * A real release, signed, served on loopback; installed where there is nothing, and run on machines unlike this one.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { gunzipSync } from 'node:zlib'
import pkg from '../../package.json' with { type: 'json' }
import { python } from '../../scripts/components.ts'
import { listen, type Loopback } from '../../scripts/demo-http.ts'
import { startDemoIdp, type DemoIdp } from '../../scripts/demo-idp.ts'
import { startDemoSts, type DemoSts } from '../../scripts/demo-sts.ts'
import { checkSignature } from '../../scripts/macho.ts'
import { packagedUnit } from '../../scripts/release-packages.ts'
import { bun, root, shell } from '../../scripts/tools.ts'
import { runProgram, type Ran } from '../run-program.ts'
import { present } from './present.ts'

const isRoot = process.getuid?.() === 0 && process.platform === 'linux'
const here = { musl: await present('musl'), debootstrap: await present('debootstrap'), arm64: await present('arm64') }
const minisign = await present('minisign')
const packages = await present('nfpm')
const rpm = await present('rpm')
const wine = await present('wine')

const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-real-release-'))
const releases = join(folder, 'releases')
const latest = join(releases, 'latest', 'download')
const role = 'arn:aws:iam::123456789012:role/developer'
const password = 'correct horse'
/** minisign -G -W; nothing else knows it. */
const secretKey =
  'RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAnWDDKfatOpAtPE4twqQPOKqbkj7ZIKCoKp96ViwKr8EOR1mN8Bpc0gjcJdCuY0HLYxeRTlogJDj3fyVxi8P6L4W3GR2yhqisAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
const publicKey = 'RWSdYMMp9q06kAjcJdCuY0HLYxeRTlogJDj3fyVxi8P6L4W3GR2yhqis'

let server: Loopback
let idp: DemoIdp
let sts: DemoSts
let said = ''

beforeAll(async () => {
  writeFileSync(join(folder, 'key'), secretKey, { mode: 0o600 })
  const targets = 'linux-x64,linux-arm64,linux-x64-musl,darwin-x64,windows-x64'
  server = await listen(
    createServer((request, response) => {
      const file = join(folder, request.url ?? '')
      if (!existsSync(file) || !statSync(file).isFile()) return void response.writeHead(404).end()
      response.end(readFileSync(file))
    }),
  )
  const args = ['--fast', '--targets', targets, '--out', releases, '--url', `${server.origin}/releases`]
  const made = await shell(bun, ['scripts/release.ts', ...args], {
    quiet: true,
    env: { CLOUDTOKEN_RELEASE_KEY: join(folder, 'key') },
  })
  said = made.output
  if (made.code !== 0) throw new Error(said)
  idp = await startDemoIdp({ alice: { password, roles: [role] } })
  sts = await startDemoSts()
}, 300_000)

afterAll(async () => {
  await Promise.all([server?.stop(), idp?.stop(), sts?.stop()])
  rmSync(folder, { recursive: true, force: true })
})

const run = (command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> =>
  runProgram(command, args, { env })

/** What a person types after the installation. */
function story(home: string): { env: Record<string, string>; signIn: string[] } {
  return {
    env: { HOME: home, AWS_ENDPOINT_URL_STS: sts.origin, CLOUDTOKEN_SKIP_KEYRING: 'true', CLOUDTOKEN_NO_INPUT: 'true' },
    signIn: [
      '--provider',
      'simplesamlphp',
      '--url',
      idp.url,
      '--username',
      'alice',
      '--password-file',
      '/tmp/password',
    ],
  }
}

/** Inside another root, with /proc and /dev for as long as it takes. `user` is a number. */
function inside(place: string, user: number, env: Readonly<Record<string, string>>, script: string): Promise<Ran> {
  const mounts = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec "$@"'
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const chroot = ['chroot', `--userspec=${user}:${user}`, place, '/bin/sh', '-c', 'exec env -i "$@"', 'sh']
  return run('unshare', ['-m', 'sh', '-c', mounts, place, ...chroot, ...assignments, '/bin/sh', '-c', script])
}

/** Every file and folder below, each link as what it is. */
function everything(place: string): string[] {
  const found = spawnSync('find', [place, '-xdev', '-mindepth', '1', '-printf', '%P\n'], { encoding: 'utf8' })
  expect([found.status, found.stderr]).toEqual([0, ''])
  return found.stdout
    .split('\n')
    .filter(line => line !== '')
    .toSorted()
}

function write(place: string, file: string, text: string, owner: number): void {
  writeFileSync(join(place, file), text, { mode: 0o600 })
  spawnSync('chown', [`${owner}:${owner}`, join(place, file)])
}

const install = (more = ''): string =>
  `${more.includes('wget') ? 'wget -qO-' : 'curl -fsSL'} ${server.origin}/releases/latest/download/install.sh | sh -s -- --base-url ${server.origin}/releases ${more.replace('wget', '')}`

describe('the release', () => {
  test('has a good list of checksums, and says what it did', async () => {
    expect(spawnSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: latest }).status).toBe(0)
    const listed = readFileSync(join(latest, 'SHA256SUMS'), 'utf8').match(/\S+$/gm) ?? []
    expect(
      readdirSync(latest)
        .filter(name => !name.startsWith('SHA256SUMS'))
        .toSorted(),
    ).toEqual(listed.toSorted())
    expect(said).toMatch(/^linux-x64 .* ms \(\d\.\d\d of a one-line program\)$/m)
    expect(said).toContain(`signed by ${publicKey}`)
    expect(realpathSync(latest)).toBe(join(releases, 'download', `v${pkg.version}`))
  })

  test.skipIf(!minisign)('is signed so that minisign agrees', async () => {
    const sums = join(latest, 'SHA256SUMS')
    const { code, stdout } = await run('minisign', ['-Vm', sums, '-P', publicKey])
    expect([code, stdout]).toEqual([0, expect.stringContaining(`Trusted comment: cloudtoken ${pkg.version} commit`)])
  })

  test('has macOS programs whose signature fits', () => {
    const program = gunzipSync(readFileSync(join(latest, `cloudtoken-${pkg.version}-darwin-x64.gz`)))
    expect(checkSignature(program)).toMatchObject({ bad: [], adHoc: true })
  })
})

describe.skipIf(!isRoot || !here.debootstrap)('on a fresh Debian with nothing but sh and curl', () => {
  const place = join(folder, 'debian')
  const home = '/home/alice'

  beforeAll(async () => {
    const { code, output } = await shell('debootstrap', ['--variant=minbase', '--include=curl', 'bookworm', place], {
      quiet: true,
    })
    if (code !== 0) throw new Error(output)
    mkdirSync(join(place, home))
    spawnSync('chown', ['1000:1000', join(place, home)])
    write(place, '/tmp/password', `${password}\n`, 1000)
  }, 300_000)

  test('it is installed, signs in, hands out credentials, and goes without a trace', async () => {
    const { env, signIn } = story(home)
    const before = everything(place)
    const installed = await inside(place, 1000, env, install())
    expect([installed.code, installed.stdout, installed.stderr]).toEqual([
      0,
      '',
      expect.stringContaining(`installed cloudtoken ${pkg.version} in ${home}/.local/bin/cloudtoken`),
    ])
    const program = `${home}/.local/bin/cloudtoken`
    const signed = await inside(
      place,
      1000,
      env,
      `${program} ${signIn.map(word => `'${word}'`).join(' ')} --role developer`,
    )
    expect([signed.code, signed.stdout]).toEqual([0, expect.stringContaining(`Using role ${role}`)])
    const read = await inside(
      place,
      1000,
      env,
      `eval "$(${program} -e --shell sh)"; echo "$AWS_ACCESS_KEY_ID"; cat ~/.aws/credentials`,
    )
    expect(read.stdout).toMatch(/^ASIA\w+\n\[default\]\naws_access_key_id *= *ASIA/)

    const gone = await inside(place, 1000, env, install('--uninstall --purge'))
    expect([gone.code, gone.stdout]).toEqual([0, ''])
    expect(everything(place)).toEqual(before)
  })

  test('the dev container feature installs it for everybody', async () => {
    const feature = join(place, 'tmp', 'feature')
    mkdirSync(feature)
    expect(spawnSync('tar', ['-xzf', join(latest, 'devcontainer-feature-cloudtoken.tgz'), '-C', feature]).status).toBe(
      0,
    )
    const { options }: { options: Record<string, { default: string }> } = JSON.parse(
      readFileSync(join(feature, 'devcontainer-feature.json'), 'utf8'),
    )
    // As the tools of dev containers hand them over: names in capitals.
    const given = Object.entries(options).map(([name, { default: value }]) => [name.toUpperCase(), value])
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', ...Object.fromEntries(given) }
    const made = await inside(place, 0, env, 'cd /tmp/feature && ./install.sh')
    expect([made.code, made.stderr]).toEqual([0, expect.stringContaining('in /usr/local/bin/cloudtoken')])
    const used = await inside(place, 1000, { HOME: home }, '/usr/local/bin/cloudtoken --version')
    expect(used.stdout).toBe(`cloudtoken ${pkg.version}\n`)
    expect(existsSync(join(place, 'usr/local/share/bash-completion/completions/cloudtoken'))).toBe(true)
    const gone = await inside(
      place,
      0,
      env,
      'sh /tmp/feature/cloudtoken.sh --uninstall --dir /usr/local/bin; rm -r /tmp/feature',
    )
    expect(gone.code).toBe(0)
  })

  test.skipIf(!packages)('dpkg installs the package, which is files only, and upgrade leaves it to dpkg', async () => {
    const deb = `cloudtoken-${pkg.version}-x64.deb`
    copyFileSync(join(latest, deb), join(place, 'tmp', deb))
    const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }
    const installed = await inside(
      place,
      0,
      env,
      `dpkg -i /tmp/${deb} >/dev/null && cloudtoken --version && ls /var/lib/dpkg/info/cloudtoken.*`,
    )
    const scripts = ['list', 'md5sums'].map(name => `/var/lib/dpkg/info/cloudtoken.${name}\n`)
    expect(installed.stdout).toBe(`cloudtoken ${pkg.version}\n${scripts.join('')}`)
    // No capabilities: what needs root asks for it.
    const program = join(place, 'usr/bin/cloudtoken')
    expect(statSync(program).mode & 0o7777).toBe(0o755)
    const attributes = 'import os,sys; print(os.listxattr(sys.argv[1]))'
    expect(spawnSync('python3', ['-c', attributes, program], { encoding: 'utf8' }).stdout).toBe('[]\n')
    expect(readFileSync(join(place, 'usr/lib/systemd/user/cloudtoken.service'), 'utf8')).toBe(packagedUnit)
    const gone = await inside(
      place,
      0,
      env,
      'cloudtoken upgrade; dpkg -r cloudtoken >/dev/null; ls /usr/bin/cloudtoken',
    )
    expect(gone.stderr).toContain('/usr/bin/cloudtoken was installed by dpkg')
    expect(gone.code).not.toBe(0)
  })
})

test.skipIf(!packages || !rpm)('rpm and apk are files only, too', () => {
  const read = (command: string, ...args: string[]): string => spawnSync(command, args, { encoding: 'utf8' }).stdout
  const about = (kind: string): string => join(latest, `cloudtoken-${pkg.version}-x64.${kind}`)
  // With --filecaps each file is named, and its capabilities behind it.
  const said = read('rpm', '-qp', '--scripts', '--triggers', '--filecaps', about('rpm')).trim().split('\n')
  expect(said.filter(line => !/^\/\S+\s*$/.test(line))).toEqual([])
  expect(read('rpm', '-qp', '--list', about('rpm'))).toContain('/usr/lib/systemd/user/cloudtoken.service\n')
  const packed = read('tar', '--ignore-zeros', '-tzf', about('apk')).trim().split('\n')
  expect(packed).toContain('usr/bin/cloudtoken')
  expect(packed.filter(name => name.startsWith('.'))).toEqual(['.PKGINFO'])
})

describe.skipIf(!isRoot || !here.musl || process.arch !== 'x64')('on a system with musl and busybox', () => {
  const place = join(folder, 'musl')

  beforeAll(async () => {
    for (const name of ['bin', 'lib', 'usr/lib', 'tmp', 'root', 'proc', 'dev', 'etc']) {
      mkdirSync(join(place, name), { recursive: true })
    }
    cpSync(realpathSync('/lib/ld-musl-x86_64.so.1'), join(place, 'lib/ld-musl-x86_64.so.1'))
    symlinkSync('ld-musl-x86_64.so.1', join(place, 'lib/libc.musl-x86_64.so.1'))
    cpSync('/bin/busybox', join(place, 'bin/busybox'))
    spawnSync('chroot', [place, '/bin/busybox', '--install', '-s', '/bin'])
    await libraries(place)
    write(place, '/tmp/password', `${password}\n`, 0)
  }, 120_000)

  test('it is installed by busybox, and signs in', async () => {
    const { env: plain, signIn } = story('/root')
    const env = { ...plain, PATH: '/bin' }
    const installed = await inside(place, 0, env, install('wget'))
    expect([installed.code, installed.stderr]).toEqual([
      0,
      expect.stringContaining(`installed cloudtoken ${pkg.version}`),
    ])
    const words = signIn.map(word => `'${word}'`).join(' ')
    const signed = await inside(
      place,
      0,
      env,
      `~/.local/bin/cloudtoken ${words} --role developer && cat ~/.aws/credentials`,
    )
    expect([signed.code, signed.stdout]).toEqual([0, expect.stringMatching(/aws_access_key_id *= *ASIA/)])
    const upgrade = await inside(
      place,
      0,
      env,
      `~/.local/bin/cloudtoken upgrade --base-url ${server.origin}/releases --key ${publicKey}`,
    )
    // It has found the build for musl in the signed list.
    expect([upgrade.code, upgrade.stdout]).toEqual([0, `cloudtoken ${pkg.version} is as new as the release there\n`])
    const gone = await inside(place, 0, env, install('wget --uninstall --purge'))
    expect([gone.code, everything(join(place, 'root'))]).toEqual([0, []])
  })

  test('the steps of the Dockerfile make an image that signs in', async () => {
    const lines = readFileSync(join(latest, 'Dockerfile'), 'utf8').replaceAll('\\\n', '').split('\n')
    const [copied] = lines.filter(line => line.startsWith('COPY SHA256SUMS'))
    expect(copied).toBe('COPY SHA256SUMS cloudtoken-*-linux-*-musl.gz ./')
    const release = join(place, 'release')
    mkdirSync(release)
    const files = readdirSync(latest).filter(name => /^(SHA256SUMS|cloudtoken-.*-linux-.*-musl\.gz)$/.test(name))
    for (const name of files) copyFileSync(join(latest, name), join(release, name))
    mkdirSync(join(place, 'etc/ssl/certs'), { recursive: true })
    cpSync('/etc/ssl/certs/ca-certificates.crt', join(place, 'etc/ssl/certs/ca-certificates.crt'), {
      dereference: true,
    })

    let folder = '/'
    for (const line of lines.slice(0, lines.indexOf('FROM scratch'))) {
      const [word, ...rest] = line.split(' ')
      if (word === 'WORKDIR') mkdirSync(join(place, (folder = rest.join(' '))), { recursive: true })
      // There is no Alpine here to take packages from.
      if (word !== 'RUN' || rest[0] === 'apk') continue
      const script = `cd ${folder} && ${rest.join(' ')}`
      const env = { PATH: '/bin', TARGETARCH: 'amd64', SCRIPT: script }
      const { code, stderr } = await inside(place, 0, env, 'exec /bin/ash -euo pipefail -c "$SCRIPT"')
      expect([code, stderr]).toEqual([0, ''])
    }
    const image = join(place, 'image')
    expect(everything(image).filter(file => !/^(lib|usr)\//.test(file))).toEqual(
      ['cloudtoken', 'etc', 'etc/group', 'etc/passwd', 'etc/ssl', 'etc/ssl/certs', 'etc/ssl/certs/ca-certificates.crt']
        .concat(['home', 'home/cloudtoken', 'lib', 'tmp', 'usr'])
        .toSorted(),
    )
    // What stands in for Alpine's library needs more than that one does.
    cpSync(join(place, 'usr/lib'), join(image, 'usr/lib'), { recursive: true })
    // As `docker run --user 1234` has it.
    write(image, '/tmp/password', `${password}\n`, 1234)
    for (const name of ['proc', 'dev']) mkdirSync(join(image, name))
    const { env, signIn } = story('/home/cloudtoken')
    const mounts = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec "$@"'
    const enter = ['-m', 'sh', '-c', mounts, image, 'chroot', '--userspec=1234:1234', image, '/cloudtoken']
    const signed = await run('unshare', [...enter, ...signIn, '--role', 'developer'], env)
    expect([signed.code, signed.stdout]).toEqual([0, expect.stringContaining(`Using role ${role}`)])
    expect(readFileSync(join(image, 'home/cloudtoken/.aws/credentials'), 'utf8')).toContain('ASIA')
    const upgrade = await run('unshare', [...enter, 'upgrade'], env)
    expect([upgrade.code, upgrade.stderr]).toEqual([20, expect.stringContaining('installed by the container image')])
  })
})

/**
 * Debian has no libstdc++ for musl; wheels for such systems carry one. The newest that musl 1.2.3 can load lacks two
 * functions that end the program, so they are made here.
 */
async function libraries(place: string): Promise<void> {
  const wheel = join(folder, 'wheel')
  const args = ['download', '-q', '--no-deps', '--only-binary=:all:', '--python-version', '3.11', '-d', wheel]
  const pip = await shell(python('pip') ?? 'pip', [...args, '--platform', 'musllinux_1_1_x86_64', 'contourpy==1.1.1'], {
    quiet: true,
  })
  if (pip.code !== 0) throw new Error(pip.output)
  const [file = ''] = readdirSync(wheel)
  spawnSync('python3', ['-m', 'zipfile', '-e', join(wheel, file), wheel])
  const libs = join(place, 'usr/lib')
  cpSync(join(wheel, 'contourpy.libs'), libs, { recursive: true })
  const real = readdirSync(libs).find(name => name.startsWith('libstdc++')) ?? ''
  symlinkSync(readdirSync(libs).find(name => name.startsWith('libgcc_s')) ?? '', join(libs, 'libgcc_s.so.1'))
  const names = ['_ZSt28__throw_bad_array_new_lengthv', '_ZSt21__glibcxx_assert_failPKciS0_S0_']
  const source = join(folder, 'shim.c')
  writeFileSync(source, names.map(name => `void ${name}(void){__builtin_trap();}\n`).join(''))
  const out = join(libs, 'libstdc++.so.6')
  const linked = ['-shared', '-nostdlib', '-fPIC', '-Wl,--no-as-needed', '-o', out, source, join(libs, real)]
  expect(spawnSync('cc', linked, { encoding: 'utf8' }).stderr).toBe('')
}

test.skipIf(!here.arm64)(
  'on an arm64 processor it signs in',
  async () => {
    const program = join(folder, 'cloudtoken-arm64')
    writeFileSync(program, gunzipSync(readFileSync(join(latest, `cloudtoken-${pkg.version}-linux-arm64.gz`))))
    chmodSync(program, 0o755)
    const home = mkdtempSync(join(folder, 'home-'))
    const { env, signIn } = story(home)
    writeFileSync(join(home, 'password'), `${password}\n`, { mode: 0o600 })
    const words = signIn.map(word => (word === '/tmp/password' ? join(home, 'password') : word))
    const emulated = ['-L', '/usr/aarch64-linux-gnu', program]
    const { code, stdout } = await run('qemu-aarch64-static', [...emulated, ...words, '--role', 'developer'], env)
    expect([code, stdout]).toEqual([0, expect.stringContaining(`Using role ${role}`)])
    expect(readFileSync(join(home, '.aws/credentials'), 'utf8')).toContain('ASIA')
  },
  120_000,
)

test.skipIf(!wine || process.arch !== 'x64')(
  'the Windows program signs in under wine',
  async () => {
    const place = join(folder, 'windows')
    mkdirSync(place)
    const archive = join(latest, `cloudtoken-${pkg.version}-windows-x64.zip`)
    expect(spawnSync('python3', ['-m', 'zipfile', '-e', archive, place]).status).toBe(0)
    // Wine 8 has this library not yet; it has the one function that is asked of it, under another name.
    const source = join(place, 'bcryptprimitives.c')
    writeFileSync(
      source,
      `__declspec(dllimport) unsigned char __stdcall SystemFunction036(void *, unsigned long);
      __declspec(dllexport) int __stdcall ProcessPrng(unsigned char *bytes, unsigned long long count)
      { return SystemFunction036(bytes, (unsigned long)count); }`,
    )
    const library = ['-shared', '-o', join(place, 'bcryptprimitives.dll'), source, '-ladvapi32']
    expect(spawnSync('x86_64-w64-mingw32-gcc', library, { encoding: 'utf8' }).stderr).toBe('')

    const { env: plain, signIn } = story(place)
    const env = { ...plain, WINEPREFIX: join(place, 'wine'), WINEDEBUG: '-all' }
    const inWine = (...args: string[]): Promise<Ran> => run('/usr/lib/wine/wine64', args, env)
    try {
      // Bun asks for Windows 10; wine says it is 7 unless told otherwise.
      await inWine('reg', 'add', String.raw`HKCU\Software\Wine`, '/v', 'Version', '/d', 'win10', '/f')
      const program = join(place, 'cloudtoken.exe')
      expect((await inWine(program, '--version')).stdout.trim()).toBe(`cloudtoken ${pkg.version}`)
      writeFileSync(join(place, 'password'), `${password}\n`)
      const words = signIn.map(word => (word === '/tmp/password' ? `Z:${join(place, 'password')}` : word))
      const { code, stdout } = await inWine(program, ...words, '--role', 'developer')
      expect([code, stdout]).toEqual([0, expect.stringContaining(`Using role ${role}`)])
      const users = join(place, 'wine', 'drive_c', 'users')
      const user = join(users, readdirSync(users).find(name => name !== 'Public') ?? '')
      for (const file of ['.aws/credentials', 'AppData/Roaming/cloudtoken/tokens.json']) {
        expect(readFileSync(join(user, file), 'utf8')).toContain('ASIA')
      }
    } finally {
      spawnSync('/usr/lib/wine/wineserver', ['-k'], { env })
    }
  },
  120_000,
)

test('the source of this test is where the release was made from', () => {
  expect(readFileSync(join(root, 'install.sh'), 'utf8')).toBe(readFileSync(join(latest, 'install.sh'), 'utf8'))
})
