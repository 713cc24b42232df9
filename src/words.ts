/**
 * A command in one text, as the words that start it. No shell: nothing is expanded, and nothing runs beside it.
 */
import { failure } from './errors.ts'

/** Words at blanks; '…' and "…" keep them together, and nothing else is special: paths of Windows stay as they are. */
export function splitWords(command: string): string[] {
  if (/["']/.test(command.replace(/"[^"]*"|'[^']*'/g, '')))
    throw failure('usage', `a quote is not closed in the command ${command}`)
  return [...command.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'),
  )
}
