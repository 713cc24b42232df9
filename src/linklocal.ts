/**
 * The addresses of the instance metadata service, 169.254.169.254 and fd00:ec2::254, on the loopback device, with the
 * machine left as it was found. Linux forgets it at the next boot, and so do macOS and `store=active` on Windows.
 */
import { accessSync, constants } from 'node:fs'
import { isIP } from 'node:net'
import { codeOf, failure, isFailure, messageOf } from './errors.ts'
import { withLock } from './lock.ts'
import {
  deviceName,
  findDevice,
  linkDeps,
  missingPrivilege,
  platformOf,
  runTool,
  type LinkDeps,
} from './linklocal-platform.ts'
import {
  dropRecord,
  makeFolder,
  ownerRuns,
  readRecord,
  recordedAddresses,
  recordFile,
  startTime,
  writeRecord,
  type LinkRecord,
} from './linklocal-record.ts'

export const metadataAddress = '169.254.169.254'
/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html */
export const metadataAddress6 = 'fd00:ec2::254'

export function isMetadataAddress(hostname: string): boolean {
  return hostname === metadataAddress || hostname === metadataAddress6
}

export interface Added {
  /** True when it is ours to remove: added now, or left behind by a cloudtoken that is gone. */
  readonly added: boolean
  readonly device: string
  /** Another cloudtoken that added it and still runs. */
  readonly owner?: number
}

/**
 * Makes sure that the machine has the address; repeating it changes nothing. What is there already and not in our
 * record belongs to somebody else and is left alone, for ever. `keep` is `cloudtoken link up`: it outlives us.
 * `beforeAdding` runs between record and address: who cleans up has to be at its post when there is something to clean.
 * Rejects with kind `address`: no privilege, no tool, or a system that says no.
 */
export async function addAddress(
  address: string,
  deps: LinkDeps = linkDeps(),
  options: { keep?: boolean; beforeAdding?: () => Promise<unknown> } = {},
): Promise<Added> {
  if (isIP(address) === 0 || address.includes('%')) {
    throw failure('address', `${JSON.stringify(address)} is not an address`)
  }
  await guardDone(address, deps)
  const here = async (): Promise<Added | undefined> => {
    const found = await standing(address, deps)
    return found && (!options.keep || !readRecord(address, deps)) ? found : undefined
  }
  // Nobody has to be root to use what is there.
  const found = await here()
  if (found) return found
  return await locked(address, deps, async () => {
    const late = await here()
    if (late) return late
    const mine: LinkRecord = { address, device: deviceName(deps.platform), ...(!options.keep && (await owner(deps))) }
    writeRecord(mine, deps)
    await options.beforeAdding?.()
    return { added: true, device: (await findDevice(address, deps)) ?? (await bringUp(address, deps)) }
  })
}

/** There, and not ours to remove: somebody else's, kept, or for another cloudtoken that runs. */
async function standing(address: string, deps: LinkDeps): Promise<Added | undefined> {
  const device = await findDevice(address, deps)
  if (!device) return undefined
  const record = readRecord(address, deps)
  if (record?.pid === undefined) return { added: false, device }
  if (record.pid === deps.pid || !(await ownerRuns(record, deps))) return undefined
  return { added: false, device, owner: record.pid }
}

async function bringUp(address: string, deps: LinkDeps): Promise<string> {
  try {
    const { code, stderr } = await runTool(platformOf(deps.platform).add(address), deps)
    // Windows first makes sure that nobody else has the address.
    const device = await until(() => findDevice(address, deps), code === 0 ? 3000 : 0, deps)
    if (device) return device
    throw refused(`cannot add ${address} to ${deviceName(deps.platform)}`, stderr, deps)
  } catch (error) {
    dropRecord(address, deps)
    throw error
  }
}

/**
 * Takes the address away if, and only if, the record says that we added it. Not from under another cloudtoken that
 * uses it: that is a failure of kind `address`.
 */
export async function removeAddress(address: string, deps: LinkDeps = linkDeps()): Promise<{ removed: boolean }> {
  if (!readRecord(address, deps)) return { removed: false }
  return await locked(address, deps, async () => {
    const record = readRecord(address, deps)
    if (!record) return { removed: false }
    if (record.pid !== deps.pid && (await ownerRuns(record, deps))) {
      const message = `${address} is in use by the cloudtoken with process id ${record.pid}`
      throw failure('address', message, { hint: 'cloudtoken stop', code: 'address-in-use' })
    }
    const removed = await bringDown(address, deps)
    dropRecord(address, deps)
    return { removed }
  })
}

async function bringDown(address: string, deps: LinkDeps): Promise<boolean> {
  if (!(await findDevice(address, deps))) return false
  const { stderr } = await runTool(platformOf(deps.platform).remove(address), deps)
  const gone = await until(async () => !(await findDevice(address, deps)) || undefined, 1000, deps)
  if (!gone) throw refused(`cannot remove ${address} from ${deviceName(deps.platform)}`, stderr, deps)
  return true
}

/**
 * Puts right what a cloudtoken left behind whose guard process was killed with it. Answers with the addresses that it
 * took away. Needs root; the start of the daemon as root and `cloudtoken link down` are the places for it.
 */
export async function repair(deps: LinkDeps = linkDeps()): Promise<string[]> {
  const repaired: string[] = []
  for (const address of recordedAddresses(deps)) {
    await guardDone(address, deps)
    const record = readRecord(address, deps)
    if (!record || (await ownerRuns(record, deps))) continue
    if (record.pid === undefined && (await findDevice(address, deps))) continue
    if ((await removeAddress(address, deps)).removed) repaired.push(address)
  }
  return repaired
}

export interface LinkStatus {
  readonly address: string
  /** Where it is; absent when the machine does not have it. */
  readonly device?: string
  /** Ours, to stay until `cloudtoken link down`; ours for a running process; left behind; or not ours at all. */
  readonly state: 'absent' | 'kept' | 'in-use' | 'left-behind' | 'foreign'
  /** The process it was added for. */
  readonly pid?: number
}

/** Needs no root. */
export async function linkStatus(address: string, deps: LinkDeps = linkDeps()): Promise<LinkStatus> {
  const device = await findDevice(address, deps)
  if (!device) return { address, state: 'absent' }
  const record = readRecord(address, deps)
  if (!record) return { address, device, state: 'foreign' }
  if (record.pid === undefined) return { address, device, state: 'kept' }
  return { address, device, state: (await ownerRuns(record, deps)) ? 'in-use' : 'left-behind', pid: record.pid }
}

/** The guard of a process that just ended may still be at its work; not to be overtaken by its successor. */
async function guardDone(address: string, deps: LinkDeps): Promise<void> {
  const record = readRecord(address, deps)
  if (!record || record.pid === undefined || record.pid === deps.pid || (await ownerRuns(record, deps))) return
  await until(async () => !readRecord(address, deps) || undefined, 1000, deps)
}

async function owner(deps: LinkDeps): Promise<Pick<LinkRecord, 'pid' | 'started'>> {
  const started = await startTime(deps.pid, deps)
  if (started === undefined) throw failure('unexpected', `there is no process ${deps.pid}`)
  return { pid: deps.pid, started }
}

/** One cloudtoken at a time; where the record cannot be written, the address could not be added either. */
async function locked<T>(address: string, deps: LinkDeps, work: () => Promise<T>): Promise<T> {
  try {
    makeFolder(deps)
    // The lock would be tried for ten seconds.
    accessSync(deps.folder, constants.W_OK)
    return await withLock(recordFile(address, deps), work)
  } catch (error) {
    if ((isFailure(error) && error.kind === 'config') || codeOf(error) === 'EACCES')
      throw refused(`cannot configure ${address}`, messageOf(error), deps)
    throw error
  }
}

function refused(what: string, stderr: string, deps: LinkDeps) {
  const lacking = missingPrivilege(deps)
  if (lacking)
    return failure('address', `${what}: ${lacking.reason}`, { hint: lacking.hint, code: 'address-privilege' })
  const said = stderr.trim().split('\n')[0]
  return failure('address', said ? `${what}: ${said}` : what, { code: 'address-refused' })
}

async function until<T>(look: () => Promise<T | undefined>, ms: number, deps: LinkDeps): Promise<T | undefined> {
  for (let waited = 0; ; waited += 50) {
    const found = await look()
    if (found !== undefined || waited >= ms) return found
    await deps.sleep(50)
  }
}
