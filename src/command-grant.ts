/**
 * `grant`: a token of the running daemon for one client, which may do less than the role.
 */
import { readScope } from './chain.ts'
import type { Flags } from './command-context.ts'
import { meant } from './command-control.ts'
import { askDaemon } from './control.ts'
import { clientLines } from './daemon-container.ts'
import type { Granted, GrantOrder } from './daemon-grants.ts'
import { createLog } from './log.ts'

/** STS gives no shorter session. */
const shortest = 900

export async function grantCommand(flags: Flags): Promise<number> {
  const { file } = await meant(flags)
  const { policy, role } = flags
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
