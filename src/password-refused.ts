/**
 * A password that was refused, so that the next process does not send it again: accounts are locked by programs that try an
 * old password over and over. Kept is a hash with a salt, for half an hour, which is as long as most places count.
 */
import { readFields } from './json.ts'
import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto'
import { Buffer } from 'node:buffer'
import type { Store } from './provider.ts'

export interface Refusals {
  /** When this one may be sent again, ms since the epoch; `undefined`: now. */
  until(password: string): number | undefined
  keep(password: string): void
  clear(): void
}

const file = 'refused.json'
const patienceMs = 30 * 60_000

/** @param now ms since the epoch */
export function openRefusals(store: Store, now: () => number): Refusals {
  return {
    until(password) {
      const kept = readKept(store.read(file))
      if (!kept) return undefined
      const end = kept.at + patienceMs
      // A clock that was set back must not stretch it.
      if (end <= now() || kept.at > now()) return undefined
      const hash = scryptSync(password, kept.salt, kept.hash.length)
      return timingSafeEqual(hash, kept.hash) ? end : undefined
    },
    keep(password) {
      const salt = randomBytes(16)
      const hash = scryptSync(password, salt, 32)
      store.write(file, JSON.stringify({ salt: salt.toString('hex'), hash: hash.toString('hex'), at: now() }))
    },
    clear: () => store.remove(file),
  }
}

/** A damaged file counts as none. */
function readKept(text: string | undefined): { salt: Buffer; hash: Buffer; at: number } | undefined {
  const { salt, hash, at } = readFields(text)
  const found = { salt: Buffer.from(String(salt), 'hex'), hash: Buffer.from(String(hash), 'hex'), at: Number(at) }
  return found.hash.length === 32 ? found : undefined
}
