/**
 * `logout` and `-U`: nothing of a login stays on this machine. No password is asked for.
 */
import path from 'node:path'
import { sessionOf, type Context } from './command-context.ts'
import { isFailure } from './errors.ts'
import { findExporter } from './exporters.ts'
import { remove } from './files.ts'
import { exportersOf } from './identity.ts'

export async function logoutCommand(context: Context): Promise<number> {
  const { config, settings, paths, env, log } = context
  for (const name of exportersOf(config)) {
    const exporter = await findExporter(name)
    await exporter.forget?.({ settings, paths, env, daemon: false, log })
  }
  remove(path.join(paths.state, 'quick'))
  const session = await sessionOf(context).catch((error: unknown) => {
    if (isFailure(error) && error.code === 'provider-none') return undefined
    throw error
  })
  await session?.forget()
  // With nobody configured there is nobody to keep anything for.
  if (!session) remove(path.join(paths.state, 'identities'))
  log.info('removed the credentials, the session at the identity provider, and the stored password')
  return 0
}
