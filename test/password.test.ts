import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '../src/log.ts'
import { createPasswordSource } from '../src/password.ts'
import { openRefusals } from '../src/password-refused.ts'
import type { Store } from '../src/provider.ts'
import { testSettings } from './context.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloudtoken-password-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function memory(): Store {
  const files = new Map<string, string>()
  return {
    read: name => files.get(name),
    write: (name, text) => void files.set(name, text),
    remove: name => void files.delete(name),
  }
}

function source(
  settings: Parameters<typeof testSettings>[0],
  stored: string | undefined,
  typed: readonly string[] = [],
  { store = memory(), now = 0 }: { store?: Store; now?: number } = {},
) {
  const ring = new Map(stored === undefined ? [] : [['cloudtoken charlie', stored]])
  const answers = [...typed]
  let asked = 0
  const password = createPasswordSource({
    settings: testSettings({ skipKeyring: false, ...settings }),
    username: 'charlie',
    keyring: {
      read: (service, account) => Promise.resolve(ring.get(`${service} ${account}`)),
      write: (service, account, secret) => Promise.resolve(ring.set(`${service} ${account}`, secret).size > 0),
      remove: (service, account) => Promise.resolve(ring.delete(`${service} ${account}`) || true),
      available: () => Promise.resolve(true),
    },
    ask: {
      secret: () => {
        asked += 1
        const answer = answers.shift()
        return answer === undefined ? Promise.reject(new Error('asked too often')) : Promise.resolve(answer)
      },
    },
    refusals: openRefusals(store, () => now),
    log: createLog({ stdout: () => {}, stderr: () => {} }),
  })
  return { password, ring, asked: () => asked }
}

test('an option wins over a file, a file over the keyring, the keyring over the person', async () => {
  const passwordFile = join(folder, 'password')
  writeFileSync(passwordFile, 'from file \n\n', { mode: 0o600 })
  expect(await source({ password: 'given', passwordFile }, 'stored').password.get()).toBe('given')
  expect(await source({ passwordFile }, 'stored').password.get()).toBe('from file')
  expect(await source({}, 'stored').password.get()).toBe('stored')
  expect(await source({ skipKeyring: true }, 'stored', ['typed']).password.get()).toBe('typed')
  expect(await source({ passwordPrompt: true, password: 'given' }, 'stored', ['typed']).password.get()).toBe('typed')
})

test('asks until something is typed; keeps it only once the sign-in worked', async () => {
  const { password, ring, asked } = source({}, undefined, ['', '', 'typed'])
  expect(await password.get()).toBe('typed')
  expect(asked()).toBe(3)
  expect(ring.size).toBe(0)
  await password.accepted()
  expect(ring.get('cloudtoken charlie')).toBe('typed')
})

test('X09 a stored password that was refused is forgotten, and the person is asked', async () => {
  const { password, ring } = source({}, 'old', ['new'])
  expect(await password.get()).toBe('old')
  expect(password.wasStored()).toBe(true)
  expect(await password.get({ refused: true })).toBe('new')
  expect(ring.size).toBe(0)
  await password.accepted()
  expect(ring.get('cloudtoken charlie')).toBe('new')
})

test('--skip-keyring neither reads nor saves; a missing, an empty and a loose file are refused', async () => {
  const { password, ring } = source({ skipKeyring: true }, undefined, ['typed'])
  await password.get()
  await password.accepted()
  expect(ring.size).toBe(0)
  await expect(source({ passwordFile: join(folder, 'none') }, undefined).password.get()).rejects.toThrow(
    'no password file',
  )
  writeFileSync(join(folder, 'empty'), '\n', { mode: 0o600 })
  await expect(source({ passwordFile: join(folder, 'empty') }, undefined).password.get()).rejects.toThrow('is empty')
  writeFileSync(join(folder, 'loose'), 'x', { mode: 0o644 })
  await expect(source({ passwordFile: join(folder, 'loose') }, undefined).password.get()).rejects.toThrow('other users')
})

describe('a password that was refused', () => {
  const minute = 60_000
  const settings = { password: 'hunter22' }

  test('is not handed out again for half an hour, by any process of this identity', async () => {
    const store = memory()
    const first = source(settings, undefined, [], { store })
    await first.password.get()
    first.password.refused()
    expect(store.read('refused.json')).not.toContain('hunter22')
    const later = (now: number, more = {}): ReturnType<typeof source>['password'] =>
      source({ ...settings, ...more }, undefined, ['typed'], { store, now }).password
    for (const now of [0, 29 * minute]) {
      expect(
        await later(now)
          .get()
          .catch((error: unknown) => error),
      ).toMatchObject({
        kind: 'refused',
        code: 'password-not-again',
        message: expect.stringMatching(/^the password for charlie was refused before; .* until \d\d:\d\d$/),
        hint: 'cloudtoken --password-prompt',
      })
    }
    expect(await later(0, { password: 'another' }).get()).toBe('another')
    expect(await later(0, { passwordPrompt: true }).get()).toBe('typed')
    expect(await later(31 * minute).get()).toBe('hunter22')
    // The clock was set back.
    expect(await later(-minute).get()).toBe('hunter22')
  })

  test('is forgotten after a success, and one that was typed is not kept at all', async () => {
    const store = memory()
    const { password } = source(settings, undefined, [], { store })
    await password.get()
    password.refused()
    await password.accepted()
    expect(store.read('refused.json')).toBeUndefined()
    const typed = source({}, undefined, ['typed'], { store })
    await typed.password.get()
    typed.password.refused()
    expect(store.read('refused.json')).toBeUndefined()
  })

  test('a damaged note counts as none', async () => {
    for (const text of ['', '{', 'null', '[]', '{"salt":"x","hash":"y","at":0}']) {
      const store = memory()
      store.write('refused.json', text)
      expect(await source(settings, undefined, [], { store }).password.get()).toBe('hunter22')
    }
  })
})
