/**
 * Small private files of one identity.
 */
import path from 'node:path'
import { failure } from './errors.ts'
import { makePrivate, readText, remove, writeFile } from './files.ts'
import type { Store } from './provider.ts'

export function folderStore(folder: string): Store {
  const file = (name: string): string => {
    if (!/^[\w@.-]+$/.test(name) || name.startsWith('.')) throw failure('unexpected', `${name} is no name for a file`)
    return path.join(folder, name)
  }
  return {
    read: name => readText(file(name)),
    write(name, text) {
      makePrivate(folder)
      writeFile(file(name), text)
    },
    remove: name => remove(file(name)),
    pathOf: file,
  }
}
