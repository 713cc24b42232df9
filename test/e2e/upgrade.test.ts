/**
 * `upgrade`: the binary replaces itself, the source says that it does not.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import pkg from '../../package.json' with { type: 'json' }
import { makeKey } from '../../scripts/release-sign.ts'
import { fakeProgram, startReleaseServer, type ReleaseServer } from '../release-server.ts'
import { runProgram, type Ran } from '../run-program.ts'

const binary = process.env['CLOUDTOKEN_BIN']
const source = join(import.meta.dirname, '../../src/main.ts')
const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-upgrade-'))
const key = makeKey()
const targets = [`${process.platform}-${process.arch}`]
let server: ReleaseServer

beforeAll(async () => {
  server = await startReleaseServer(folder, ['0.0.9', pkg.version, '99.0.0'], targets, { key })
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
})

interface Installed {
  readonly bin: string
  readonly program: string
  run(args?: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ran>
  version(): string
}

function installed(): Installed {
  const bin = mkdtempSync(join(folder, 'bin-'))
  const program = join(bin, 'cloudtoken')
  copyFileSync(binary ?? process.execPath, program)
  chmodSync(program, 0o755)
  return {
    bin,
    program,
    version: () => spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout.trim(),
    run(args = ['--base-url', server.url, '--key', key.publicKey], env = {}) {
      const words = ['upgrade', ...args]
      return runProgram(program, binary === undefined ? [source, ...words] : words, {
        env: { HOME: folder, ...env },
      })
    },
  }
}

test.skipIf(binary !== undefined)('the source is not replaced', async () => {
  const { code, stderr } = await installed().run()
  expect([code, stderr]).toEqual([20, expect.stringContaining('hint: git pull')])
})

describe.skipIf(binary === undefined)('the binary', () => {
  const mine = `cloudtoken ${pkg.version}`

  test('becomes the latest release, while it runs', async () => {
    const { run, version, bin } = installed()
    const checked = await run(['--check', '--base-url', server.url, '--key', key.publicKey])
    expect([checked.code, checked.stdout, version()]).toEqual([
      0,
      expect.stringContaining(`cloudtoken 99.0.0 is there; this is ${pkg.version}, in ${bin}`),
      mine,
    ])
    const asJson = await run(['--check', '--json', '--base-url', server.url, '--key', key.publicKey])
    expect(JSON.parse(asJson.stdout)).toMatchObject({ version: pkg.version, release: '99.0.0', newer: true })
    const { code, stdout, stderr } = await run()
    expect([code, stdout]).toEqual([0, expect.stringContaining('Now cloudtoken 99.0.0.\n')])
    expect(stderr).toContain('downloading cloudtoken-99.0.0-')
    expect(version()).toBe('cloudtoken 99.0.0')
    expect(spawnSync('ls', ['-A', bin], { encoding: 'utf8' }).stdout).toBe('cloudtoken\n')
  })

  test('goes back only when it is told to', async () => {
    const other = await startReleaseServer(mkdtempSync(join(folder, 'old-')), ['0.0.9'], targets, { key })
    const { run, version } = installed()
    const args = ['--base-url', other.url, '--key', key.publicKey]
    const stayed = await run(args)
    expect([stayed.code, stayed.stdout, version()]).toEqual([0, `${mine} is as new as the release there\n`, mine])
    const went = await run([...args, '--to', 'v0.0.9']).finally(other.stop)
    expect([went.code, version()]).toEqual([0, 'cloudtoken 0.0.9'])
  })

  test('says when it is the latest', async () => {
    const { run } = installed()
    const { code, stdout } = await run(['--to', pkg.version, '--base-url', server.url, '--key', key.publicKey])
    expect([code, stdout]).toEqual([0, `${mine} is as new as the release there\n`])
  })

  /** One program for all of these: each leaves it as it was. */
  describe('stays when', () => {
    let here: Installed
    beforeAll(() => {
      here = installed()
    })

    async function refused(args?: readonly string[], env?: Readonly<Record<string, string>>): Promise<unknown[]> {
      const { code, stderr } = await here.run(args, env)
      expect(here.version()).toBe(mine)
      return [code, stderr]
    }

    /** Changes a file of the release for one attempt. */
    async function tampered(file: string, change: (text: string) => string | undefined): Promise<unknown[]> {
      const path = join(server.folder('99.0.0'), file)
      const before = readFileSync(path)
      const after = change(before.toString('latin1'))
      if (after === undefined) rmSync(path)
      else writeFileSync(path, after, 'latin1')
      return refused().finally(() => writeFileSync(path, before))
    }

    test('it was tampered with', async () => {
      const build = `cloudtoken-99.0.0-${targets[0]}.zst`
      expect(await tampered(build, text => `${text}x`)).toEqual([10, expect.stringContaining('the checksum of')])
      expect(await tampered('SHA256SUMS', text => text.replace(/^./, '0'))).toEqual([
        10,
        expect.stringContaining('the signature of the release does not fit; nothing was changed'),
      ])
      expect(await tampered('SHA256SUMS.minisig', () => undefined)).toEqual([
        30,
        expect.stringContaining('answered 404'),
      ])
      expect(await tampered('SHA256SUMS', () => undefined)).toEqual([30, expect.stringContaining('answered 404')])
    })

    test('another key signed it, or nobody knows whose', async () => {
      const other = makeKey().publicKey
      expect(await refused(['--base-url', server.url, '--key', other])).toEqual([
        10,
        expect.stringContaining('is by another key'),
      ])
      expect(await refused(['--base-url', server.url])).toEqual([20, expect.stringContaining('upgrade --key')])
      expect(await refused([])).toEqual([20, expect.stringContaining('there is no published release yet')])
    })

    test('a release is passed off as a newer one', async () => {
      const other = await startReleaseServer(mkdtempSync(join(folder, 'lie-')), ['99.0.0'], targets, {
        key,
        program: () => fakeProgram('1.0.0'),
      })
      const answer = await refused(['--base-url', other.url, '--key', key.publicKey]).finally(other.stop)
      expect(answer).toEqual([1, expect.stringContaining('does not run here')])
      expect(existsSync(here.program)).toBe(true)
    })

    test('the download is cut, or there is no server', async () => {
      server.cut = /\.zst$/
      const [code] = await refused().finally(() => (server.cut = undefined))
      expect(code).toBe(30)
      const nobody = await refused(['--base-url', 'http://127.0.0.1:9', '--key', key.publicKey])
      expect(nobody[0]).toBe(30)
      const plain = await refused(['--base-url', 'http://releases.example', '--key', key.publicKey])
      expect(plain).toEqual([2, expect.stringContaining('is not an https address')])
    })

    test('a package manager owns it', async () => {
      const path = mkdtempSync(join(folder, 'manager-'))
      writeFileSync(join(path, 'dpkg-query'), `#!/bin/sh\n[ "$2" = "${here.program}" ]\n`, { mode: 0o755 })
      const answer = await refused(undefined, { PATH: `${path}:${process.env['PATH']}` })
      expect(answer).toEqual([
        20,
        `cloudtoken: error: ${here.program} was installed by dpkg\ncloudtoken: hint: apt-get install cloudtoken\n`,
      ])
      const cellar = join(folder, 'Cellar', 'cloudtoken', 'bin')
      mkdirSync(cellar, { recursive: true })
      const brewed = join(cellar, 'cloudtoken')
      copyFileSync(here.program, brewed)
      const { stderr } = spawnSync(brewed, ['upgrade'], { encoding: 'utf8', env: { PATH: '', HOME: folder } })
      expect(stderr).toContain('hint: brew upgrade cloudtoken')
    })
  })
})
