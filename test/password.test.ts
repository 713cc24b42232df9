import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '../src/log.ts'
import { createPasswordSource } from '../src/password.ts'
import { testSettings } from './context.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cloudtoken-password-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function source(
  settings: Parameters<typeof testSettings>[0],
  stored: string | undefined,
  typed: readonly string[] = [],
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
