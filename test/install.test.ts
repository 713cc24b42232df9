/**
 * install.sh under every shell that is here, against a real server; the program it installs is a script.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import pkg from '../package.json' with { type: 'json' }
import { sha256 } from '../scripts/release-files.ts'
import { makeKey } from '../scripts/release-sign.ts'
import { root, which } from '../scripts/tools.ts'
import { runProgram, type Ran } from './run-program.ts'
import { fakeProgram, startReleaseServer, type ReleaseServer } from './release-server.ts'

const script = join(root, 'install.sh')
const here = `${process.platform}-${process.arch}`
const targets = [...new Set([here, 'linux-x64', 'linux-x64-musl', 'linux-arm64', 'darwin-x64', 'darwin-arm64'])]
const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-install-'))
let server: ReleaseServer
beforeAll(async () => {
  server = await startReleaseServer(folder, ['0.9.0', '1.0.0'], targets)
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

interface Options {
  readonly shell?: readonly string[]
  readonly home?: string
  readonly env?: Readonly<Record<string, string>>
  /** Another text of the script. */
  readonly text?: string
}

async function install(
  args: readonly string[],
  { shell = ['sh'], home = fresh(), env = {}, text }: Options = {},
): Promise<Ran & { readonly home: string }> {
  const [program = 'sh', ...words] = shell
  const file = text === undefined ? script : join(home, '../keyed.sh')
  if (text !== undefined) writeFileSync(file, text)
  const ran = await runProgram(program, [...words, file, '--base-url', server.url, ...args], {
    env: { HOME: home, SHELL: '/bin/bash', ...env },
  })
  return { ...ran, home }
}

function fresh(): string {
  return mkdtempSync(join(folder, 'home-'))
}

/** Every file below, by path. */
function filesIn(home: string): string[] {
  return readdirSync(home, { recursive: true, withFileTypes: true })
    .filter(entry => !entry.isDirectory())
    .map(entry => join(entry.parentPath, entry.name).slice(home.length + 1))
    .toSorted()
}

const versionOf = (program: string): string => spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout.trim()

/** A folder with nothing but links to these programs. */
function tools(names: readonly string[]): string {
  const bin = mkdtempSync(join(folder, 'bin-'))
  for (const name of names) symlinkSync(which(name) ?? `/usr/bin/${name}`, join(bin, name))
  return bin
}

function fake(bin: string, name: string, text: string): void {
  rmSync(join(bin, name), { force: true })
  writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
}

const basics = [
  'sh',
  'cat',
  'chmod',
  'cp',
  'curl',
  'gzip',
  'mkdir',
  'mktemp',
  'mv',
  'rm',
  'rmdir',
  'sha256sum',
  'uname',
]
/** Without the powers of root, where we have them. */
const plainly = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : []
const mounts = process.getuid?.() === 0 && process.platform === 'linux' && which('unshare') !== undefined

const shells = ['dash', 'bash', 'bash --posix', 'busybox sh', 'zsh']

describe.each(shells)('%s', name => {
  const shell = name.split(' ')
  const absent = which(shell[0] ?? '') === undefined

  test.skipIf(absent)('installs, and removes again', async () => {
    const first = await install([], { shell })
    expect([first.code, first.stdout, first.stderr]).toEqual([
      0,
      '',
      expect.stringContaining('installed cloudtoken 1.0.0'),
    ])
    const program = join(first.home, '.local/bin/cloudtoken')
    expect(versionOf(program)).toBe('cloudtoken 1.0.0')
    expect(statSync(program).mode & 0o777).toBe(0o755)
    expect(readFileSync(join(first.home, '.local/share/bash-completion/completions/cloudtoken'), 'utf8')).toBe(
      '# completions for bash\n',
    )
    expect(first.stderr).toContain('.local/bin is not on PATH yet\ncloudtoken: hint: echo')
    expect(filesIn(first.home).filter(file => !/completion|functions/.test(file))).toEqual(['.local/bin/cloudtoken'])

    const older = await install(['--version=v0.9.0', '--no-completions'], { shell, home: first.home })
    expect([older.code, versionOf(program)]).toEqual([0, 'cloudtoken 0.9.0'])

    const gone = await install(['--uninstall'], { shell, home: first.home })
    expect([gone.code, gone.stdout, readdirSync(first.home)]).toEqual([0, '', []])
    expect((await install(['--uninstall'], { shell, home: first.home })).code).toBe(1)
  })

  test.skipIf(absent)('installs nothing of a cut download', async () => {
    server.cut = /\.(xz|zst|gz)$/
    const { code, stderr, home } = await install([], { shell }).finally(() => (server.cut = undefined))
    expect([code, filesIn(home)]).toEqual([30, []])
    expect(stderr).toMatch(/cloudtoken: error: cannot download http.*\ncloudtoken: hint: .*network/)
  })

  test.skipIf(absent)('refuses what does not have the right checksum', async () => {
    const sums = join(server.folder('1.0.0'), 'SHA256SUMS')
    const good = readFileSync(sums, 'utf8')
    writeFileSync(sums, good.replaceAll(/^[0-9a-f]{8}/gm, '00000000'))
    const home = fresh()
    mkdirSync(join(home, '.local/bin'), { recursive: true })
    writeFileSync(join(home, '.local/bin/cloudtoken'), fakeProgram('0.1.0'), { mode: 0o755 })
    const { code, stderr } = await install([], { shell, home }).finally(() => writeFileSync(sums, good))
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/error: the checksum of .* is wrong: \w{64} instead of 00000000/),
    ])
    expect(filesIn(home)).toEqual(['.local/bin/cloudtoken'])
    expect(versionOf(join(home, '.local/bin/cloudtoken'))).toBe('cloudtoken 0.1.0')
  })

  test.skipIf(absent)('says so when there is no network', async () => {
    const { code, stderr } = await install(['--base-url', 'http://127.0.0.1:9/releases'], { shell })
    expect([code, stderr]).toEqual([30, expect.stringContaining('cannot download http://127.0.0.1:9/releases/latest')])
    const plain = await install(['--base-url', 'http://releases.example/'], { shell })
    expect([plain.code, plain.stderr]).toEqual([2, expect.stringContaining('is not an https address')])
  })

  test.skipIf(absent || (plainly[0] !== undefined && which(plainly[0]) === undefined))(
    'says so when it may not write',
    async () => {
      chmodSync(folder, 0o755)
      const home = fresh()
      chmodSync(home, 0o555)
      const { code, stderr } = await install([], { shell: [...plainly, ...shell], home })
      expect([code, stderr]).toEqual([
        1,
        `cloudtoken: error: cannot create ${home}/.local/bin\ncloudtoken: hint: sh install.sh --dir DIR\n`,
      ])
    },
  )

  test.skipIf(absent || !mounts)('leaves the old program alone when the disk is full', async () => {
    const disk = mkdtempSync(join(folder, 'disk-'))
    const old = join(folder, 'old')
    writeFileSync(old, fakeProgram('0.1.0'), { mode: 0o755 })
    const big = mkdtempSync(join(folder, 'big-'))
    // Packs to nothing, unpacks to more than the disk has; the second one does not even fit packed.
    for (const text of [
      '#'.repeat(3_000_000),
      Array.from({ length: 30_000 }, (_, index) => sha256(`${index}`)).join(''),
    ]) {
      const other = await startReleaseServer(mkdtempSync(join(big, 'x-')), ['2.0.0'], [here], { program: () => text })
      const inside = `mount -t tmpfs -o size=1m none ${disk} && cp ${old} ${disk}/cloudtoken && { ${name} ${script} --base-url ${other.url} --dir ${disk}; echo "code $?"; ls -A ${disk}; ${disk}/cloudtoken --version; }`
      const { stdout, stderr } = await runProgram('unshare', ['-m', 'sh', '-c', inside], { env: { HOME: fresh() } })
      await other.stop()
      expect(stderr).toMatch(/cloudtoken: error: cannot (unpack|write) (in)?to .*\ncloudtoken: hint: df -h/)
      expect(stdout).toBe('code 1\ncloudtoken\ncloudtoken 0.1.0\n')
    }
  })

  test.skipIf(absent)('--uninstall --purge signs out and leaves nothing', async () => {
    const { home } = await install([], { shell })
    for (const file of [
      '.config/cloudtoken/config.yaml',
      '.local/state/cloudtoken/cookies',
      '.aws/credentials',
      '.keep',
    ]) {
      mkdirSync(join(home, file, '..'), { recursive: true })
      writeFileSync(join(home, file), 'x')
    }
    const { code, stderr } = await install(['--uninstall', '--purge'], { shell, home })
    expect([code, stderr, filesIn(home)]).toEqual([0, expect.stringContaining('signed out'), ['.keep']])
  })

  test.skipIf(absent)('does nothing when it was cut itself', async () => {
    const text = readFileSync(script, 'utf8')
    const [program = '', ...words] = shell
    for (const share of [0.3, 0.6, 0.9]) {
      const { stdout } = spawnSync(program, [...words, '-s', '--', '--help'], {
        input: text.slice(0, text.length * share),
        encoding: 'utf8',
      })
      expect(stdout).toBe('')
    }
    const whole = spawnSync(program, [...words, '-s', '--', '--help'], { input: text, encoding: 'utf8' })
    expect(whole.stdout).toContain('--purge')
  })
})

test('install.ps1 has the address of package.json, and the options of install.sh', () => {
  const text = readFileSync(join(root, 'install.ps1'), 'utf8')
  expect(/^\$releases = '(.*)'$/m.exec(text)?.[1]).toBe(pkg.releases.url)
  const block = /\nparam\((.*?)\n\)/s.exec(text)?.[1] ?? ''
  const parameters = [...block.matchAll(/\$(\w+)/g)].map(([, name = '']) => name)
  const options = [...readFileSync(script, 'utf8').matchAll(/^ {2}--([\w-]+)/gm)].map(([, name = '']) =>
    name.replaceAll(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase()),
  )
  // PowerShell has no folder for completions.
  expect(parameters.toSorted()).toEqual([...options.filter(name => name !== 'NoCompletions'), 'AddToPath'].toSorted())
  for (const name of parameters) expect(text).toContain(`.PARAMETER ${name}\n`)
})

test('has the address and the key of package.json', () => {
  const text = readFileSync(script, 'utf8')
  expect(/^releases='(.*)'$/m.exec(text)?.[1]).toBe(pkg.releases.url)
  expect(/^release_key='(.*)'$/m.exec(text)?.[1]).toBe(pkg.releases.key)
})

test.each([
  ['minisign', []],
  ['openssl', ['grep', 'sed', 'tail']],
] as const)('with a release key and %s, takes what that key has signed', async (verifier, others) => {
  if (which(verifier) === undefined) return
  const PATH = tools([...basics, verifier, ...others])
  const key = makeKey()
  const signed = await startReleaseServer(mkdtempSync(join(folder, 'signed-')), ['2.0.0'], [here], { key })
  const keyed = (publicKey: string): Promise<Ran> =>
    install(['--base-url', signed.url], {
      env: { PATH },
      text: readFileSync(script, 'utf8').replace("release_key=''", `release_key='${publicKey}'`),
    })
  try {
    expect((await keyed(key.publicKey)).code).toBe(0)
    const other = await keyed(makeKey().publicKey)
    expect([other.code, other.stderr]).toEqual([1, expect.stringContaining('the signature of the release is not good')])
    rmSync(join(signed.folder('2.0.0'), 'SHA256SUMS.minisig'))
    expect((await keyed(key.publicKey)).code).toBe(30)
  } finally {
    await signed.stop()
  }
})

test('with a release key and nothing that could verify a signature, it says so', async () => {
  const text = readFileSync(script, 'utf8').replace("release_key=''", `release_key='${makeKey().publicKey}'`)
  const { code, stderr } = await install([], { env: { PATH: tools(basics) }, text })
  expect([code, stderr]).toEqual([0, expect.stringContaining('cloudtoken: the signature is not verified: ')])
})

test('refuses to go without a checksum', async () => {
  const bin = tools(basics.filter(name => name !== 'sha256sum'))
  const { code, stderr } = await install([], { env: { PATH: bin } })
  expect([code, stderr]).toEqual([1, expect.stringContaining('hint: install one of sha256sum, shasum, openssl')])
})

test('refuses a program that is another version, or does not run', async () => {
  const { stderr, code, home } = await install(['--version', '0.9.9'])
  expect([code, stderr, filesIn(home)]).toEqual([30, expect.stringContaining('v0.9.9/SHA256SUMS'), []])
  const liar = mkdtempSync(join(folder, 'liar-'))
  const other = await startReleaseServer(liar, ['2.0.0'], [here], { program: () => fakeProgram('1.9.0') })
  const lied = await install(['--base-url', other.url]).finally(other.stop)
  expect([lied.code, lied.stderr]).toEqual([1, expect.stringContaining('it is cloudtoken 1.9.0, not cloudtoken 2.0.0')])
  writeFileSync(join(liar, 'broken'), 'exit 7')
  const broken = await install(['--binary', join(liar, 'broken')])
  expect([broken.code, broken.stderr]).toEqual([1, expect.stringContaining('does not run here (exit code')])
  for (const { home: left } of [lied, broken]) expect(filesIn(left)).toEqual([])
})

test('says so when there is no published release', async () => {
  const { code, stderr } = await install(['--base-url', ''])
  expect([code, stderr]).toEqual([1, expect.stringContaining('there is no published release to install yet')])
})

test.each([
  ['xz', 'xz'],
  ['zst', 'zstd'],
  ['gz', 'gzip'],
])('unpacks .%s', async (format, program) => {
  if (which(program) === undefined) return
  server.asked.length = 0
  const PATH = tools([...new Set([...basics, program])])
  const { code, home } = await install(['--no-completions'], { env: { PATH } })
  expect([code, server.asked.at(-1)]).toEqual([0, `/releases/download/v1.0.0/cloudtoken-1.0.0-${here}.${format}`])
  expect(versionOf(join(home, '.local/bin/cloudtoken'))).toBe('cloudtoken 1.0.0')
})

test('replaces a program that is running', async () => {
  const home = fresh()
  const program = join(home, '.local/bin/cloudtoken')
  await install(['--version', '0.9.0'], { home })
  const running = spawn(program, ['wait'])
  let said = ''
  running.stdout.setEncoding('utf8').on('data', text => (said += text))
  const ended = new Promise(resolve => running.on('close', resolve))
  expect((await install([], { home })).code).toBe(0)
  expect(versionOf(program)).toBe('cloudtoken 1.0.0')
  running.stdin.end('an answer\n')
  await ended
  expect(said).toBe('an answer from 0.9.0\n')
})

test('downloads with wget where there is no curl', async () => {
  if (which('wget') === undefined) return
  const bin = tools([...basics.filter(name => name !== 'curl'), 'wget'])
  const { code, stderr } = await install([], { env: { PATH: bin } })
  expect([code, stderr]).toEqual([0, expect.stringContaining('installed cloudtoken 1.0.0')])
  const none = await install([], { env: { PATH: tools(basics.filter(name => name !== 'curl')) } })
  expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('neither curl nor wget')])
})

describe('takes the build for', () => {
  /** The machine is what these programs say. */
  async function platformOf(says: Readonly<Record<string, string>>, extra: readonly string[] = []): Promise<string> {
    const bin = tools([...basics, ...extra])
    fake(bin, 'getconf', 'echo 64')
    fake(bin, 'ldd', "echo 'ldd (GNU libc) 2.36'")
    for (const [name, text] of Object.entries(says)) fake(bin, name, text)
    const { stderr } = await install(['--dry-run', '--no-completions'], { env: { PATH: bin } })
    return /cloudtoken-1\.0\.0-(\S+)$/m.exec(stderr)?.[1] ?? stderr
  }
  const machine = (system: string, processor: string): string =>
    `case $1 in -s) echo ${system} ;; *) echo ${processor} ;; esac`

  test.each([
    ['Linux', 'x86_64', 'linux-x64.gz'],
    ['Linux', 'aarch64', 'linux-arm64.gz'],
    ['Darwin', 'arm64', 'darwin-arm64.gz'],
    ['Darwin', 'x86_64', 'darwin-x64.gz'],
  ])('%s %s', async (system, processor, build) => {
    expect(await platformOf({ uname: machine(system, processor) })).toBe(build)
  })

  test('musl, Rosetta, and what can be unpacked', async () => {
    const linux = { uname: machine('Linux', 'x86_64') }
    expect(await platformOf({ ...linux, ldd: "echo 'musl libc (x86_64)' >&2; exit 1" })).toBe('linux-x64-musl.gz')
    expect(await platformOf({ uname: machine('Darwin', 'x86_64'), sysctl: 'echo 1' })).toBe('darwin-arm64.gz')
    expect(await platformOf(linux, ['xz', 'zstd'])).toBe('linux-x64.xz')
    expect(await platformOf(linux, ['zstd'])).toBe('linux-x64.zst')
  })

  test.each([
    ['FreeBSD', 'amd64', 'there is no build for FreeBSD'],
    ['Linux', 'riscv64', 'there is no build for linux on riscv64'],
    ['MINGW64_NT-10.0', 'x86_64', 'not for Windows'],
  ])('not %s %s', async (system, processor, reason) => {
    expect(await platformOf({ uname: machine(system, processor) })).toContain(reason)
  })

  test('not a 32-bit system', async () => {
    expect(await platformOf({ uname: machine('Linux', 'x86_64'), getconf: 'echo 32' })).toContain('32-bit')
  })
})

describe('options', () => {
  test('--dry-run says everything and does nothing', async () => {
    server.asked.length = 0
    const { code, stderr, home } = await install(['--dry-run', '--dir', '/nowhere/bin'])
    expect([code, filesIn(home)]).toEqual([0, []])
    expect(stderr).toMatch(
      /would take http.*\n.*would verify SHA-256 [0-9a-f]{64}\n.*would write \/nowhere\/bin\/cloudtoken\n/,
    )
    expect(server.asked).toEqual(['/releases/latest/download/SHA256SUMS'])
  })

  test('--binary downloads nothing', async () => {
    const binary = join(folder, 'local')
    writeFileSync(binary, fakeProgram('7.0.0'))
    server.asked.length = 0
    const { code, home } = await install(['--binary', binary, '--no-completions'])
    expect([code, server.asked, filesIn(home)]).toEqual([0, [], ['.local/bin/cloudtoken']])
  })

  test.each([[['--purge']], [['--dir']], [['--bogus']], [['--binary', '/nowhere']], [['--version', '../x']]])(
    'refuses %p',
    async args => {
      const { code, stderr } = await install(args)
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^cloudtoken: error: /)])
    },
  )

  test('in GitHub Actions the next steps find it', async () => {
    const file = join(folder, 'github-path')
    const { home } = await install(['--no-completions'], { env: { GITHUB_ACTIONS: 'true', GITHUB_PATH: file } })
    expect(readFileSync(file, 'utf8')).toBe(`${home}/.local/bin\n`)
  })

  test('on PATH nothing is said, unless another one comes first', async () => {
    const home = fresh()
    const path = `${home}/.local/bin:${process.env['PATH']}`
    const quiet = await install(['--no-completions'], { home, env: { PATH: path } })
    expect(quiet.stderr.split('\n').length).toBe(2)
    const first = mkdtempSync(join(folder, 'first-'))
    writeFileSync(join(first, 'cloudtoken'), fakeProgram('0.1.0'), { mode: 0o755 })
    const { stderr } = await install(['--no-completions'], { home, env: { PATH: `${first}:${path}` } })
    expect(stderr).toContain(`another cloudtoken comes first on PATH: ${first}/cloudtoken`)
    expect(existsSync(join(home, '.bashrc'))).toBe(false)
  })
})
