/**
 * Secrets as a program of the same user on this machine finds them, where no keyring is.
 */
import process from 'node:process'
import { createKeyring, type Keyring } from '../src/keyring.ts'
import { createLog } from '../src/log.ts'
import { run } from '../src/run.ts'
import { folderStore } from '../src/store.ts'
import { createVault, sealedStore, type Vault, type VaultOptions } from '../src/vault.ts'
import { testContext, testSettings } from './context.ts'

export interface MachineVault {
  readonly keyring: Keyring
  readonly vault: Vault
}

/** `state`: the folder of all identities and keys. */
export function machineVault(
  state: string,
  settings: VaultOptions['settings'] = testSettings({ skipKeyring: true }),
  log: VaultOptions['log'] = createLog({ stdout: () => {}, stderr: () => {} }),
): MachineVault {
  const { platform } = process
  const keyring = createKeyring({ platform, run, env: {} })
  return { keyring, vault: createVault({ settings, paths: { state }, keyring, platform, run, log }) }
}

/** The values of all cookies of an identity, whose folder is `folder`. */
export async function cookieValues(state: string, folder: string): Promise<string[]> {
  const { context } = await testContext()
  const secrets = sealedStore(folderStore(folder), machineVault(state).vault, () => context.ask)
  const kept = JSON.parse((await secrets.read('cookies.json')) ?? '{"cookies":[]}') as { cookies: { value: string }[] }
  return kept.cookies.map(({ value }) => value)
}
