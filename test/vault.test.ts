import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { failure } from '../src/errors.ts'
import type { Keyring } from '../src/keyring.ts'
import { createLog } from '../src/log.ts'
import type { Ask, Secrets } from '../src/provider.ts'
import { run } from '../src/run.ts'
import { folderStore } from '../src/store.ts'
import { createVault, passwordPlace, sealedStore, type Vault } from '../src/vault.ts'
import { seal, unseal } from '../src/vault-key.ts'
import { testSettings } from './context.ts'

// scrypt takes its time, and more on a machine that is busy.
setDefaultTimeout(60_000)

const cookies = JSON.stringify({ cookies: [{ key: 'session', value: 'very-secret-cookie' }] })
let state: string
let ring: Map<string, string> | undefined
let lines: string[]
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'cloudtoken-vault-'))
  ring = undefined
  lines = []
})
afterEach(() => rmSync(state, { recursive: true, force: true }))

const keyring: Keyring = {
  read: async (service, account) => ring?.get(`${service} ${account}`),
  write: async (service, account, secret) => ring?.set(`${service} ${account}`, secret) !== undefined,
  remove: async (service, account) => ring?.delete(`${service} ${account}`) === true,
  available: async () => ring !== undefined,
}

interface Person {
  readonly ask: Ask
  readonly asked: string[]
}

function person(...answers: string[]): Person {
  const asked: string[] = []
  const secret = (message: string): Promise<string> => {
    asked.push(message)
    const answer = answers.shift()
    return answer === undefined ? Promise.reject(failure('person', 'nobody is there')) : Promise.resolve(answer)
  }
  const never = (): Promise<never> => Promise.reject(new Error('not a question of the vault'))
  return {
    asked,
    ask: { text: never, secret, choose: never, confirm: never, tell: line => void lines.push(line) },
  }
}

/** As one run of the program has them. */
function open(
  settings: Parameters<typeof testSettings>[0] = {},
  who = person(),
): { vault: Vault; secrets: Secrets; who: Person } {
  const line = (text: string): void => void lines.push(text)
  const log = createLog({ debug: true, stdout: line, stderr: line })
  const vault = createVault({
    settings: testSettings(settings),
    paths: { state },
    keyring,
    platform: process.platform,
    run,
    log,
  })
  return { vault, secrets: sealedStore(folderStore(join(state, 'me')), vault, () => who.ask), who }
}

function everything(): string {
  return readdirSync(state, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n')
}

describe('the cipher', () => {
  const key = Buffer.alloc(32, 7)
  test('opens with the same key and context alone, and nothing that was tampered with', () => {
    const sealed = seal(key, Buffer.from('text'), 'a')
    expect(unseal(key, sealed, 'a')?.toString()).toBe('text')
    expect(unseal(key, seal(key, Buffer.alloc(0), 'a'), 'a')?.length).toBe(0)
    expect(unseal(Buffer.alloc(32, 8), sealed, 'a')).toBeUndefined()
    expect(unseal(key, sealed, 'b')).toBeUndefined()
    const bytes = Buffer.from(sealed, 'base64')
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(unseal(key, changed.toString('base64'), 'a')).toBeUndefined()
    }
    for (let length = 0; length < bytes.length; length += 1)
      expect(unseal(key, bytes.subarray(0, length).toString('base64'), 'a')).toBeUndefined()
  })
  test('never says the same twice', () => {
    expect(new Set(Array.from({ length: 100 }, () => seal(key, Buffer.from('text'), 'a'))).size).toBe(100)
  })
})

describe.each([
  ['keyring', {}, true],
  ['machine', {}, false],
  ['machine', { skipKeyring: true }, true],
  ['machine', { secretStore: 'machine' }, true],
  ['passphrase', { secretStore: 'passphrase', secretPassphrase: 'correct horse' }, false],
] as const)('the key with %s, by %j (keyring: %p)', (holder, settings, withKeyring) => {
  beforeEach(() => {
    if (withKeyring) ring = new Map()
  })

  test('what one run keeps the next one reads, and no file has it in plain', async () => {
    const first = open(settings)
    expect(await first.secrets.read('cookies.json')).toBeUndefined()
    expect(await first.secrets.write('cookies.json', cookies)).toBe(true)
    expect(first.vault.inUse()).toBe(holder)
    expect(await open(settings).secrets.read('cookies.json')).toBe(cookies)
    expect(everything()).not.toContain('very-secret-cookie')
    expect(everything()).not.toContain('correct horse')
    expect(lines.join('')).not.toContain('very-secret-cookie')
    for (const entry of readdirSync(state, { recursive: true, withFileTypes: true }))
      expect(statSync(join(entry.parentPath, entry.name)).mode & 0o077).toBe(0)
  })

  test('a plain file of earlier is taken over, and gone', async () => {
    const store = folderStore(join(state, 'me'))
    store.write('cookies.json', cookies)
    expect(await open(settings).secrets.read('cookies.json')).toBe(cookies)
    expect(store.read('cookies.json')).toBeUndefined()
    expect(await open(settings).secrets.read('cookies.json')).toBe(cookies)
    expect(everything()).not.toContain('very-secret-cookie')
  })

  test('the same text again is no new file; another one is', async () => {
    const { secrets } = open(settings)
    const file = join(state, 'me', 'cookies.json.sealed')
    await secrets.write('cookies.json', cookies)
    const before = readFileSync(file, 'utf8')
    await open(settings).secrets.write('cookies.json', cookies)
    expect(readFileSync(file, 'utf8')).toBe(before)
    await open(settings).secrets.write('cookies.json', `${cookies} `)
    expect(readFileSync(file, 'utf8')).not.toBe(before)
    secrets.remove('cookies.json')
    expect(await open(settings).secrets.read('cookies.json')).toBeUndefined()
  })

  test('damaged, of another name or identity, or without its key: none, and a new one can be kept', async () => {
    const { secrets, vault, who } = open(settings)
    await secrets.write('cookies.json', cookies)
    const store = folderStore(join(state, 'me'))
    store.write('other.sealed', store.read('cookies.json.sealed') ?? '')
    expect(await open(settings).secrets.read('other')).toBeUndefined()
    const theirs = folderStore(join(state, 'them'))
    theirs.write('cookies.json.sealed', store.read('cookies.json.sealed') ?? '')
    expect(await sealedStore(theirs, vault, () => who.ask).read('cookies.json')).toBeUndefined()
    for (const text of ['', '{', '[]', '{"key":"moon","sealed":"x"}', `{"key":"${holder}","sealed":"AAAA"}`]) {
      store.write('cookies.json.sealed', text)
      expect(await open(settings).secrets.read('cookies.json')).toBeUndefined()
    }
    await open(settings).vault.forget()
    expect(await open(settings).secrets.write('cookies.json', cookies)).toBe(true)
    expect(await open(settings).secrets.read('cookies.json')).toBe(cookies)
  })

  test('many at once make one key', async () => {
    const runs = await Promise.all(
      // A passphrase costs 128 MB and a second each time.
      Array.from({ length: holder === 'passphrase' ? 2 : 6 }, async (_, n) => {
        const { secrets } = open(settings)
        await secrets.write(`name-${n}`, `${n}`)
      }),
    )
    for (const n of runs.keys()) expect(await open(settings).secrets.read(`name-${n}`)).toBe(`${n}`)
  }, 120_000)
})

describe('a passphrase', () => {
  const settings = { secretStore: 'passphrase' }

  test('is chosen by typing it twice, asked once a run, and asked again when it is wrong', async () => {
    const first = open(settings, person('one', 'other', 'correct horse', 'correct horse'))
    await first.secrets.write('a', 'A')
    await first.secrets.write('b', 'B')
    expect(first.who.asked).toHaveLength(4)
    const second = open(settings, person('wrong', 'correct horse'))
    expect([await second.secrets.read('a'), await second.secrets.read('b')]).toEqual(['A', 'B'])
    expect(second.who.asked).toHaveLength(2)
    expect(lines.join('\n')).toContain('that is not the passphrase')
    expect(everything()).not.toContain('correct horse')
  }, 120_000)

  test('three wrong ones are enough; a given one that is wrong is a failure', async () => {
    await open({ ...settings, secretPassphrase: 'right' }).secrets.write('a', 'A')
    await expect(open(settings, person('x', 'y', 'z')).secrets.read('a')).rejects.toMatchObject({ kind: 'person' })
    await expect(open({ ...settings, secretPassphrase: 'wrong' }).secrets.read('a')).rejects.toMatchObject({
      kind: 'config',
    })
    expect(await open({ ...settings, secretPassphrase: 'right' }).secrets.read('a')).toBe('A')
  }, 120_000)

  test('nobody there: kept in memory only, said once, and what was there stays', async () => {
    await open({ ...settings, secretPassphrase: 'right' }).secrets.write('a', 'A')
    const alone = open(settings)
    expect(await alone.secrets.read('a')).toBeUndefined()
    expect(await alone.secrets.write('a', 'new')).toBe(false)
    expect(await alone.secrets.read('a')).toBe('new')
    await alone.secrets.write('b', 'new')
    expect(lines.filter(line => line.includes('nothing secret is kept'))).toHaveLength(1)
    expect(await open({ ...settings, secretPassphrase: 'right' }).secrets.read('a')).toBe('A')
  })

  test('the next process of the run is spared the question', async () => {
    const { vault, who, secrets } = open(settings, person('pass phrase', 'pass phrase'))
    await secrets.write('a', 'A')
    expect([vault.passphrase(), who.asked.length]).toEqual(['pass phrase', 2])
    const next = open(settings)
    next.vault.accept(vault.passphrase() ?? '')
    expect(await next.secrets.read('a')).toBe('A')
    expect(open({}).vault.passphrase()).toBeUndefined()
  })

  test('who has gone over to another way is not asked for it', async () => {
    await open({ ...settings, secretPassphrase: 'right' }).secrets.write('a', 'A')
    const { secrets, who } = open({}, person('right'))
    expect(await secrets.read('a')).toBeUndefined()
    await secrets.write('a', 'B')
    expect([who.asked, await open({}).secrets.read('a')]).toEqual([[], 'B'])
  })
})

test('with none, nothing is left on the disk, and the run itself goes on', async () => {
  folderStore(join(state, 'me')).write('cookies.json', cookies)
  const { secrets, vault } = open({ secretStore: 'none' })
  expect(await secrets.read('cookies.json')).toBe(cookies)
  await secrets.write('cookies.json', `${cookies} `)
  expect(await secrets.read('cookies.json')).toBe(`${cookies} `)
  expect(vault.keeps).toBe(false)
  expect(everything()).toBe('')
  expect(await open({ secretStore: 'none' }).secrets.read('cookies.json')).toBeUndefined()
})

test('a copy of all files opens nothing on another machine', async () => {
  const { secrets } = open({ secretStore: 'machine' })
  await secrets.write('a', 'A')
  const { machineIdentity } = await import('../src/vault-machine.ts')
  const other = async (): Promise<{ code: number; stdout: string; stderr: string }> => ({
    code: 0,
    stdout: '"IOPlatformUUID" = "0000-1111"',
    stderr: '',
  })
  expect(await machineIdentity('darwin', other)).toMatch(/^0000-1111 /)
  const vault = createVault({
    settings: testSettings({ secretStore: 'machine' }),
    paths: { state },
    keyring,
    platform: 'darwin',
    run: other,
    log: createLog({ stdout: () => {}, stderr: () => {} }),
  })
  expect(await sealedStore(folderStore(join(state, 'me')), vault, () => person().ask).read('a')).toBeUndefined()
})

test('a keyring that comes later takes over; one that is gone does not stop anybody', async () => {
  await open().secrets.write('a', 'A')
  ring = new Map()
  const later = open()
  expect(await later.secrets.read('a')).toBe('A')
  await later.secrets.write('a', 'B')
  expect(later.vault.inUse()).toBe('keyring')
  ring = undefined
  expect(await open().secrets.read('a')).toBeUndefined()
  expect(await open({ secretStore: 'keyring' }).secrets.write('a', 'C')).toBe(false)
  expect(lines.join('')).toContain('no keyring answers')
  await open().secrets.write('a', 'D')
  expect(await open().secrets.read('a')).toBe('D')
})

test('passwords: in the keyring as ever, in a sealed file where the person said so', async () => {
  ring = new Map()
  for (const [secretStore, there] of [
    ['auto', true],
    ['machine', false],
  ] as const) {
    const { secrets } = open({ secretStore })
    const place = passwordPlace({ secretStore }, keyring, secrets)
    expect(await place.write('cloudtoken', 'charlie', `word of ${secretStore}`)).toBe(true)
    expect(await place.read('cloudtoken', 'charlie')).toBe(`word of ${secretStore}`)
    expect(ring.get('cloudtoken charlie') === `word of ${secretStore}`).toBe(there)
    await place.remove('cloudtoken', 'charlie')
    expect(await place.read('cloudtoken', 'charlie')).toBeUndefined()
  }
  expect(await open().secrets.guarded()).toBe(true)
  ring = undefined
  expect(await open().secrets.guarded()).toBe(false)
  expect(await open({ secretStore: 'machine' }).secrets.guarded()).toBe(true)
})
