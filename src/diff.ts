/**
 * What an edit changes in a file of sections, as `diff -u` shows it. Sections keep their order, so each is compared with its like.
 */

interface Chunk {
  /** Header, and which of the same header it is. */
  readonly key: string
  readonly lines: readonly string[]
}

/** Empty for equal texts; else hunks that `patch` understands. */
export function unifiedDiff(file: string, before: string, after: string): string {
  const hunks: string[] = []
  let [from, to] = [1, 1]
  for (const [old, fresh] of pairs(chunks(before), chunks(after))) {
    const lines = compare(old, fresh)
    if (lines.some(line => !line.startsWith(' '))) {
      const [start, begin] = [old.length === 0 ? from - 1 : from, fresh.length === 0 ? to - 1 : to]
      hunks.push(`@@ -${start},${old.length} +${begin},${fresh.length} @@\n`, ...lines.map(ended))
    }
    from += old.length
    to += fresh.length
  }
  return hunks.length === 0 ? '' : `--- ${file}\n+++ ${file}\n${hunks.join('')}`
}

function ended(line: string): string {
  return line.endsWith('\n') ? line : `${line}\n\\ No newline at end of file\n`
}

function chunks(text: string): Chunk[] {
  const found: { key: string; lines: string[] }[] = [{ key: '', lines: [] }]
  const seen = new Map<string, number>()
  for (const line of text.match(/[^\n]*\n|[^\n]+$/g) ?? []) {
    if (/^\s*\[/.test(line)) {
      const header = line.trim()
      const count = seen.get(header) ?? 0
      seen.set(header, count + 1)
      found.push({ key: `${header} ${count}`, lines: [line] })
    } else found.at(-1)?.lines.push(line)
  }
  return found
}

type Pair = readonly [old: readonly string[], fresh: readonly string[]]

function pairs(old: readonly Chunk[], fresh: readonly Chunk[]): Pair[] {
  const [before, after] = [new Set(old.map(({ key }) => key)), new Set(fresh.map(({ key }) => key))]
  const found: Pair[] = []
  let [from, to] = [0, 0]
  while (from < old.length || to < fresh.length) {
    const [a, b] = [old[from], fresh[to]]
    if (a && b && (a.key === b.key || (before.has(b.key) && after.has(a.key)))) {
      found.push([a.lines, b.lines])
      from += 1
      to += 1
    } else if (a && !after.has(a.key)) {
      found.push([a.lines, []])
      from += 1
    } else if (b && !before.has(b.key)) {
      found.push([[], b.lines])
      to += 1
    } else {
      // One of the two is at its end.
      found.push([a?.lines ?? [], b?.lines ?? []])
      from += a ? 1 : 0
      to += b ? 1 : 0
    }
  }
  return found
}

/** What both begin and end with stays; only the lines between, which are few, are looked at one by one. */
function compare(old: readonly string[], fresh: readonly string[]): string[] {
  const shorter = Math.min(old.length, fresh.length)
  let head = 0
  while (head < shorter && old[head] === fresh[head]) head += 1
  let tail = 0
  while (tail < shorter - head && old.at(-1 - tail) === fresh.at(-1 - tail)) tail += 1
  const same = (lines: readonly string[]): string[] => lines.map(line => ` ${line}`)
  const inner = longestCommon(old.slice(head, old.length - tail), fresh.slice(head, fresh.length - tail))
  return [...same(old.slice(0, head)), ...inner, ...same(old.slice(old.length - tail))]
}

function longestCommon(old: readonly string[], fresh: readonly string[]): string[] {
  const longest = Array.from({ length: old.length + 1 }, () => Array.from({ length: fresh.length + 1 }, () => 0))
  const at = (row: number, column: number): number => longest[row]?.[column] ?? 0
  for (let row = old.length - 1; row >= 0; row -= 1) {
    for (let column = fresh.length - 1; column >= 0; column -= 1) {
      const same = old[row] === fresh[column]
      const value = same ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1))
      longest[row]?.splice(column, 1, value)
    }
  }
  const lines: string[] = []
  let [row, column] = [0, 0]
  while (row < old.length || column < fresh.length) {
    if (row < old.length && column < fresh.length && old[row] === fresh[column]) {
      lines.push(` ${old[row]}`)
      row += 1
      column += 1
    } else if (row < old.length && (column === fresh.length || at(row + 1, column) >= at(row, column + 1))) {
      lines.push(`-${old[row]}`)
      row += 1
    } else {
      lines.push(`+${fresh[column]}`)
      column += 1
    }
  }
  return lines
}
