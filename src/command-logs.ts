/**
 * `logs [-f]`: what a daemon in the background has written.
 */
import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { logFile } from './command-background.ts'
import { optionsOnly, type Flags } from './command-context.ts'
import { findDaemons, hostOf } from './daemon-control.ts'
import { failure } from './errors.ts'
import { findPaths, type Paths } from './paths.ts'
import { createLog, type Log } from './log.ts'
import { parseListen } from './serve.ts'

export async function logsCommand(flags: Flags): Promise<number> {
  const paths = findPaths(process.env, optionsOnly(flags, process.env).configDir)
  const file = await chooseFile(flags, paths)
  const log = createLog()
  let seen = copy(file, undefined, log)
  if (!seen) throw failure('no-daemon', `there is no log ${file}`, { hint: 'cloudtoken -d --background' })
  while (flags['follow']) {
    await delay(300)
    seen = copy(file, seen, log) ?? seen
  }
  return 0
}

/** The one that is named, else of the daemon that runs, else the last that was written. */
async function chooseFile(flags: Flags, paths: Paths): Promise<string> {
  if (typeof flags['listen'] === 'string') return logFile(paths, parseListen(flags['listen']))
  const folder = path.dirname(logFile(paths, { hostname: 'x', port: 0 }))
  const running = (await findDaemons(process.env, paths)).map(({ status }) =>
    logFile(paths, parseListen(hostOf(status))),
  )
  const last = newest([...running.filter(isThere)]) ?? newest(filesIn(folder))
  if (last !== undefined) return last
  if (running.length > 0) {
    throw failure(
      'no-daemon',
      'the daemon writes to the terminal or to the service it was started from, not to a log',
      {
        hint: 'cloudtoken -d --background',
      },
    )
  }
  throw failure('no-daemon', 'no daemon has written a log', { hint: 'cloudtoken -d --background' })
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter(name => name.endsWith('.log'))
      .map(name => path.join(folder, name))
  } catch {
    return []
  }
}

function isThere(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined
}

function newest(files: readonly string[]): string | undefined {
  const time = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
  return files.toSorted((a, b) => time(b) - time(a))[0]
}

interface Seen {
  readonly inode: number
  readonly end: number
}

/** Prints what has been added since; all of it where another file stands there now. `undefined`: no file. */
function copy(file: string, seen: Seen | undefined, log: Log): Seen | undefined {
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return undefined
  }
  try {
    const { ino: inode, size } = fstatSync(fd)
    const from = seen?.inode === inode && seen.end <= size ? seen.end : 0
    const bytes = new Uint8Array(size - from)
    const length = readSync(fd, bytes, 0, bytes.length, from)
    // A line at a time: characters of several bytes stay whole.
    const end = bytes.lastIndexOf(0x0a, length - 1) + 1
    if (end > 0) log.write(new TextDecoder().decode(bytes.subarray(0, end)))
    return { inode, end: from + end }
  } finally {
    closeSync(fd)
  }
}
