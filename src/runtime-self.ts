/**
 * How this same program is started again.
 */
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { bun, isCompiled } from './runtime.ts'

/** What starts this same program again; its own arguments go after `args`. */
export function selfCommand(): { command: string; args: readonly string[] } {
  const command = process.execPath
  if (isCompiled()) return { command, args: [] }
  // A bundle is its own main file; the source has it beside this one.
  const main = import.meta.url.endsWith('.ts') ? new URL('./main.ts', import.meta.url) : import.meta.url
  return { command, args: bun ? [fileURLToPath(main)] : ['run', '-A', fileURLToPath(main)] }
}

/** The same for the very program that runs, though another version took its place or its folder is closed to us now. */
export function runningCommand(): ReturnType<typeof selfCommand> {
  const self = selfCommand()
  return isCompiled() && process.platform === 'linux' ? { ...self, command: '/proc/self/exe' } : self
}
