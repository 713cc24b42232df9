/**
 * The record of an address we add: written before it is added, removed after it is removed, so that whoever comes next
 * can put the machine right after a power cut or a SIGKILL, and so that nobody else's address is ever touched.
 */
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { isIP, isIPv4 } from 'node:net'
import path from 'node:path'
import process from 'node:process'
import { failure } from './errors.ts'
import { ensureFolder, readText, remove, writeFile } from './files.ts'
import { readFields } from './json.ts'
import { deviceName, platformOf, runTool, type LinkDeps } from './linklocal-platform.ts'

export interface LinkRecord {
  readonly address: string
  readonly device: string
  /** For whom it was added; without one it stays until `cloudtoken link down`. */
  readonly pid?: number
  /** When that process started, as the system words it: a process id alone is used again. */
  readonly started?: string
}

/** Without colons, which Windows takes for something else. */
export function recordFile(address: string, deps: LinkDeps): string {
  return path.join(deps.folder, `${address.replaceAll(':', '-')}.json`)
}

/** One line, so that a shell can compare it. */
function recordText(record: LinkRecord): string {
  return JSON.stringify(record)
}

/** `undefined` for none, and for one that an ordinary user may have written. */
export function readRecord(address: string, deps: LinkDeps): LinkRecord | undefined {
  const file = recordFile(address, deps)
  // Looked at before it is opened: a pipe in its place would keep root waiting.
  if (!isTrusted(deps.folder, deps) || !isTrusted(file, deps)) return undefined
  const { address: named, pid, started } = readFields(readText(file))
  if (named !== address) return undefined
  const owner = typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 0 && typeof started === 'string'
  return { address, device: deviceName(deps.platform), ...(owner && { pid, started }) }
}

/** Every address of which there is a record. */
export function recordedAddresses(deps: LinkDeps): string[] {
  try {
    const names = readdirSync(deps.folder).filter(name => name.endsWith('.json'))
    return names
      .map(name => name.slice(0, -'.json'.length))
      .map(name => (isIPv4(name) ? name : name.replaceAll('-', ':')))
      .filter(name => isIP(name) !== 0)
  } catch {
    return []
  }
}

/** Readable for everyone, whatever the umask: `cloudtoken status` is run by ordinary users. */
export function makeFolder(deps: LinkDeps): void {
  const umask = process.umask(0o022)
  try {
    ensureFolder(deps.folder, 0o755)
  } finally {
    process.umask(umask)
  }
}

export function writeRecord(record: LinkRecord, deps: LinkDeps): void {
  if (!isTrusted(deps.folder, deps)) {
    const hint = `sudo rm -r ${deps.folder}`
    throw failure('address', `${deps.folder} belongs to another user, or others may write there`, { hint })
  }
  writeFile(recordFile(record.address, deps), `${recordText(record)}\n`, 0o644)
}

export function dropRecord(address: string, deps: LinkDeps): void {
  remove(recordFile(address, deps))
}

/** Whether the process for which the address was added still runs. */
export async function ownerRuns(record: LinkRecord, deps: LinkDeps): Promise<boolean> {
  if (record.pid === undefined) return false
  return (await startTime(record.pid, deps)) === record.started
}

/** Different for every process that ever had this id since the machine started; `undefined` when none has it now. */
export async function startTime(pid: number, deps: LinkDeps): Promise<string | undefined> {
  const { started } = platformOf(deps.platform)
  if (started) return (await runTool(started(pid), deps)).stdout.trim() || undefined
  try {
    // proc_pid_stat(5): the name is in parentheses and may hold anything; field 3 is the state, field 22 the start.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[22 - 3]
  } catch {
    return undefined
  }
}

/** There, no link or pipe, and not in the hands of a user who is neither root nor who we are (a service with ambient capabilities). */
function isTrusted(file: string, deps: LinkDeps): boolean {
  if (deps.platform === 'win32') return true
  const found = lstatSync(file, { throwIfNoEntry: false })
  if (!found?.isFile() && !found?.isDirectory()) return false
  return (found.uid === 0 || found.uid === process.geteuid?.()) && (found.mode & 0o022) === 0
}
