/**
 * Text of a page while it is walked: two running transcripts, from which the text of any element is a slice.
 */

export interface Transcript {
  /** Everything; labels of fields that a script will show are in it. */
  readonly all: string
  /** What is shown. */
  readonly seen: string
}

/** A place in both transcripts. */
export interface Place {
  readonly all: number
  readonly seen: number
}

const inline = new Set(
  'a abbr b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp small span strong sub sup time tt u var wbr'.split(
    ' ',
  ),
)

/** Words on both sides of such an element are not one word. */
export function isBlock(name: string): boolean {
  return !inline.has(name)
}

/** White space folded; control characters and marks that turn the direction of text are dropped, since it is printed. */
export function fold(text: string): string {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, '').replace(/[\s\p{Cc}]+/gu, ' ').trim()
}

/** Long enough for any message, too short for a page. */
export function excerpt(text: string): string {
  const folded = fold(text)
  return folded.length > 500 ? `${folded.slice(0, 499)}…` : folded
}
