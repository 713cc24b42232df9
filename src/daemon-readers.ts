/**
 * The users of this machine who may have the credentials, and a line for each time they are read.
 */
import process from 'node:process'
import { roleName } from './arn.ts'
import { failure, isFailure } from './errors.ts'
import type { Listen } from './guard.ts'
import type { Log } from './log.ts'
import type { Admit } from './metadata.ts'
import type { Settings } from './options.ts'
import { findUser } from './privilege.ts'
import { createReaders, type Caller, type Read } from './readers.ts'
import { awsTime } from './tokens.ts'
import type { Credentials } from './types.ts'

/** Who has read the credentials since the start; the JSON of `status`. */
export interface Client {
  /** `null` where the system does not tell. */
  readonly program: string | null
  readonly uid: number | null
  readonly reads: number
  /** Of the last one, ISO 8601. */
  readonly last: string
}

export interface Admission {
  readonly admit: Admit
  /** The last one first. */
  clients(): readonly Client[]
}

/** Programs that are told apart; a machine has few, and one that renames itself is not to fill the memory. */
const mostClients = 50

/** Our own user, root, and `--allow-user`. Fails with kind `config` for a user that there is not. */
export async function createAdmission(
  { allowUser, quiet }: Pick<Settings, 'allowUser' | 'quiet'>,
  listen: Listen,
  log: Log,
): Promise<Admission> {
  if (allowUser.length > 0 && process.platform !== 'linux')
    log.warn('--allow-user has no meaning here: only Linux tells which user asks')
  const allowed = new Set(await Promise.all(allowUser.map(userId)))
  const own = process.geteuid?.()
  if (own !== undefined) allowed.add(own)
  const readers = createReaders({ listen, allowed, named: !quiet })
  const warned = new Set<number | undefined>()
  const clients = new Map<string, Client>()

  function count(read: Read): void {
    const program = read.program ?? null
    const uid = read.uid ?? null
    const key = `${program} ${uid}`
    const reads = (clients.get(key)?.reads ?? 0) + 1
    // A Map keeps the order of insertion.
    clients.delete(key)
    clients.set(key, { program, uid, reads, last: awsTime(new Date()) })
    for (const oldest of clients.keys()) if (clients.size > mostClients) clients.delete(oldest)
  }

  async function admit(caller: Caller, credentials: Credentials): Promise<Response | undefined> {
    const read = await readers(caller)
    if (read.allowed) {
      count(read)
      if (!quiet) log.access(`${auditLine(read, credentials, new Date())}\n`)
      return undefined
    }
    const who = read.uid === undefined ? 'nobody known' : `user id ${read.uid}`
    if (!warned.has(read.uid) && warned.size < 100)
      log.warn(`credentials refused to ${who}`, read.uid === undefined ? undefined : `--allow-user ${read.uid}`)
    warned.add(read.uid)
    const text = `Request denied from ${who}`
    const headers = { 'Content-Type': 'text/plain', 'Content-Length': String(text.length), Connection: 'close' }
    return new Response(text, { status: 401, headers })
  }

  return { admit, clients: () => [...clients.values()].toReversed() }
}

async function userId(text: string): Promise<number> {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  try {
    return (await findUser({ systemUsername: text, env: {} }))?.uid ?? 0
  } catch (error) {
    if (!isFailure(error) || error.kind !== 'config') throw error
    throw failure('config', error.message, { hint: '--allow-user NAME, as listed by id NAME', cause: error })
  }
}

/** `2026-11-22T11:17:06Z credentials of Read-Only-Role (key …ABCD) read from 127.0.0.1:51234 by user id 1000 with aws` */
function auditLine({ caller, uid, program }: Read, credentials: Credentials, now: Date): string {
  const what = `credentials of ${roleName(credentials.roleArn)} (key …${credentials.accessKeyId.slice(-4)})`
  const from = `${caller.address}:${caller.port}`
  const who = [uid !== undefined && `by user id ${uid}`, program !== undefined && `with ${program}`].filter(Boolean)
  return [awsTime(now), what, 'read from', from, ...who].join(' ')
}
