/**
 * `env`: assignments for a shell to evaluate, from the cached set or a sign-in at the terminal. `-e`: the file of the last run.
 */
import type { Context } from './command-context.ts'
import { obtainCredentials } from './command-obtain.ts'
import { readExport, shellOf, shellVariableNames, shellVariables } from './exporter-shell.ts'
import { assignments } from './shell.ts'

/** With `--unset` the lines that take the variables away again; nobody has to sign in for that. */
export async function envCommand(context: Context): Promise<number> {
  const shell = context.settings.json ? 'json' : shellOf(context.settings, context.env)
  if (context.settings.unset) {
    context.log.write(assignments(shell, Object.fromEntries(shellVariableNames.map(name => [name, undefined]))))
    return 0
  }
  const { credentials } = await obtainCredentials(context)
  context.log.write(assignments(shell, shellVariables(credentials)))
  return 0
}

export function exportCommand({ settings, paths, clock, log }: Context): number {
  log.write(readExport({ settings, paths, now: clock.now() }))
  return 0
}
