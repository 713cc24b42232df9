/**
 * Secrets that outlive a run, at rest: sealed in private files, with a key that the OS keyring, a passphrase or the machine
 * holds, as `--secret-store` says. The key is fetched once in a run, when the first secret is wanted.
 */
import { Buffer } from 'node:buffer'
import path from 'node:path'
import { remove } from './files.ts'
import type { Paths } from './paths.ts'
import { readFields } from './json.ts'
import type { Keyring } from './keyring.ts'
import { keepSecret, type Log } from './log.ts'
import type { Settings } from './options.ts'
import type { Ask, Secrets, Store } from './provider.ts'
import type { Run } from './run.ts'
import { createHolders, findOrMake, forgetKey, seal, unseal, type Holder } from './vault-key.ts'
import { machineIdentity } from './vault-machine.ts'

export interface VaultOptions {
  readonly settings: Pick<Settings, 'secretStore' | 'secretPassphrase' | 'skipKeyring' | 'keyringName'>
  readonly paths: Pick<Paths, 'state'>
  readonly keyring: Keyring
  readonly platform: NodeJS.Platform
  readonly run: Run
  readonly log: Pick<Log, 'debug' | 'warn'>
}

export interface Vault {
  /** False when the person wants nothing secret to stay. */
  readonly keeps: boolean
  /** Who holds the key, as far as one was wanted. */
  inUse(): Holder | undefined
  /** `undefined` when nothing is to be kept, or nothing can be. */
  seal(name: string, text: string, ask: Ask): Promise<string | undefined>
  /** `undefined` for what cannot be opened here and now. */
  open(name: string, sealed: string, ask: Ask): Promise<string | undefined>
  /** Who holds the key for what is written from now on: fetched, or made. */
  holder(ask: Ask): Promise<Holder | undefined>
  /** Something keeps the key that a copy of all files does not bring along, or the person has waived that. */
  guarded(ask: Ask): Promise<boolean>
  /** What opens it in another process of this run, which takes it by `accept`. */
  passphrase(): string | undefined
  accept(passphrase: string): void
  /** Drops the keys: whatever is sealed stays so for good. */
  forget(): Promise<void>
}

/** In words, after "secrets are kept". */
export const placeNames: Readonly<Record<Holder | 'none', string>> = {
  keyring: 'encrypted, with a key in the OS keyring',
  passphrase: 'encrypted, under your passphrase',
  machine: 'encrypted, with a key of this machine and user',
  none: 'nowhere: --secret-store none',
}

export function createVault(options: VaultOptions): Vault {
  const { settings, paths, keyring, platform, run, log } = options
  const folder = path.join(paths.state, 'secrets')
  let passphrase = settings.secretPassphrase
  const holders = createHolders({
    folder,
    keyring,
    keyringName: settings.keyringName,
    passphrase: () => passphrase,
    machine: () => machineIdentity(platform, run),
  })
  const keys = new Map<Holder, Buffer>()
  let chosen: Promise<Holder | undefined> | undefined
  let inUse: Holder | undefined

  async function unlock(holder: Holder, ask: Ask, make: boolean): Promise<Buffer | undefined> {
    const known = keys.get(holder)
    if (known) return known
    let typed: string | undefined
    const asking = { ...ask, secret: async (message: string) => (typed = await ask.secret(message)) }
    const key = make ? await findOrMake(holders[holder], folder, asking) : await holders[holder].find(asking)
    if (!key) return undefined
    keys.set(holder, key)
    passphrase ??= typed
    return key
  }

  async function choose(ask: Ask): Promise<Holder | undefined> {
    for (const holder of candidates(settings)) {
      if (!(await unlock(holder, ask, true))) continue
      log.debug(`secrets are kept ${placeNames[holder]}`)
      return (inUse = holder)
    }
    if (settings.secretStore === 'none') return undefined
    const [what, hint] =
      settings.secretStore === 'passphrase'
        ? ['the secret store is locked', 'CLOUDTOKEN_SECRET_PASSPHRASE, or run cloudtoken in a terminal']
        : ['no keyring answers', '--secret-store passphrase']
    log.warn(`${what}: nothing secret is kept for the next run`, hint)
    return undefined
  }

  const vault: Vault = {
    keeps: settings.secretStore !== 'none',
    inUse: () => inUse,
    holder: ask => (chosen ??= choose(ask)),
    async seal(name, text, ask) {
      const holder = await vault.holder(ask)
      const key = holder && keys.get(holder)
      return key && JSON.stringify({ key: holder, sealed: seal(key, Buffer.from(text), `${holder} ${name}`) })
    },
    async open(name, text, ask) {
      const { key: holder, sealed } = readFields(text)
      if (!isHolder(holder) || typeof sealed !== 'string') return undefined
      // Nobody is asked for a passphrase who did not choose to have one.
      if (holder === 'passphrase' && settings.secretStore !== 'passphrase') return undefined
      if (holder === 'keyring' && settings.skipKeyring) return undefined
      const key = await unlock(holder, ask, false)
      const plain = key && unseal(key, sealed, `${holder} ${name}`)?.toString('utf8')
      if (plain === undefined) log.debug(`${name} cannot be opened: it was sealed with another key`)
      return plain
    },
    async guarded(ask) {
      const holder = await vault.holder(ask)
      return holder !== undefined && (holder !== 'machine' || settings.secretStore === 'machine')
    },
    passphrase: () => passphrase,
    accept(given) {
      keepSecret(given)
      passphrase ??= given
    },
    async forget() {
      if (!settings.skipKeyring) await forgetKey({ keyring, keyringName: settings.keyringName })
      remove(folder)
    },
  }
  return vault
}

/** Before there is anything to keep: who will hold the key. */
export async function expectedHolder(
  settings: VaultOptions['settings'],
  keyring: Pick<Keyring, 'available'>,
): Promise<Holder | 'none'> {
  const [first = 'none', second] = candidates(settings)
  return second !== undefined && !(await keyring.available()) ? second : first
}

/** Those of an identity. What cannot be kept in a file is kept in `memory`, by name. */
export function sealedStore(
  store: Store,
  vault: Vault,
  ask: () => Ask,
  memory: Map<string, string> = new Map<string, string>(),
): Secrets {
  /** A file that was moved here from another identity must not open. */
  const context = (name: string): string => `${path.basename(path.dirname(store.pathOf?.(name) ?? ''))}/${name}`
  const secrets: Secrets = {
    async read(name) {
      const sealed = store.read(nameOf(name))
      if (sealed !== undefined) return (await vault.open(context(name), sealed, ask())) ?? memory.get(name)
      // As it lay there before secrets were sealed.
      const plain = store.read(name)
      if (plain !== undefined) await secrets.write(name, plain)
      return plain ?? memory.get(name)
    },
    async write(name, text) {
      const kept = store.read(nameOf(name))
      if (kept !== undefined && vault.keeps && (await vault.open(context(name), kept, ask())) === text) return true
      const sealed = await vault.seal(context(name), text, ask())
      memory.set(name, text)
      if (sealed === undefined) {
        if (!vault.keeps) removeSealed(store, name)
        return false
      }
      store.write(nameOf(name), sealed)
      if (store.read(nameOf(name)) !== sealed) return false
      memory.delete(name)
      store.remove(name)
      return true
    },
    remove(name) {
      memory.delete(name)
      removeSealed(store, name)
    },
    guarded: () => vault.guarded(ask()),
  }
  return secrets
}

/** For a run that is to leave nothing. */
export function memorySecrets(): Secrets {
  const memory = new Map<string, string>()
  return {
    read: async name => memory.get(name),
    async write(name, text) {
      memory.set(name, text)
      return false
    },
    remove: name => void memory.delete(name),
    guarded: async () => false,
  }
}

/** Where passwords go: entries of the OS keyring of their own, or sealed beside the other secrets of the identity. */
export function passwordPlace(
  { secretStore }: Pick<Settings, 'secretStore'>,
  keyring: Keyring,
  secrets: Secrets,
): Keyring {
  if (!inFiles(secretStore)) return keyring
  return {
    read: () => secrets.read(passwordName),
    write: (_, __, password) => secrets.write(passwordName, password),
    remove: async () => {
      secrets.remove(passwordName)
      return true
    },
    available: () => secrets.guarded(),
  }
}

const passwordName = 'password'

export function removeSealed(store: Store, name: string): void {
  store.remove(nameOf(name))
  store.remove(name)
}

function nameOf(name: string): string {
  return `${name}.sealed`
}

/** The person has chosen that passwords, too, lie in files. */
export function inFiles(secretStore: Settings['secretStore']): boolean {
  return secretStore === 'passphrase' || secretStore === 'machine'
}

function candidates({ secretStore, skipKeyring }: VaultOptions['settings']): readonly Holder[] {
  if (secretStore === 'none') return []
  if (isHolder(secretStore)) return [secretStore]
  return skipKeyring ? ['machine'] : ['keyring', 'machine']
}

function isHolder(value: unknown): value is Holder {
  return value === 'keyring' || value === 'passphrase' || value === 'machine'
}
