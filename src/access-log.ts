/**
 * The access log: lines a few times a second, however many requests there are.
 */
import { formatAccess, type Access } from './serve.ts'

const most = 50

export interface AccessLog {
  note(access: Access): void
  /** Writes what has not been written yet. */
  flush(): void
}

export function createAccessLog(write: (text: string) => void): AccessLog {
  let pending: Access[] = []
  let skipped = 0
  const flush = (): void => {
    if (pending.length === 0) return
    const lines = pending.map(formatAccess)
    if (skipped > 0) lines.push(`... and ${skipped} more requests`)
    pending = []
    skipped = 0
    write(`${lines.join('\n')}\n`)
  }
  return {
    note(access) {
      if (pending.length === 0) setTimeout(flush, 200)
      if (pending.length < most) pending.push(access)
      else skipped += 1
    },
    flush,
  }
}
