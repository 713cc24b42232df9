/**
 * `env`: assignments for a shell to evaluate, from the cached set or a sign-in at the terminal. `-e`: the file of the last run.
 */
import type { Context } from './command-context.ts'
import { obtainCredentials } from './command-obtain.ts'
import { readExport, shellOf, shellVariables } from './exporter-shell.ts'
import { assignments } from './shell.ts'

export async function envCommand(context: Context): Promise<number> {
  const { credentials } = await obtainCredentials(context)
  context.log.write(assignments(shellOf(context.settings, context.env), shellVariables(credentials)))
  return 0
}

export function exportCommand({ settings, paths, clock, log }: Context): number {
  log.write(readExport({ settings, paths, now: clock.now() }))
  return 0
}
