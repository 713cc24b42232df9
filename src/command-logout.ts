/**
 * `logout` and `-U`: nothing of a login stays on this machine. No password is asked for.
 */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { sessionOf, type Context } from './command-context.ts'
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
  await (session ?? (await sessionOf(context, { signer: 'saml-response' }))).forget()
  const identities = path.join(paths.state, 'identities')
  if (!session) remove(identities)
  // No secret of anybody is left that the keys would open.
  if (!existsSync(identities) || readdirSync(identities).length === 0) await context.vault.forget()
  log.info('removed the credentials, the session at the identity provider, and the stored password')
  return 0
}
