/**
 * One process at a time where several may write.
 */
import path from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { codeOf, failure, messageOf } from './errors.ts'
import { ensureFolder, followLink, trouble } from './files.ts'

/**
 * Runs `work` while no other cloudtoken holds the lock of this file; waits up to `patience` ms for it: longer than the lock
 * of one that was killed stays.
 */
export async function withLock<T>(file: string, work: () => T | Promise<T>, patience = 20_000): Promise<T> {
  const { lock } = (await import('proper-lockfile')).default
  const target = followLink(file)
  ensureFolder(path.dirname(target))
  // Who was stopped or asleep for longer has lost it to another, which is no reason to end: the work goes on.
  const options = { realpath: false, stale: 10_000, onCompromised: () => {} }
  const release = await retry(() => lock(target, options), patience).catch(error => {
    // Where nothing can be written there is nothing to keep apart, and what cannot do without will say so.
    if (['ENOSPC', 'EDQUOT', 'EROFS'].includes(codeOf(error) ?? '')) return undefined
    if (codeOf(error) !== 'ELOCKED') throw trouble('lock', file, error)
    const hint = `remove ${target}.lock if no other cloudtoken is running`
    throw failure('config', `cannot lock ${file}: ${messageOf(error)}`, { hint, cause: error })
  })
  try {
    return await work()
  } finally {
    await release?.().catch(() => {})
  }
}

/**
 * How many listeners of each signal are those of a lock. They end the process by that signal, as if they were not there,
 * once no one else listens.
 */
export function lockListeners(): number {
  // What signal-exit, which removes locks that are still held, keeps its number in.
  const { __signal_exit_emitter__: emitter } = process as { __signal_exit_emitter__?: { readonly count?: number } }
  return emitter?.count ?? 0
}

/** Waits for another holder only: a folder that cannot be written is no more writable in ten seconds. */
async function retry<T>(take: () => Promise<T>, patience: number): Promise<T> {
  for (let waited = 0; ; waited += 50) {
    try {
      return await take()
    } catch (error) {
      if (codeOf(error) !== 'ELOCKED' || waited >= patience) throw error
      await delay(50)
    }
  }
}
