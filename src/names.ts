/**
 * The nearest right name, for what a person mistyped.
 */
import { distance } from 'fastest-levenshtein'
import { failure, type Failure } from './errors.ts'

/** A failure whose hint is the nearest known name, or all of them. */
export function unknownName(
  message: string,
  name: string,
  known: readonly string[],
  kind: 'config' | 'usage' = 'config',
): Failure {
  const near = nearest(name, known)
  return failure(kind, message, { hint: near ? `did you mean ${near}?` : `one of ${known.join(', ')}` })
}

/** The known name that takes the fewest edits, if a third of the letters or fewer are wrong; two always may be, but of a short name. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const limit = Math.max(name.length < 4 ? 1 : 2, Math.floor(name.length / 3))
  const ranked = known
    .map(candidate => ({ candidate, edits: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits)
  const best = ranked[0]
  return best && best.edits <= limit ? best.candidate : undefined
}
