/**
 * `grant`: a token of the running daemon for one client, which may do less than the role.
 */
import path from 'node:path'
import { readScope } from './chain.ts'
import type { Flags } from './command-context.ts'
import { meant } from './command-control.ts'
import { askDaemon } from './control.ts'
import { clientLines } from './daemon-container.ts'
import type { Granted, GrantOrder } from './daemon-grants.ts'
import { failure } from './errors.ts'
import { createLog } from './log.ts'

/** STS gives no shorter session. */
const shortest = 900

export async function grantCommand(flags: Flags): Promise<number> {
  const { file } = await meant(flags)
  const { policy, role, revoke } = flags
  if (typeof revoke === 'string') return await revokeGrants(file, revoke, flags)
  const ttl = typeof flags['ttl'] === 'number' ? flags['ttl'] : undefined
  const order: GrantOrder = {
    role: typeof role === 'string' ? role : undefined,
    scope: readScope(typeof policy === 'object' ? policy : [], '--policy'),
    ttl,
    seconds: ttl === undefined || ttl >= 3600 ? undefined : Math.max(ttl, shortest),
  }
  const granted = (await askDaemon(file, 'grant', JSON.stringify(order))) as Granted
  const log = createLog()
  log.print(flags['json'] ? JSON.stringify(granted, undefined, 2) : clientLines(granted).join('\n'))
  return 0
}

async function revokeGrants(socket: string, which: string, flags: Flags): Promise<number> {
  const more = ['role', 'policy', 'ttl'].find(name => flags[name] !== undefined)
  if (more !== undefined) throw failure('usage', `--${more} does not go with --revoke`)
  // The daemon is in another folder.
  const ended = (await askDaemon(socket, 'revoke', which === 'all' ? which : path.resolve(which))) as Granted[]
  const log = createLog()
  if (flags['json']) log.print(JSON.stringify(ended, undefined, 2))
  else for (const { role } of ended) log.print(`the token for ${role} has ended`)
  return 0
}
