/**
 * A command in one text, as the words that start it. No shell: nothing is expanded, and nothing runs beside it.
 */
import { failure } from './errors.ts'

/** Words at blanks; '…' and "…" keep them together, a backslash outside of '…' takes the next letter as it is. */
export function splitWords(text: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let index = 0; index < text.length; index += 1) {
    const letter = text[index] ?? ''
    if (letter === '\\' && quote !== "'") {
      index += 1
      word = (word ?? '') + (text[index] ?? '\\')
    } else if (quote !== '') {
      if (letter === quote) quote = ''
      else word = (word ?? '') + letter
    } else if (letter === "'" || letter === '"') {
      quote = letter
      word ??= ''
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + letter
  }
  if (quote !== '') throw failure('usage', `a ${quote} is not closed in the command`)
  return word === undefined ? words : [...words, word]
}
