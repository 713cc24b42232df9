/**
 * The command without a name, and the older spellings of the others.
 */
import type { Invocation } from './command.ts'
import { failure } from './errors.ts'

export async function bareCommand({ flags, argv, handover }: Invocation): Promise<number> {
  const few = ['all', 'dry-run'].find(name => flags[name])
  const other = ['daemon', 'init', 'unset', 'export'].find(name => flags[name])
  if (few && other) throw failure('usage', `--${few} does not go with --${other}`)
  if (flags['all'] && flags['role'] !== undefined) {
    throw failure('usage', '--all does not go with --role', { hint: 'cloudtoken --all --filter REGEX' })
  }
  if (flags['also-role'] !== undefined && !flags['daemon']) {
    const hint = 'cloudtoken -d --container-endpoint 127.0.0.1:9912 --role NAME --role NAME'
    throw failure('usage', 'several roles are for the daemon', { hint })
  }
  const idle = ['background', 'listen', 'container-endpoint'].find(name => flags[name] !== undefined)
  if (idle !== undefined && !flags['daemon']) {
    const hint = `cloudtoken -d --${idle}${flags[idle] === true ? '' : ` ${String(flags[idle])}`}`
    throw failure('usage', `--${idle} is for the daemon`, { hint })
  }
  if (flags['daemon']) {
    const { daemonCommand } = await import('./command-daemon.ts')
    return await daemonCommand({ flags, argv, handover })
  }
  if (flags['init']) {
    const { initCommand } = await import('./command-init.ts')
    return await initCommand(flags)
  }
  const { createContext } = await import('./command-context.ts')
  const context = await createContext(flags)
  if (flags['unset']) {
    const { logoutCommand } = await import('./command-logout.ts')
    return await logoutCommand(context)
  }
  if (flags['export']) {
    const { exportCommand } = await import('./command-env.ts')
    return exportCommand(context)
  }
  if (flags['all']) {
    const { allCommand } = await import('./command-all.ts')
    return await allCommand(context)
  }
  const { signInCommand } = await import('./command-sign-in.ts')
  return await signInCommand(context)
}
