import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { variableOf } from '../src/config.ts'
import { checkPrivate, readText, writeFile } from '../src/files.ts'
import { findPaths } from '../src/paths.ts'
import { withLock } from '../src/lock.ts'
import { createLog, keepSecret } from '../src/log.ts'
import { notifyCommand } from '../src/notify.ts'
import type { Option } from '../src/option.ts'
import { coreOptions } from '../src/options.ts'
import { modified, quickAnswer, quickFile } from '../src/quick.ts'
import { folderStore } from '../src/store.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloudtoken-files-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('findPaths: XDG, a chosen folder, Windows', () => {
  expect(findPaths({ HOME: '/h' }, undefined, 'linux')).toEqual({
    home: '/h',
    config: '/h/.config/cloudtoken',
    state: '/h/.local/state/cloudtoken',
  })
  expect(findPaths({ HOME: '/h', XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: '/s' }, undefined, 'linux')).toMatchObject({
    config: '/c/cloudtoken',
    state: '/s/cloudtoken',
  })
  expect(findPaths({ HOME: '/h', XDG_CONFIG_HOME: 'c', XDG_STATE_HOME: '' }, undefined, 'linux')).toMatchObject({
    config: '/h/.config/cloudtoken',
    state: '/h/.local/state/cloudtoken',
  })
  expect(findPaths({ HOME: '/h' }, '~/mine', 'linux')).toMatchObject({ config: '/h/mine', state: '/h/mine/state' })
  expect(findPaths({ USERPROFILE: '/u', APPDATA: '/a', LOCALAPPDATA: '/l' }, undefined, 'win32').config).toBe(
    '/a/cloudtoken',
  )
})

describe('writeFile', () => {
  test('is private whatever the umask, makes its folder, keeps a link, leaves no litter', () => {
    const file = join(folder, 'new/deep/file')
    writeFile(file, 'one')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'new')).mode & 0o777).toBe(0o700)
    const link = join(folder, 'link')
    symlinkSync(file, link)
    writeFile(link, 'two')
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
    expect(readText(file)).toBe('two')
    expect(readdirSync(join(folder, 'new/deep'))).toEqual(['file'])
  })
  test.skipIf(process.geteuid?.() !== 0)('root takes nobody’s file from them', () => {
    const file = join(folder, 'theirs')
    writeFileSync(file, 'one')
    chownSync(file, 4711, 4712)
    writeFile(file, 'two')
    chownSync(folder, 4711, 4712)
    writeFile(join(folder, 'new'), 'three')
    for (const name of ['theirs', 'new']) expect(statSync(join(folder, name))).toMatchObject({ uid: 4711, gid: 4712 })
  })
  test('a folder in the way is a failure that names it', () => {
    mkdirSync(join(folder, 'file'))
    expect(() => writeFile(join(folder, 'file'), 'x')).toThrow(`cannot write ${join(folder, 'file')}`)
    expect(readdirSync(folder)).toEqual(['file'])
  })
})

test('withLock lets one in at a time and is free after a failure', async () => {
  const file = join(folder, 'x')
  let inside = 0
  let most = 0
  const work = async (): Promise<void> => {
    inside += 1
    most = Math.max(most, inside)
    await Bun.sleep(5)
    inside -= 1
  }
  await Promise.all(Array.from({ length: 8 }, () => withLock(file, work)))
  expect(most).toBe(1)
  await expect(withLock(file, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  await withLock(file, work)
})

test('a lock that another took while we were stopped: the work goes on, and its result counts', async () => {
  const file = join(folder, 'shared')
  const work = async (): Promise<string> => {
    rmSync(`${file}.lock`, { recursive: true })
    mkdirSync(`${file}.lock`)
    // It is known by its time, and all of this may take less than a millisecond.
    const another = new Date(Date.now() + 2000)
    utimesSync(`${file}.lock`, another, another)
    // Longer than it takes to look after the lock again.
    await Bun.sleep(5600)
    return 'done'
  }
  expect(await withLock(file, work)).toBe('done')
  expect(readdirSync(folder)).toEqual(['shared.lock'])
}, 10_000)

test('checkPrivate', () => {
  const file = join(folder, 'secret')
  writeFileSync(file, 'x')
  chmodSync(file, 0o640)
  expect(() => checkPrivate(file, 0o077)).toThrow('can be read by other users')
  expect(() => checkPrivate(file, 0o077, 'win32')).not.toThrow()
  chmodSync(file, 0o600)
  expect(() => checkPrivate(file, 0o077)).not.toThrow()
})

test('a store keeps to its folder', () => {
  const store = folderStore(join(folder, 'me'))
  expect(store.read('cookies.json')).toBeUndefined()
  store.write('cookies.json', '{}')
  expect(store.read('cookies.json')).toBe('{}')
  expect(statSync(join(folder, 'me')).mode & 0o777).toBe(0o700)
  for (const name of ['../x', '/etc/passwd', 'a/b', '.hidden', '']) expect(() => store.read(name)).toThrow()
})

describe('the quick answer', () => {
  const env = () => ({ HOME: folder })
  const keep = (until: number, files: [string, number][] = []): void => {
    const place = quickFile(['--role', 'x'], env())
    if (place) writeFile(place.file, JSON.stringify({ key: place.key, until, files, output: 'out\n' }))
  }
  test('is given to the same words before its time, and to nobody else', () => {
    keep(1000)
    expect(quickAnswer(['--role', 'x'], env(), 999)).toBe('out\n')
    expect(quickAnswer(['--role', 'x'], env(), 1000)).toBeUndefined()
    expect(quickAnswer(['--role', 'y'], env(), 999)).toBeUndefined()
    expect(quickAnswer(['--role', 'x'], { ...env(), CLOUDTOKEN_USERNAME: 'b' }, 999)).toBeUndefined()
    expect(quickAnswer(['--role', 'x', '--config-dir', 'y'], env(), 999)).toBeUndefined()
  })
  test('its file has none of our secrets, and the same answer without them', () => {
    const secret = Object.entries<Option>(coreOptions)
      .filter(([, option]) => option.secret)
      .flatMap(([name, option]) => [name, ...(option.alias ?? [])])
    expect(secret).toContain('password')
    const place = quickFile([], env())
    for (const name of secret) {
      expect(quickFile([name.length === 1 ? `-${name}` : `--${name}`, 'hunter22'], env())).toBeUndefined()
      if (name.length > 1) expect(quickFile([], { ...env(), [variableOf(name)]: 'hunter22' })).toEqual(place)
    }
    for (const word of ['-phunter22', '-Dp', '--password=hunter22']) expect(quickFile([word], env())).toBeUndefined()
    const others = Object.keys(coreOptions).filter(name => !secret.includes(name))
    const mark = (name: string) => quickFile([], { ...env(), [variableOf(name)]: 'x' })?.key
    expect(others.filter(name => !/^(config|cloudtoken)-/.test(name) && !mark(name)?.includes('=x'))).toEqual([])
  })
  test('lies where the state lies, and never in the working folder', () => {
    for (const own of [env(), { ...env(), XDG_STATE_HOME: '/s' }, { ...env(), XDG_STATE_HOME: 'relative' }])
      expect(quickFile([], own)?.file).toStartWith(`${findPaths(own, undefined, 'linux').state}/quick/`)
  })
  test('ends when a file it depends on changes', () => {
    const file = join(folder, 'config.yaml')
    keep(1000, [[file, 0]])
    expect(quickAnswer(['--role', 'x'], env(), 1)).toBe('out\n')
    writeFileSync(file, '')
    expect(quickAnswer(['--role', 'x'], env(), 1)).toBeUndefined()
    keep(1000, [[file, modified(file)]])
    expect(quickAnswer(['--role', 'x'], env(), 1)).toBe('out\n')
  })
  test.each(['', '{', '[]', 'null', '{"key":1}', '{"until":9e99}'])('a damaged file %j is none', text => {
    keep(1000)
    writeFileSync(quickFile(['--role', 'x'], env())?.file ?? '', text)
    expect(quickAnswer(['--role', 'x'], env(), 1)).toBeUndefined()
  })
})

test('the log: error and hint, silence, and stars for secrets at every level', () => {
  let [out, err] = ['', '']
  const sinks = { stdout: (text: string) => void (out += text), stderr: (text: string) => void (err += text) }
  keepSecret('correct horse')
  const log = createLog({ debug: true, ...sinks })
  log.error('no correct horse', 'type it')
  log.warn('careful')
  log.info('well')
  log.debug('a correct horse')
  log.print('line')
  log.write('part')
  createLog({ quiet: true, ...sinks }).info('unheard')
  createLog({ quiet: true, ...sinks }).tell('approve\u001b[2J it')
  createLog({ ...sinks }).debug('unheard')
  expect(err).toBe(
    ['error: no *****', 'hint: type it', 'warning: careful', 'well', 'debug: a *****', 'approve[2J it']
      .map(line => `cloudtoken: ${line}\n`)
      .join(''),
  )
  expect(out).toBe('line\npart')
})

test('a notification is an argument list, and text is never part of a script', () => {
  const text = '"; rm -rf / #'
  expect(notifyCommand('linux', {}, 'a', text)).toBeUndefined()
  expect(notifyCommand('linux', { DISPLAY: ':0' }, 'a', text)).toEqual([
    'notify-send',
    '--app-name=cloudtoken',
    'a',
    text,
  ])
  expect(notifyCommand('darwin', {}, 'a', text)?.slice(-2)).toEqual(['a', text])
  expect(notifyCommand('win32', {}, 'a', text)?.join(' ')).not.toContain(text)
})

test('skeletons are read by those who read them', async () => {
  const { configSkeleton } = await import('../src/skeleton.ts')
  const { loadConfig } = await import('../src/config.ts')
  const file = join(folder, 'config.yaml')
  writeFileSync(file, configSkeleton())
  expect((await loadConfig(file)).stages.auth).toEqual(['idp', 'saml'])
  expect(readFileSync(file, 'utf8')).toContain('identities:')
})
