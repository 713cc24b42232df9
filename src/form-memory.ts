/**
 * What a person decided on the way, kept so that a renewal without them decides the same.
 */
import type { Store } from './provider.ts'

const file = 'sign-in.json'

export interface Memory {
  /** `ENTRY-HOST HOST`: passwords and codes may go there. */
  readonly hosts: readonly string[]
  /** Fingerprints of consent pages that were accepted. */
  readonly consents: readonly string[]
  /** Chosen source or organisation by `HOST ABOUT`. */
  readonly choices: Readonly<Record<string, string>>
}

export function readMemory(store: Store): Memory {
  const empty: Memory = { hosts: [], consents: [], choices: {} }
  try {
    const kept: unknown = JSON.parse(store.read(file) ?? '{}')
    if (typeof kept !== 'object' || kept === null) return empty
    const list = (value: unknown): string[] =>
      Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
    const choices = 'choices' in kept && typeof kept.choices === 'object' && kept.choices !== null ? kept.choices : {}
    return {
      hosts: 'hosts' in kept ? list(kept.hosts) : [],
      consents: 'consents' in kept ? list(kept.consents) : [],
      choices: Object.fromEntries(Object.entries(choices).filter(([, value]) => typeof value === 'string')),
    }
  } catch {
    return empty
  }
}

export function remember(store: Store, change: (memory: Memory) => Partial<Memory>): void {
  const memory = readMemory(store)
  store.write(file, `${JSON.stringify({ ...memory, ...change(memory) }, null, 2)}\n`)
}

export function forgetMemory(store: Store): void {
  store.remove(file)
}
