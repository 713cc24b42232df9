/**
 * The key that secrets at rest are sealed with, and who holds it: the OS keyring, a passphrase, or the machine.
 */
import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes, scrypt } from 'node:crypto'
import path from 'node:path'
import { failure, isFailure } from './errors.ts'
import { readText, writeFile } from './files.ts'
import { withLock } from './lock.ts'
import { readFields } from './json.ts'
import type { Keyring } from './keyring.ts'
import { keepSecret } from './log.ts'
import type { Ask } from './provider.ts'

export type Holder = 'keyring' | 'passphrase' | 'machine'

export interface KeyOptions {
  /** Folder of the files that belong to the keys. */
  readonly folder: string
  readonly keyring: Keyring
  readonly keyringName: string
  /** Given with the command line or the environment; else the person is asked. */
  readonly passphrase: () => string | undefined
  /** Something that another machine does not have. */
  readonly machine: () => Promise<string>
}

/** 32 bytes; `undefined` when there is no key, or nobody to open it. A person is asked through `ask` alone. */
export interface KeyHolder {
  find(ask: Ask): Promise<Buffer | undefined>
  /** Absent: always. */
  usable?(): Promise<boolean>
  /** Where there is none yet. */
  make(ask: Ask): Promise<Buffer | undefined>
}

const size = 32

export function createHolders(options: KeyOptions): Readonly<Record<Holder, KeyHolder>> {
  return { keyring: inKeyring(options), passphrase: underPassphrase(options), machine: ofMachine(options) }
}

/** Entry of the keyring beside the passwords. */
const account = 'key of the secret store'

function inKeyring({ keyring, keyringName }: KeyOptions): KeyHolder {
  return {
    find: async () => keyOf(await keyring.read(keyringName, account)),
    usable: () => keyring.available(),
    async make() {
      const key = randomBytes(size)
      return (await keyring.write(keyringName, account, key.toString('base64'))) ? key : undefined
    },
  }
}

/** The key is in a file, sealed with what scrypt makes of the passphrase. */
function underPassphrase({ folder, passphrase: given }: KeyOptions): KeyHolder {
  const file = path.join(folder, 'passphrase.json')
  return {
    async find(ask) {
      const kept = readText(file)
      if (kept === undefined) return undefined
      const passphrase = given()
      if (passphrase !== undefined) {
        const key = await unwrap(kept, passphrase)
        if (key) return key
        throw failure('config', 'the secret store does not open with the passphrase that was given', {
          hint: 'CLOUDTOKEN_SECRET_PASSPHRASE, or leave it out to be asked',
        })
      }
      for (let tries = 0; tries < 3; tries += 1) {
        const typed = await typedBy(ask, 'Passphrase of the secret store')
        if (typed === undefined) return undefined
        const key = await unwrap(kept, typed)
        if (key) return key
        ask.tell('that is not the passphrase')
      }
      throw failure('person', 'the secret store was not opened', {
        hint: `remove ${file} to begin with an empty one`,
        code: 'passphrase-refused',
      })
    },
    async make(ask) {
      // One that is there and was not opened is not ours to replace.
      if (readText(file) !== undefined) return undefined
      const chosen = given() ?? (await chosenBy(ask))
      if (chosen === undefined) return undefined
      const key = randomBytes(size)
      const salt = randomBytes(16)
      const wrapped = seal(await stretch(chosen, salt), key, 'key')
      writeFile(file, `${JSON.stringify({ kdf: 'scrypt', ...cost, salt: salt.toString('base64'), key: wrapped })}\n`)
      return key
    },
  }
}

/** From a random file and the machine's own id: the file alone, in a backup or on another machine, opens nothing. */
function ofMachine({ folder, machine }: KeyOptions): KeyHolder {
  const file = path.join(folder, 'machine-key')
  const derive = async (half: Buffer): Promise<Buffer> =>
    Buffer.from(hkdfSync('sha256', half, await machine(), 'cloudtoken secret store', size))
  return {
    async find() {
      const half = keyOf(readText(file)?.trim())
      return half && (await derive(half))
    },
    async make() {
      const half = randomBytes(size)
      writeFile(file, `${half.toString('base64')}\n`)
      return await derive(half)
    },
  }
}

/** A person may be choosing a passphrase in the process that holds the lock. */
const patience = 180_000

/** All that the keyring has of it. */
export async function forgetKey({ keyring, keyringName }: Pick<KeyOptions, 'keyring' | 'keyringName'>): Promise<void> {
  await keyring.remove(keyringName, account)
}

/** `find`, else `make`, as one of many processes. */
export async function findOrMake(holder: KeyHolder, folder: string, ask: Ask): Promise<Buffer | undefined> {
  const found = await holder.find(ask)
  if (found || (await holder.usable?.()) === false) return found
  const make = async (): Promise<Buffer | undefined> => (await holder.find(ask)) ?? (await holder.make(ask))
  return await withLock(path.join(folder, 'key'), make, patience)
}

/** AES-256-GCM; `context` has to be the same when it is opened. Nonce, text and tag as base64. */
export function seal(key: Buffer, data: Buffer, context: string): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context))
  return Buffer.concat([nonce, cipher.update(data), cipher.final(), cipher.getAuthTag()]).toString('base64')
}

/** `undefined` for another key, another context, and anything that was tampered with. */
export function unseal(key: Buffer, sealed: string, context: string): Buffer | undefined {
  const bytes = Buffer.from(sealed, 'base64')
  if (bytes.length < 28) return undefined
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 })
    decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-16))
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
  } catch {
    return undefined
  }
}

/** 128 MB and half a second for each guess. */
const cost = { N: 2 ** 17, r: 8, p: 1 }

function stretch(passphrase: string, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { ...cost, maxmem: 256 * cost.r * cost.N }
    scrypt(passphrase.normalize('NFC'), salt, size, options, (error, key) => (error ? reject(error) : resolve(key)))
  })
}

async function unwrap(kept: string, passphrase: string): Promise<Buffer | undefined> {
  const { salt, key } = readFields(kept)
  if (typeof salt !== 'string' || typeof key !== 'string') return undefined
  return unseal(await stretch(passphrase, Buffer.from(salt, 'base64')), key, 'key')
}

function keyOf(text: string | undefined): Buffer | undefined {
  const bytes = Buffer.from(text ?? '', 'base64')
  return bytes.length === size ? bytes : undefined
}

async function chosenBy(ask: Ask): Promise<string | undefined> {
  for (;;) {
    const first = await typedBy(ask, 'New passphrase for the secret store')
    if (first === undefined) return undefined
    if (first === (await typedBy(ask, 'The same again'))) return first
    ask.tell('those were two different passphrases')
  }
}

/** `undefined` where nobody is there to type. */
async function typedBy(ask: Ask, question: string): Promise<string | undefined> {
  try {
    let typed = ''
    while (typed === '') typed = await ask.secret(question)
    keepSecret(typed)
    return typed
  } catch (error) {
    if (isFailure(error) && error.kind === 'person') return undefined
    throw error
  }
}
