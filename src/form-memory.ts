/**
 * What a person decided on the way, kept so that a renewal without them decides the same.
 */
import { fieldsOf, readFields } from './json.ts'
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
  const { hosts, consents, choices } = readFields(store.read(file))
  const list = (value: unknown): string[] =>
    Array.isArray(value) ? value.filter(item => typeof item === 'string') : []
  const made = Object.entries(fieldsOf(choices)).flatMap(([name, choice]) =>
    typeof choice === 'string' ? [[name, choice] as const] : [],
  )
  return { hosts: list(hosts), consents: list(consents), choices: Object.fromEntries(made) }
}

export function remember(store: Store, change: (memory: Memory) => Partial<Memory>): void {
  const memory = readMemory(store)
  store.write(file, `${JSON.stringify({ ...memory, ...change(memory) }, null, 2)}\n`)
}

export function forgetMemory(store: Store): void {
  store.remove(file)
}
