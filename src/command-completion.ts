/**
 * `completion SHELL`: a script for the shell, to be sourced or put where the shell looks for such.
 */
import { completionFor, completionShells, isCompletionShell } from './completion.ts'
import type { Grammar } from './completion-words.ts'
import { failure } from './errors.ts'
import { createLog } from './log.ts'

export function completionCommand(shell: string | undefined, grammar: Grammar): number {
  if (shell === undefined || !isCompletionShell(shell)) {
    const message = shell === undefined ? 'completions for which shell?' : `no completions for ${shell}`
    throw failure('usage', message, { hint: `cloudtoken completion ${completionShells.join('|')}` })
  }
  createLog().print(completionFor(shell, grammar))
  return 0
}
