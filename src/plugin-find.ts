/**
 * Where plugins are found, and why one is refused: in `plugins/` of the configuration folder, then, as executables only,
 * on PATH. Never in the working directory, and never where others could have put or changed it.
 */
import { createHash } from 'node:crypto'
import { accessSync, constants, readdirSync, realpathSync, statSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { failure } from './errors.ts'
import { readBytes } from './files.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface Found {
  readonly name: string
  /** Absolute. */
  readonly path: string
  readonly form: 'executable' | 'module'
}

export interface Places {
  /** `plugins/` of the configuration folder. */
  readonly folder: string
  readonly env: Env
}

export const prefix = 'cloudtoken-plugin-'
const windows = process.platform === 'win32'
const suffix = windows ? '.exe' : ''
const moduleSuffixes = ['.ts', '.js', '.mjs']

/** Fails with `config` for a name that could lead elsewhere. */
export function checkName(name: string): void {
  if (isName(name)) return
  throw failure('config', `${JSON.stringify(name)} is no name for a plugin`, {
    hint: 'letters, digits, dashes and underscores',
  })
}

export function findInFolder(name: string, { folder }: Places): Found | undefined {
  // Mostly there is none, and then nothing is looked for.
  if (filesIn(folder).length === 0) return undefined
  for (const spelling of spellings(name)) {
    const executable = path.join(folder, `${prefix}${spelling}${suffix}`)
    if (isFile(executable)) return { name, path: executable, form: 'executable' }
    for (const ending of moduleSuffixes) {
      const module = path.join(folder, `${spelling}${ending}`)
      if (isFile(module)) return { name, path: module, form: 'module' }
    }
  }
  return undefined
}

export function findOnPath(name: string, { env }: Places): Found | undefined {
  for (const spelling of spellings(name)) {
    for (const folder of pathFolders(env)) {
      const file = path.join(folder, `${prefix}${spelling}${suffix}`)
      if (isFile(file) && isExecutable(file)) return { name, path: file, form: 'executable' }
    }
  }
  return undefined
}

/** All there are, each name once: the one that would be used. */
export function listPlugins(places: Places): Found[] {
  const found = new Map<string, Found>()
  const add = (one: Found | undefined): void => void (one && !found.has(one.name) && found.set(one.name, one))
  for (const file of filesIn(places.folder)) {
    const ending = moduleSuffixes.find(each => file.endsWith(each) && !file.endsWith(`.d${each}`))
    const name = file.startsWith(prefix)
      ? file.slice(prefix.length, file.length - suffix.length)
      : ending && file.slice(0, -ending.length)
    if (name && isName(name)) add(findInFolder(name, places))
  }
  for (const folder of pathFolders(places.env)) {
    for (const file of filesIn(folder)) {
      const name = file.startsWith(prefix) ? file.slice(prefix.length, file.length - suffix.length) : ''
      if (name && isName(name)) add(findOnPath(name, places))
    }
  }
  return [...found.values()].toSorted((a, b) => a.name.localeCompare(b.name))
}

/** Refuses what others can change, by the file, by its folder, or by a folder above. Fails with `config`. */
export function checkSafe({ path: file, form, name }: Found): void {
  if (windows) return
  const refuse = (what: string, hint: string): never => {
    throw failure('config', `plugin ${name} is refused: ${what}`, { hint, code: 'plugin-unsafe' })
  }
  for (const each of new Set([file, realpathSync(file)])) {
    const { mode, uid } = statSync(each)
    if (!isOurs(uid)) refuse(`${each} belongs to somebody else`, `chown it to yourself if you know what it does`)
    if (mode & 0o022) refuse(`${each} can be changed by other users`, `chmod go-w ${each}`)
    for (let folder = path.dirname(each), near = true; ; folder = path.dirname(folder), near = false) {
      const above = statSync(folder)
      const open = near ? (above.mode & 0o022) !== 0 : (above.mode & 0o1002) === 0o002
      if (!isOurs(above.uid)) refuse(`${folder} belongs to somebody else`, 'move the plugin to a folder of yours')
      if (open) refuse(`${folder} can be changed by other users`, `chmod go-w ${folder}`)
      if (folder === path.dirname(folder)) break
    }
  }
  if (form === 'executable' && !isExecutable(file)) refuse(`${file} is not executable`, `chmod u+x ${file}`)
}

/** SHA-256 of the file, in hexadecimal. */
export function sha256Of({ path: file }: Found): string {
  return createHash('sha256')
    .update(readBytes(file) ?? '')
    .digest('hex')
}

/** The person for whom root works, by what sudo and its like say; `undefined` when nobody else is meant. */
export function rootWorksFor(env: Env): { uid: number; gid: number } | undefined {
  if (process.geteuid?.() !== 0) return undefined
  const uid = Number(env['SUDO_UID'] ?? env['PKEXEC_UID'] ?? 0)
  if (!Number.isInteger(uid) || uid <= 0) return undefined
  const gid = Number(env['SUDO_GID'] ?? uid)
  return { uid, gid: Number.isInteger(gid) && gid > 0 ? gid : uid }
}

/** Root's files are everybody's to trust; ours are ours, also when root works for us. */
function isOurs(uid: number): boolean {
  return uid === 0 || uid === process.geteuid?.() || uid === rootWorksFor(process.env)?.uid
}

function isName(name: string): boolean {
  return /^[A-Za-z0-9][\w.-]{0,99}$/.test(name) && !name.includes('..')
}

/** As with the built-in names, a dash is as good as an underscore. */
function spellings(name: string): Set<string> {
  return new Set([name, name.replaceAll('_', '-'), name.replaceAll('-', '_')])
}

/** Absolute folders only: an empty or relative entry would be the working directory. */
function pathFolders(env: Env): string[] {
  const entries = (env['PATH'] ?? env['Path'] ?? '').split(path.delimiter)
  return [...new Set(entries.filter(entry => path.isAbsolute(entry)))]
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
