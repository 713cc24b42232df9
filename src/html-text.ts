/**
 * Text of a page while it is walked: two running transcripts, from which the text of any element is a slice.
 */

/** A place in both transcripts. */
export interface Place {
  readonly all: number
  readonly seen: number
}

export interface Transcript {
  /** `shown`: not in a hidden element. */
  add(text: string, shown: boolean): void
  breakLine(): void
  here(): Place
  /** Shown text from there to here, at most two thousand characters of it. */
  shownSince(place: Place): string
  /** The same; where nothing was shown, what is hidden: labels of fields that a script will show. */
  textSince(place: Place): string
  /** The last shown line between there and here. */
  lastLineSince(place: Place): string
  firstLineSince(place: Place): string
  shown(): string
}

/** Capped, or a thousand nested elements would cost a million characters each. */
const longestText = 2000

export function createTranscript(): Transcript {
  // Lists of chunks: slices of a growing string would copy it each time.
  const all: string[] = []
  const seen: string[] = []
  const lineEnd = '\n'
  const isBlank = (chunk: string | undefined): boolean => chunk === undefined || chunk.trim() === ''
  const take = (chunks: readonly string[], from: number, to: number): string => {
    let text = ''
    for (let at = from; at < to && text.length < longestText; at += 1) text += (chunks[at] ?? '').slice(0, longestText)
    return fold(text)
  }
  const shownSince = (place: Place): string => take(seen, place.seen, seen.length)
  return {
    add(text, shown) {
      const folded = text.replace(/\s+/g, ' ')
      all.push(folded)
      if (shown) seen.push(folded)
    },
    breakLine() {
      if (all.at(-1) !== lineEnd) all.push(lineEnd)
      if (seen.at(-1) !== lineEnd) seen.push(lineEnd)
    },
    here: () => ({ all: all.length, seen: seen.length }),
    shownSince,
    textSince: place => shownSince(place) || take(all, place.all, all.length),
    lastLineSince(place) {
      let end = seen.length
      while (end > place.seen && isBlank(seen[end - 1])) end -= 1
      let start = end
      while (start > place.seen && seen[start - 1] !== lineEnd) start -= 1
      return take(seen, start, end)
    },
    firstLineSince(place) {
      let start = place.seen
      while (start < seen.length && isBlank(seen[start])) start += 1
      const end = seen.indexOf(lineEnd, start)
      return take(seen, start, end < 0 ? seen.length : end)
    },
    shown: () => fold(seen.join('')),
  }
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
  return text
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, '')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
}

/** Long enough for any message, too short for a page. */
export function excerpt(text: string): string {
  const folded = fold(text.slice(0, longestText))
  return folded.length > 500 ? `${folded.slice(0, 499)}…` : folded
}

/** What the elements say that an attribute lists by their ids: as many as mean anything. */
export function textsNamed(ids: string | undefined, texts: ReadonlyMap<string, string>): string[] {
  return (ids ?? '').split(/\s+/, 20).flatMap(id => texts.get(id) || [])
}
