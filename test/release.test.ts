/**
 * The parts of a release that need no compiler. The whole of it is in test/real/release.test.ts.
 */
import { Buffer } from 'node:buffer'
import { afterAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import pkg from '../package.json' with { type: 'json' }
import { checkSignature, signAdHoc } from '../scripts/macho.ts'
import { manualPage } from '../scripts/manual.ts'
import { tar, zip } from '../scripts/release-files.ts'
import { readKey, signatureOf } from '../scripts/release-sign.ts'
import { billOfMaterials, lockedPackages, provenance } from '../scripts/release-statements.ts'
import { which } from '../scripts/tools.ts'
import { commands } from '../src/commands.ts'
import { managerOf } from '../src/installed-by.ts'
import { coreOptions } from '../src/options.ts'
import { compareVersions, targetOf } from '../src/release.ts'
import { verifySignature } from '../src/signature.ts'

const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-release-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('a macOS program', () => {
  /** Header, three load commands, some pages, and a signature that is too long and does not fit. */
  function program(pages: number): Buffer {
    const limit = pages * 4096 - 1600
    const bytes = Buffer.alloc(limit + 5000, 'code')
    bytes.fill(0, 0, 4096)
    for (const [index, word] of [0xfeedfacf, 0x01000007, 3, 2, 3, 160].entries()) bytes.writeUInt32LE(word, index * 4)
    const segment = (at: number, name: string, offset: number, size: number): void => {
      bytes.writeUInt32LE(0x19, at)
      bytes.writeUInt32LE(72, at + 4)
      bytes.write(name, at + 8)
      bytes.writeBigUInt64LE(BigInt(offset), at + 40)
      bytes.writeBigUInt64LE(BigInt(size), at + 48)
    }
    segment(32, '__TEXT', 0, 8192)
    segment(104, '__LINKEDIT', 8192, limit + 5000 - 8192)
    for (const [index, word] of [0x1d, 16, limit, 5000].entries()) bytes.writeUInt32LE(word, 176 + index * 4)
    return bytes
  }

  test('signed ad hoc has the hashes of its pages, the short last one too', () => {
    const signed = signAdHoc(program(7), 'cloudtoken')
    expect(checkSignature(signed)).toEqual({ pages: 7, bad: [], adHoc: true })
    expect(signed.length).toBe(7 * 4096 - 1600 + 20 + 88 + 11 + 7 * 32)
    // The segment ends where the file does.
    expect(signed.readBigUInt64LE(104 + 48)).toBe(BigInt(signed.length - 8192))
    expect(signed.includes('cloudtoken\0')).toBe(true)
    expect(signAdHoc(signed, 'cloudtoken').equals(signed)).toBe(true)
  })

  test('with a changed byte has a bad page', () => {
    for (const [at, page] of [
      [200, 0],
      [4096 * 3, 3],
      [4096 * 7 - 1601, 6],
    ] as const) {
      const signed = signAdHoc(program(7), 'cloudtoken')
      signed.writeUInt8(signed.readUInt8(at) ^ 1, at)
      expect(checkSignature(signed).bad).toEqual([page])
    }
  })

  test('with bytes that no hash covers is not good', () => {
    const signed = signAdHoc(program(3), 'cloudtoken')
    // The limit of the code directory, one page too early, and one page less.
    const directory = 3 * 4096 - 1600 + 20
    signed.writeUInt32BE(2, directory + 28)
    signed.writeUInt32BE(8192, directory + 32)
    expect(checkSignature(signed).bad).toEqual([2])
  })

  test('is not anything else', () => {
    expect(() => checkSignature(Buffer.alloc(64))).toThrow('not a 64-bit Mach-O file')
  })
})

describe('the manual page', () => {
  const page = manualPage('1.2.3', '2026-01-02')

  test('has every command and every option', () => {
    const text = page.replaceAll(String.raw`\-`, '-')
    for (const name of Object.keys(coreOptions)) expect(text).toContain(`--${name}`)
    for (const { name } of commands) expect(text).toContain(`.B ${name}`)
    expect(text).toStartWith('.TH CLOUDTOKEN 1 "2026-01-02" "cloudtoken 1.2.3"')
  })

  test.skipIf(which('man') === undefined)('is one that man can show', () => {
    const file = join(folder, 'cloudtoken.1')
    writeFileSync(file, page)
    const { stdout, stderr } = spawnSync('man', ['--warnings', '-l', file], {
      encoding: 'utf8',
      env: { ...process.env, MANWIDTH: '100', LC_ALL: 'C.UTF-8' },
    })
    expect(stderr).toBe('')
    expect(stdout).toContain('--session-duration SECONDS')
  })
})

describe('what it says about itself', () => {
  const origin = { version: '1.2.3', commit: 'c'.repeat(40), date: '2026-01-02T03:04:05Z', bun: '1.4.5' }

  test('names every package that is in the program, and none that only builds it', () => {
    const bill = JSON.parse(billOfMaterials(origin)) as {
      components: { name: string; hashes?: [{ content: string }] }[]
    }
    const names = bill.components.map(component => component.name)
    expect(names).toEqual(expect.arrayContaining([...Object.keys(pkg.dependencies), 'tldts', 'bun']))
    for (const name of Object.keys(pkg.devDependencies)) expect(names).not.toContain(name)
    for (const { name, hashes } of bill.components) {
      if (name !== 'bun') expect(hashes?.[0].content).toMatch(/^[0-9a-f]{128}$/)
    }
    expect(billOfMaterials(origin)).toBe(billOfMaterials(origin))
  })

  test('takes the version that a package has to itself', () => {
    const lock = `{ "packages": {
      "a": ["a@1.0.0", "", { "dependencies": { "b": "^2.0.0", "@s/c": "1" } }, "sha512-aaaa"],
      "a/b": ["b@2.0.0", "", { "dependencies": { "@s/c": "1" } }, "sha512-bbbb"],
      "b": ["b@1.0.0", "", {}, "sha512-cccc"],
      "@s/c": ["@s/c@1.0.0", "", {}, "sha512-dddd"],
      "@s/c/b": ["b@3.0.0", "", {}, "sha512-dddd"],
    }, }`
    const found = [...lockedPackages(lock, ['a'])].map(([place, { version }]) => `${place} ${version}`)
    expect(found).toEqual(['a 1.0.0', 'a/b 2.0.0', '@s/c 1.0.0'])
  })

  test('says which commit and which files', () => {
    const statement: unknown = JSON.parse(provenance(origin, new Map([['file', 'ab']])))
    expect(statement).toMatchObject({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name: 'file', digest: { sha256: 'ab' } }],
      predicateType: 'https://slsa.dev/provenance/v1',
    })
    expect(JSON.stringify(statement)).toContain(origin.commit)
  })
})

test.skipIf(which('python3') === undefined)('the zip archive is one that others unpack', () => {
  const bytes = Buffer.from('program '.repeat(1000))
  const file = join(folder, 'a.zip')
  writeFileSync(file, zip('cloudtoken.exe', bytes))
  expect(readFileSync(file).equals(zip('cloudtoken.exe', bytes))).toBe(true)
  const code = `import zipfile,sys; z=zipfile.ZipFile(sys.argv[1]); assert z.testzip() is None; print(z.namelist(), z.infolist()[0].date_time); sys.stdout.flush(); sys.stdout.buffer.write(z.read('cloudtoken.exe'))`
  const { stdout, stderr } = spawnSync('python3', ['-c', code, file], { encoding: 'utf8' })
  expect([stderr, stdout]).toEqual(['', `['cloudtoken.exe'] (1980, 1, 1, 0, 0, 0)\n${bytes.toString()}`])
})

test.skipIf(which('python3') === undefined)('so is the tar archive', () => {
  const files = { one: 'x'.repeat(512), 'devcontainer-feature.json': '{}', empty: '' }
  const file = join(folder, 'a.tar')
  writeFileSync(file, tar(files))
  const code = `import json,tarfile,sys; t=tarfile.open(sys.argv[1]); print(json.dumps({m.name: t.extractfile(m).read().decode() for m in t})); print([m.mode for m in t])`
  const { stdout, stderr } = spawnSync('python3', ['-c', code, file], { encoding: 'utf8' })
  const [texts = '', modes] = stdout.trim().split('\n')
  expect([stderr, JSON.parse(texts), modes]).toEqual(['', files, '[493, 493, 493]'])
})

test('a secret key of minisign signs; a locked one is refused', () => {
  // minisign -G -W
  const text = [
    'untrusted comment: minisign encrypted secret key',
    'RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAnWDDKfatOpAtPE4twqQPOKqbkj7ZIKCoKp96ViwKr8EOR1mN8Bpc0gjcJdCuY0HLYxeRTlogJDj3fyVxi8P6L4W3GR2yhqisAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=',
  ].join('\n')
  const key = readKey(text)
  expect(key.publicKey).toBe('RWSdYMMp9q06kAjcJdCuY0HLYxeRTlogJDj3fyVxi8P6L4W3GR2yhqis')
  const message = Buffer.from('sums')
  expect(verifySignature(message, signatureOf(message, key, 'x'), key.publicKey)).toBe('x')
  const locked = Buffer.from(text.split('\n')[1] ?? '', 'base64')
  locked.write('Sc', 2)
  expect(() => readKey(locked.toString('base64'))).toThrow('locked with a password')
  expect(() => readKey('RWQA')).toThrow('no key of minisign')
})

test('versions are compared as numbers', () => {
  const ordered = ['0.9.9', '0.10.0-rc.2', '0.10.0-rc.10', '0.10.0', '1.0.0']
  for (const [index, version] of ordered.entries()) {
    for (const [other, name] of ordered.entries()) {
      expect(Math.sign(compareVersions(version, name))).toBe(Math.sign(index - other))
    }
  }
})

test('targets have the names of the builds', () => {
  expect(targetOf({ platform: 'linux', arch: 'arm64', musl: true })).toBe('linux-arm64-musl')
  expect(targetOf({ platform: 'win32', arch: 'x64', musl: false })).toBe('windows-x64')
})

describe('who installed a program', () => {
  const nobody = async (): Promise<{ code: number; stdout: string; stderr: string }> => ({
    code: 1,
    stdout: '',
    stderr: '',
  })

  test.each([
    ['/opt/homebrew/bin/cloudtoken', 'brew upgrade cloudtoken'],
    ['/home/linuxbrew/.linuxbrew/Cellar/cloudtoken/1/bin/cloudtoken', 'brew upgrade cloudtoken'],
    ['/nix/store/abc-cloudtoken/bin/cloudtoken', 'nix profile upgrade cloudtoken'],
    [String.raw`C:\Users\me\scoop\apps\cloudtoken\current\cloudtoken.exe`, 'scoop update cloudtoken'],
    ['/usr/local/Cellar/cloudtoken/1.0.0/bin/cloudtoken', 'brew upgrade cloudtoken'],
    [
      String.raw`C:\Users\me\AppData\Local\Microsoft\WinGet\Packages\Cloudtoken.Cloudtoken_Microsoft.Winget.Source_8wekyb3d8bbwe\cloudtoken.exe`,
      'winget upgrade cloudtoken',
    ],
    ['/cloudtoken', 'docker pull the new image, or build it from the new release'],
    ['/home/me/.local/bin/cloudtoken', undefined],
    ['/usr/local/bin/cloudtoken', undefined],
    [String.raw`C:\Users\me\AppData\Local\Programs\cloudtoken\cloudtoken.exe`, undefined],
  ])('%s', async (program, upgrade) => {
    expect((await managerOf(program, nobody))?.upgrade).toBe(upgrade)
  })

  test.each([
    ['dpkg', 'dpkg-query -S /usr/bin/cloudtoken', 'apt-get install cloudtoken'],
    ['rpm', 'rpm -qf /usr/bin/cloudtoken', 'dnf upgrade cloudtoken'],
    ['apk', 'apk info -q --who-owns /usr/bin/cloudtoken', 'apk upgrade cloudtoken'],
    ['pacman', 'pacman -Qqo /usr/bin/cloudtoken', 'pacman -Syu cloudtoken'],
  ])('%s is asked, and knows its files', async (name, question, upgrade) => {
    const asked: string[] = []
    const manager = await managerOf('/usr/bin/cloudtoken', async (command, args, options) => {
      asked.push([command, ...args].join(' '))
      // rpm begins a database in HOME where it has none.
      expect(options?.env?.['HOME']).toBe('/dev/null')
      return { code: asked.at(-1) === question ? 0 : 127, stdout: '', stderr: '' }
    })
    expect([manager, asked.at(-1)]).toEqual([{ name, upgrade }, question])
  })
})
