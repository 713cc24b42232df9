/**
 * `logout` and `-U`: nothing of a login stays on this machine. No password is asked for.
 */
import path from 'node:path'
import { sessionOf, type Context } from './command-context.ts'
import { remove } from './files.ts'

export async function logoutCommand(context: Context): Promise<number> {
  const session = await sessionOf(context)
  await session.forget()
  remove(path.join(context.paths.state, 'quick'))
  context.log.info('removed the credentials, the session at the identity provider, and the stored password')
  return 0
}
