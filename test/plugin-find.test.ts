/** Where a plugin may come from. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import {
  checkName,
  checkSafe,
  findInFolder,
  findOnPath,
  listPlugins,
  rootWorksFor,
  type Found,
} from '../src/plugin-find.ts'

const isRoot = process.geteuid?.() === 0
let base: string
let folder: string
beforeEach(() => {
  base = mkdtempSync(path.join(tmpdir(), 'cloudtoken-find-'))
  folder = path.join(base, 'config', 'plugins')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
})
afterEach(() => rmSync(base, { recursive: true, force: true }))

const put = (file: string, mode = 0o700): string => {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 })
  writeFileSync(file, '#!/bin/sh\n', { mode })
  return file
}
const refusal = (found: Found): unknown => {
  try {
    checkSafe(found)
    return undefined
  } catch (error) {
    return error
  }
}
const at = (file: string): Found => ({ name: 'x', path: file, form: 'executable' })

describe('a name', () => {
  test('leads nowhere else', () => {
    for (const name of [
      '../x',
      'a/b',
      'a\\b',
      '/bin/sh',
      '',
      '.',
      '..',
      '.x',
      'a..b',
      'x y',
      '-x',
      'x\n',
      'x'.repeat(200),
    ])
      expect(() => checkName(name)).toThrow('is no name for a plugin')
    for (const name of ['x', 'export_credentials_x', 'my-own.2']) expect(() => checkName(name)).not.toThrow()
  })
})

describe('the search', () => {
  test('plugins/ before PATH, executables before modules, dashes as good as underscores', () => {
    const bin = path.join(base, 'bin')
    const places = { folder, env: { PATH: bin } }
    const onPath = put(path.join(bin, 'cloudtoken-plugin-my-own'))
    expect([findInFolder('my_own', places), findOnPath('my_own', places)?.path]).toEqual([undefined, onPath])
    const module = put(path.join(folder, 'my_own.ts'), 0o600)
    expect(findInFolder('my-own', places)).toEqual({ name: 'my-own', path: module, form: 'module' })
    const executable = put(path.join(folder, 'cloudtoken-plugin-my-own'))
    expect(findInFolder('my-own', places)?.path).toBe(executable)
    put(path.join(folder, 'cloudtoken.d.ts'))
    put(path.join(folder, 'notes.txt'))
    // Each by its own spelling, which is the first that is looked for.
    expect(listPlugins(places).map(found => [found.name, found.path])).toEqual([
      ['my_own', module],
      ['my-own', executable],
    ])
  })

  test('PATH: absolute folders, executable files', () => {
    const here = path.join(base, 'here')
    put(path.join(here, 'cloudtoken-plugin-x'))
    const relative = path.relative(process.cwd(), here)
    for (const PATH of ['', ':', '.', relative, `${relative}:`])
      expect(findOnPath('x', { folder, env: { PATH } })).toBeUndefined()
    chmodSync(path.join(here, 'cloudtoken-plugin-x'), 0o600)
    if (!isRoot) expect(findOnPath('x', { folder, env: { PATH: here } })).toBeUndefined()
    mkdirSync(path.join(here, 'cloudtoken-plugin-y'))
    expect(findOnPath('y', { folder, env: { PATH: here } })).toBeUndefined()
  })
})

describe('refused', () => {
  test('what others can write: the file, its folder, a folder above, and where a link leads', () => {
    const file = put(path.join(base, 'bin', 'cloudtoken-plugin-x'))
    expect(refusal(at(file))).toBeUndefined()
    for (const mode of [0o770, 0o702, 0o777]) {
      chmodSync(file, mode)
      expect(refusal(at(file))).toMatchObject({ kind: 'config', code: 'plugin-unsafe', hint: `chmod go-w ${file}` })
    }
    chmodSync(file, 0o755)
    chmodSync(path.dirname(file), 0o775)
    expect(refusal(at(file))).toMatchObject({ hint: `chmod go-w ${path.dirname(file)}` })
    const safe = path.join(base, 'safe')
    mkdirSync(safe, { mode: 0o700 })
    symlinkSync(file, path.join(safe, 'link'))
    expect(refusal(at(path.join(safe, 'link')))).toMatchObject({ hint: `chmod go-w ${path.dirname(file)}` })
    chmodSync(path.dirname(file), 0o755)
    expect(refusal(at(path.join(safe, 'link')))).toBeUndefined()
    chmodSync(base, 0o777)
    expect(refusal(at(file))).toMatchObject({ hint: `chmod go-w ${base}` })
  })

  test('what is not executable', () => {
    const file = put(path.join(folder, 'cloudtoken-plugin-x'), 0o600)
    expect(refusal(at(file))).toMatchObject({ hint: `chmod u+x ${file}` })
    expect(refusal({ ...at(file), form: 'module' })).toBeUndefined()
  })

  test.skipIf(!isRoot)('what belongs to somebody else', () => {
    const file = put(path.join(base, 'bin', 'cloudtoken-plugin-x'))
    chownSync(file, 12_345, 12_345)
    expect(refusal(at(file))).toMatchObject({ message: expect.stringContaining('belongs to somebody else') })
    chownSync(file, 0, 0)
    chownSync(path.dirname(file), 12_345, 12_345)
    expect(refusal(at(file))).toMatchObject({ message: expect.stringContaining('belongs to somebody else') })
  })
})

test.skipIf(!isRoot)('root works for the one who called sudo', () => {
  expect(rootWorksFor({ SUDO_UID: '1000', SUDO_GID: '100' })).toEqual({ uid: 1000, gid: 100 })
  expect(rootWorksFor({ PKEXEC_UID: '7' })).toEqual({ uid: 7, gid: 7 })
  for (const env of [{}, { SUDO_UID: '0' }, { SUDO_UID: 'x' }]) expect(rootWorksFor(env)).toBeUndefined()
})
