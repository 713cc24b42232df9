/**
 * Small private files of one identity.
 */
import path from 'node:path'
import { failure, isFailure, messageOf } from './errors.ts'
import { makePrivate, readText, remove, writeFile } from './files.ts'
import type { Log } from './log.ts'
import type { Store } from './provider.ts'

/** With `log` what cannot be kept is only told: it is missing the next time, and a full disk takes no credentials from anybody. */
export function folderStore(folder: string, log?: Pick<Log, 'warn'>): Store {
  const change = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      if (!log) throw error
      log.warn(messageOf(error), isFailure(error) ? error.hint : undefined)
    }
  }
  const file = (name: string): string => {
    if (!/^[\w@.-]+$/.test(name) || name.startsWith('.')) throw failure('unexpected', `${name} is no name for a file`)
    return path.join(folder, name)
  }
  return {
    read: name => readText(file(name)),
    write(name, text) {
      const place = file(name)
      change(() => {
        makePrivate(folder)
        writeFile(place, text)
      })
    },
    remove(name) {
      const place = file(name)
      change(() => remove(place))
    },
    pathOf: file,
  }
}
