/**
 * What a command is: a name, its options, and what it does with the words that were typed.
 */
import type { Context, Flags } from './command-context.ts'
import type { CommandSummary } from './help.ts'
import type { OptionTable } from './option.ts'

export interface Invocation {
  readonly flags: Flags
  /** Words that are no options, after the name of the command. */
  readonly words: readonly string[]
  /** All words as they were typed, and in long form. */
  readonly typed: readonly string[]
  readonly argv: readonly string[]
  readonly handover: string | undefined
}

export interface Command extends CommandSummary {
  readonly options: OptionTable
  readonly positionals?: number
  /** The exit code. */
  run(invocation: Invocation): Promise<number>
}

/** For a command that stands on configuration and a session; both are loaded when it runs. */
export function withContext(
  run: (context: Context, invocation: Invocation) => Promise<number>,
): (invocation: Invocation) => Promise<number> {
  return async invocation => {
    const { createContext } = await import('./command-context.ts')
    return await run(await createContext(invocation.flags), invocation)
  }
}
