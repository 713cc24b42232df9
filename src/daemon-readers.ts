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
import { createReaders, type Read } from './readers.ts'
import type { Credentials } from './types.ts'

/** Our own user, root, and `--allow-user`. Fails with kind `config` for a user that there is not. */
export async function createAdmission(
  { allowUser, quiet }: Pick<Settings, 'allowUser' | 'quiet'>,
  listen: Listen,
  log: Log,
): Promise<Admit> {
  if (allowUser.length > 0 && process.platform !== 'linux')
    log.warn('--allow-user has no meaning here: only Linux tells which user asks')
  const allowed = new Set(await Promise.all(allowUser.map(userId)))
  const own = process.geteuid?.()
  if (own !== undefined) allowed.add(own)
  const readers = createReaders({ listen, allowed, named: !quiet })
  const warned = new Set<number | undefined>()
  return async (caller, credentials) => {
    const read = await readers(caller)
    if (read.allowed) {
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
  return [now.toISOString().replace(/\.\d+/, ''), what, 'read from', from, ...who].join(' ')
}
