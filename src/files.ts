/**
 * The only place that writes files. Every file is born 0600 beside its target, synced, and renamed over it,
 * so that a reader sees the old bytes or the new ones and nothing between.
 */
import type { Buffer } from 'node:buffer'
import {
  accessSync,
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { codeOf, failure, reasonOf, type Failure } from './errors.ts'

/** The text of a file; `undefined` when there is none. */
export function readText(file: string): string | undefined {
  return readBytes(file)?.toString('utf8')
}

export function readBytes(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
    throw trouble('read', file, error)
  }
}

/** A failure with what shows why: the nearest folder there is, or how full the disk is. */
export function trouble(verb: string, file: string, cause: unknown): Failure {
  const code = codeOf(cause)
  const there = verb === 'read' ? file : existing(file)
  const hint =
    code === 'ENOSPC' || code === 'EDQUOT'
      ? `df ${there}`
      : code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
        ? `ls -ld ${there}${verb === 'read' ? '' : '; XDG_CONFIG_HOME and XDG_STATE_HOME name other folders'}`
        : undefined
  return failure('config', `cannot ${verb} ${file}: ${reasonOf(cause)}`, { hint, cause })
}

function existing(file: string): string {
  const folder = path.dirname(file)
  return folder === file || existsSync(folder) ? folder : existing(folder)
}

/** Why nothing can be written to this folder, there already or not; `undefined` when it can. */
export function whyNotWritable(folder: string): Failure | undefined {
  try {
    accessSync(`${existsSync(folder) ? folder : existing(folder)}${path.sep}.`, constants.W_OK)
    return undefined
  } catch (error) {
    return trouble('write', folder, error)
  }
}

/** Creates the folder and its parents, private to the owner. */
export function ensureFolder(folder: string, mode = 0o700): void {
  try {
    mkdirSync(folder, { recursive: true, mode })
  } catch (error) {
    throw trouble('create', folder, error)
  }
}

/** Makes an existing folder of ours private again. */
export function makePrivate(folder: string): void {
  ensureFolder(folder)
  chmodSync(folder, 0o700)
}

/** A new empty folder that goes when it is removed; `owner` gets it when root makes it for somebody. */
export function temporaryFolder(owner?: { uid: number; gid: number }): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'cloudtoken-'))
  if (owner) chownSync(folder, owner.uid, owner.gid)
  return folder
}

/** Replaces the file as a whole; a symbolic link stays and its target is replaced. */
export function writeFile(file: string, data: string | Uint8Array, mode = 0o600): void {
  const target = followLink(file)
  ensureFolder(path.dirname(target))
  const temporary = path.join(path.dirname(target), `.${path.basename(target)}.${process.pid}.${unique()}`)
  try {
    const fd = openSync(temporary, 'wx', 0o600)
    try {
      writeFileSync(fd, data)
      if (mode !== 0o600) fchmodSync(fd, mode)
      keepOwner(fd, target)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, target)
  } catch (error) {
    discard(temporary)
    throw trouble('write', file, error)
  }
}

/** Root that writes in somebody's home, as by sudo, takes neither their files nor what it puts beside them. */
function keepOwner(fd: number, target: string): void {
  if (process.geteuid?.() !== 0) return
  const { uid, gid } = statSync(target, { throwIfNoEntry: false }) ?? statSync(path.dirname(target))
  try {
    if (uid !== 0) fchownSync(fd, uid, gid)
  } catch {
    // In a container the owner may be nobody that can be named.
  }
}

/** Adds to a file of somebody else's, who reads it to its end; its mode stays. A new one is private. */
export function appendText(file: string, text: string): void {
  try {
    appendFileSync(file, text, { mode: 0o600 })
  } catch (error) {
    throw trouble('write', file, error)
  }
}

/** Replaces a program by one that `check` has seen run from the same folder; whoever runs the old one keeps it. */
export async function replaceProgram(
  program: string,
  bytes: Uint8Array,
  check: (staged: string) => Promise<void>,
): Promise<void> {
  const staged = path.join(path.dirname(program), `.${path.basename(program)}.${process.pid}.${unique()}`)
  try {
    writeFile(staged, bytes, 0o755)
    await check(staged)
    renameSync(staged, program)
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    throw trouble('replace', program, error)
  } finally {
    discard(staged)
  }
}

/**
 * Appends to a private file, which is put aside as `FILE.1` once it is larger than `largest` bytes. What cannot be
 * written is lost: a full disk is no reason to end.
 */
export function openLogFile(file: string, largest = 4 * 1024 * 1024): (text: string) => void {
  // Opened for each text, since it may have been moved or removed meanwhile, with its folder.
  const append = (text: string): void => {
    ensureFolder(path.dirname(file))
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > largest) renameSync(file, `${file}.1`)
    const fd = openSync(file, 'a', 0o600)
    try {
      fchmodSync(fd, 0o600)
      writeSync(fd, text)
    } finally {
      closeSync(fd)
    }
  }
  append('')
  return text => {
    try {
      append(text)
    } catch {
      // See above.
    }
  }
}

/** Removing what is not there is success. */
export function remove(file: string): void {
  rmSync(file, { force: true, recursive: true })
}

/** Refuses a file with a secret in it that others may read, and a folder of code that others may write. */
export function checkPrivate(file: string, forbidden: number, platform: NodeJS.Platform = process.platform): void {
  if (platform === 'win32') return
  const { mode } = statSync(file)
  if ((mode & forbidden) === 0) return
  const verb = forbidden & 0o044 ? 'read' : 'changed'
  throw failure('config', `${file} can be ${verb} by other users`, { hint: `chmod go-rwx ${file}` })
}

/** On a read-only file system even removing nothing fails; the first reason is the one to tell. */
function discard(temporary: string): void {
  try {
    rmSync(temporary, { force: true })
  } catch {
    // Never made, or as unreachable as its folder.
  }
}

/** Where a file is, or will be. */
export function followLink(file: string, hops = 0): string {
  try {
    return realpathSync(file)
  } catch {
    const link = readLink(file)
    // A link whose target is yet to be made.
    if (link !== undefined && hops < 40) return followLink(path.resolve(path.dirname(file), link), hops + 1)
    return path.resolve(file)
  }
}

function readLink(file: string): string | undefined {
  try {
    return readlinkSync(file)
  } catch {
    return undefined
  }
}

let counter = 0

function unique(): string {
  counter += 1
  return `${Date.now().toString(36)}${counter.toString(36)}`
}
