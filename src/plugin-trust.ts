/**
 * Plugins whose bytes a person has pinned. One that changed since is not run before somebody looked at it again.
 */
import path from 'node:path'
import { failure, isFailure } from './errors.ts'
import { readText, writeFile } from './files.ts'
import { sha256Of, type Found } from './plugin-find.ts'
import type { Ask } from './provider.ts'

/** `free`: nobody pinned it, so it may change. */
export type Trust = 'pinned' | 'changed' | 'free'

export interface TrustStore {
  of(found: Found): Trust
  /** Pins the file as it is now, and answers with its SHA-256. */
  pin(found: Found): string
  /** Rejects unless the file is as it was pinned, or a person says that the new one is good. */
  check(found: Found, ask: Ask): Promise<void>
}

export function openTrustStore(state: string): TrustStore {
  const file = path.join(state, 'trusted-plugins.json')
  const pins = (): Pins => readPins(readText(file), file)
  const store: TrustStore = {
    of(found) {
      const pin = pins()[nameOf(found)]
      if (pin === undefined) return 'free'
      // Another file that comes before the pinned one has not been looked at either.
      return pin.path === found.path && pin.sha256 === sha256Of(found) ? 'pinned' : 'changed'
    },
    pin(found) {
      const pin = { path: found.path, sha256: sha256Of(found) }
      writeFile(file, `${JSON.stringify({ ...pins(), [nameOf(found)]: pin }, undefined, 2)}\n`)
      return pin.sha256
    },
    async check(found, ask) {
      if (store.of(found) !== 'changed') return
      const what = `plugin ${found.name} is not the one that was trusted: ${found.path} is new or has changed`
      const hint = `look at it, then cloudtoken plugins trust ${found.name}`
      const good = await ask.confirm(`${what}. Trust it as it is now?`, false).catch((error: unknown) => {
        if (isFailure(error) && error.kind === 'person')
          throw failure('person', what, { hint, code: 'plugin-changed', cause: error })
        throw error
      })
      if (!good) throw failure('config', what, { hint, code: 'plugin-changed' })
      store.pin(found)
    },
  }
  return store
}

type Pins = Readonly<Record<string, { readonly path: string; readonly sha256: string }>>

/** A dash is as good as an underscore, so both are one plugin. */
function nameOf({ name }: Found): string {
  return name.replaceAll('_', '-')
}

/** A damaged file is not taken for an empty one: that would trust everything. */
function readPins(text: string | undefined, file: string): Pins {
  if (text === undefined) return {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value).map(([name, pin]: [string, { path?: unknown; sha256?: unknown }]) => [
          name,
          { path: String(pin.path), sha256: String(pin.sha256) },
        ]),
      )
    }
  } catch {
    // Told below.
  }
  throw failure('config', `${file} is damaged`, { hint: 'remove it, then cloudtoken plugins trust NAME for each' })
}
