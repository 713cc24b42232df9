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
  const pins = (): Record<string, string> => readPins(readText(file), file)
  const store: TrustStore = {
    of(found) {
      const pinned = pins()[found.path]
      return pinned === undefined ? 'free' : pinned === sha256Of(found) ? 'pinned' : 'changed'
    },
    pin(found) {
      const digest = sha256Of(found)
      writeFile(file, `${JSON.stringify({ ...pins(), [found.path]: digest }, undefined, 2)}\n`)
      return digest
    },
    async check(found, ask) {
      if (store.of(found) !== 'changed') return
      const what = `plugin ${found.name} is not the one that was trusted: ${found.path} has changed`
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

/** A damaged file is not taken for an empty one: that would trust everything. */
function readPins(text: string | undefined, file: string): Record<string, string> {
  if (text === undefined) return {}
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, digest]) => [key, String(digest)]))
    }
  } catch {
    // Told below.
  }
  throw failure('config', `${file} is damaged`, { hint: `remove it, then cloudtoken plugins trust NAME for each` })
}
