/**
 * `logout` and `-U`: nothing of a login stays on this machine. No password is asked for.
 */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { sessionOf, type Context } from './command-context.ts'
import { findDaemons, hostOf } from './daemon-control.ts'
import { tokenKeyName } from './daemon.ts'
import { isFailure } from './errors.ts'
import { remove } from './files.ts'

export async function logoutCommand(context: Context): Promise<number> {
  const { paths, log } = context
  remove(path.join(paths.state, 'quick'))
  const session = await sessionOf(context).catch((error: unknown) => {
    if (!isFailure(error) || error.kind === 'cancelled') throw error
    if (error.code !== 'provider-none') log.warn(error.message, error.hint)
    return undefined
  })
  // Where nobody can sign in there still is what the exporters wrote, and what was kept for anybody.
  const forgotten = await (session ?? (await sessionOf(context, { signer: 'saml-response' }))).forget()
  const identities = path.join(paths.state, 'identities')
  if (!session) remove(identities)
  const daemons = await findDaemons(process.env, paths)
  if (!existsSync(identities) || readdirSync(identities).length === 0) {
    // No secret of anybody is left that the keys would open.
    await context.vault.forget()
    if (daemons.length === 0)
      for (const name of ['identities', 'log', tokenKeyName]) remove(path.join(paths.state, name))
  }
  log.info(
    `removed the credentials and the session at the identity provider${forgotten ? ', and the stored password' : ''}`,
  )
  if (!forgotten) log.warn('the keyring still has the password', 'unlock it, then cloudtoken logout')
  for (const { status } of daemons)
    log.warn(`the daemon at ${hostOf(status)} goes on with what it has`, `cloudtoken stop --listen ${hostOf(status)}`)
  return 0
}
