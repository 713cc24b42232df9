/**
 * What a shell is told about the command line, from the same tables as the help.
 */
import { bashCompletion } from './completion-bash.ts'
import { fishCompletion } from './completion-fish.ts'
import { powershellCompletion } from './completion-powershell.ts'
import type { Grammar } from './completion-words.ts'
import { zshCompletion } from './completion-zsh.ts'

const shells = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
  powershell: powershellCompletion,
} as const satisfies Record<string, (grammar: Grammar) => string>

export type CompletionShell = keyof typeof shells

export const completionShells = Object.keys(shells) as CompletionShell[]

export function isCompletionShell(name: string): name is CompletionShell {
  return Object.hasOwn(shells, name)
}

/** The script that the shell sources, without the last end of line. */
export function completionFor(shell: CompletionShell, grammar: Grammar): string {
  return shells[shell](grammar).trimEnd()
}
