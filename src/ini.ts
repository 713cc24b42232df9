/**
 * The shared AWS config and credentials files, edited by the line: what an edit does not name stays byte for byte.
 *
 * The grammar is what the SDKs agree on, read as generously as botocore reads it: `[name]`, `key = value`, full-line comments
 * with `#` and `;`, indented continuation lines (`s3 =` and below), CRLF, a byte order mark. Keys compare without case, names with it.
 * Works on text whose characters are bytes (latin1) as well as on decoded text, so only ASCII white space counts.
 */
import { failure } from './errors.ts'

interface Line {
  readonly text: string
  /** `\n`, `\r\n`, `\r`, or empty at the end of a file without a final one. */
  readonly end: string
  /** Empty above the first header. */
  readonly section: string
  readonly kind: 'header' | 'property' | 'continuation' | 'filler' | 'other'
  /** Lower case; of the property that the line belongs to. */
  readonly key: string
}

interface Sheet {
  readonly mark: string
  readonly lines: readonly Line[]
  /** What new lines end with. */
  readonly end: string
  readonly closed: boolean
}

/** Keys and values; an `undefined` value takes the key out. */
export type SectionEntries = Readonly<Record<string, string | undefined>>

const blank = '[ \\t\\f\\v]'
const headerPattern = new RegExp(`^(${blank}*\\[${blank}*)([^\\]]*?)(${blank}*\\])`)
// One blank is enough to find it: a run of them would be looked through from each.
const inlineComment = new RegExp(`${blank}[#;].*$`, 's')
const leadingBlank = new RegExp(`^${blank}*`)
const nameShape = /^(?! )[^[\]\x00-\x1f\x7f]+(?<! )$/
const keyShape = /^[A-Za-z0-9_.-]+$/

/** The section names in order of first appearance, `profile NAME` as written in a config file. */
export function sectionNames(text: string): string[] {
  const names = read(text).lines.flatMap(line => (line.kind === 'header' ? [line.section] : []))
  return [...new Set(names)]
}

/**
 * Keys (lower case) and values of a section; duplicate sections are merged and the last key wins.
 * A nested block is one value that begins with a line break. `undefined` when there is no such section.
 */
export function readSection(text: string, name: string): Map<string, string> | undefined {
  return readLines(read(text).lines.filter(line => line.section === name))
}

/** All of them, read in one go. */
export function readSections(text: string): Map<string, Map<string, string>> {
  const lines = Map.groupBy(read(text).lines, line => line.section)
  const sections = new Map<string, Map<string, string>>()
  for (const [name, own] of lines) {
    const entries = name === '' ? undefined : readLines(own)
    if (entries) sections.set(name, entries)
  }
  return sections
}

function readLines(all: readonly Line[]): Map<string, string> | undefined {
  const lines = all.filter(line => line.kind !== 'filler')
  if (lines.length === 0) return undefined
  const entries = new Map<string, string>()
  for (const line of lines) {
    const { kind, key } = line
    if (kind === 'property') entries.set(key, (split(line.text)?.value ?? '').replace(inlineComment, ''))
    if (kind === 'continuation')
      entries.set(key, `${entries.get(key) ?? ''}\n${trim(line.text.replace(inlineComment, ''))}`)
  }
  for (const [key, value] of entries) entries.set(key, trim(value))
  return entries
}

/**
 * Sets these keys and leaves the section's others; a section that is not there yet is appended after an empty line.
 * Rejects by a `config` failure what a line of such a file cannot carry.
 */
export function setSection(text: string, name: string, entries: SectionEntries): string {
  return setSections(text, new Map([[name, entries]]))
}

/** The same for many at once. */
export function setSections(text: string, sections: ReadonlyMap<string, SectionEntries>): string {
  for (const [name, entries] of sections) check(name, entries)
  const sheet = read(text)
  const blocks = blocksOf(sheet.lines)
  const counts = new Map<string, number>()
  for (const { name } of blocks) counts.set(name, (counts.get(name) ?? 0) + 1)
  let lines = blocks.flatMap(({ name, lines: own }, index) => {
    const entries = counts.get(name) === 1 ? sections.get(name) : undefined
    if (!entries) return own
    // The line below counts: it must not become part of a new key's value.
    const below = blocks[index + 1]?.lines.slice(0, 1) ?? []
    return setKeys([...own, ...below], name, entries).slice(0, below.length === 0 ? undefined : -1)
  })
  for (const [name, entries] of sections) {
    const count = counts.get(name) ?? 0
    if (count > 1) lines = [...setKeys(lines, name, entries)]
    else if (count === 0) lines.push(...newSection(lines.length === 0, name, entries))
  }
  return write(sheet, lines)
}

function setKeys(lines: readonly Line[], name: string, entries: SectionEntries): readonly Line[] {
  return Object.entries(entries).reduce((edited, [key, value]) => setKey(edited, name, key, value), lines)
}

interface Block {
  readonly name: string
  readonly lines: Line[]
}

/** From header to header; what stands above the first is one, too, of no name. */
function blocksOf(lines: readonly Line[]): Block[] {
  const blocks: Block[] = []
  for (const line of lines) {
    const last = blocks.at(-1)
    if (last && line.kind !== 'header') last.lines.push(line)
    else blocks.push({ name: line.section, lines: [line] })
  }
  return blocks
}

/** After an empty line, unless it is the first. */
function newSection(first: boolean, name: string, entries: SectionEntries): Line[] {
  const properties = Object.entries(entries).flatMap(([key, value]) =>
    value === undefined ? [] : [property(key, value)],
  )
  return [...(first ? [] : [newLine('')]), newLine(`[${name}]`), ...properties]
}

/** Takes the section out, and the empty line that `setSection` put before it. Comments below its last key stay. */
export function removeSection(text: string, name: string): string {
  return removeSections(text, new Set([name]))
}

/** The same for many at once. */
export function removeSections(text: string, names: ReadonlySet<string>): string {
  const sheet = read(text)
  const kept: Line[] = []
  let waiting: Line[] = []
  for (const line of sheet.lines) {
    if (names.has(line.section) && line.kind === 'header') {
      kept.push(...waiting)
      waiting = []
      if (kept.at(-1)?.text === '') kept.pop()
    } else if (names.has(line.section) && line.kind === 'filler') waiting.push(line)
    else if (names.has(line.section)) waiting = []
    else {
      kept.push(...waiting, line)
      waiting = []
    }
  }
  return write(sheet, [...kept, ...waiting])
}

/** Changes the name in the headers and nothing else, so that renaming back restores every byte. */
export function renameSection(text: string, from: string, to: string): string {
  check(to, {})
  const sheet = read(text)
  const lines = sheet.lines.map(line =>
    line.kind === 'header' && line.section === from
      ? {
          ...line,
          text: line.text.replace(headerPattern, (_, open: string, __, close: string) => `${open}${to}${close}`),
        }
      : line,
  )
  return write(sheet, lines)
}

function read(text: string): Sheet {
  // The second form is the same mark in text whose characters are bytes.
  const mark = /^(?:\uFEFF|\u00EF\u00BB\u00BF)?/.exec(text)?.[0] ?? ''
  const lines: Line[] = []
  let section = ''
  let key = ''
  let indent = Infinity
  for (const [, content = '', end = ''] of text.slice(mark.length).matchAll(/([^\r\n]*)(\r\n|\n|\r|$)/g)) {
    if (content === '' && end === '') continue
    const stripped = trim(content)
    const depth = leadingBlank.exec(content)?.[0].length ?? 0
    let kind: Line['kind'] = 'other'
    if (stripped === '' || /^[#;]/.test(stripped)) kind = 'filler'
    else if (depth > indent) kind = 'continuation'
    else {
      const header = headerPattern.exec(content)?.[2]
      const found = split(content)?.key
      key = ''
      indent = Infinity
      if (header) {
        kind = 'header'
        section = header
      } else if (found && !stripped.startsWith('[')) {
        kind = 'property'
        key = found.toLowerCase()
        indent = depth
      }
    }
    lines.push({ text: content, end, section, kind, key })
  }
  const end = lines.findLast(line => line.end)?.end ?? '\n'
  return { mark, lines, end, closed: lines.at(-1)?.end !== '' }
}

/** A file without a final line break is left without one. */
function write(sheet: Sheet, lines: readonly Line[]): string {
  const last = lines.length - 1
  const body = lines.map((line, index) => line.text + (index < last || sheet.closed ? line.end || sheet.end : ''))
  return sheet.mark + body.join('')
}

function setKey(lines: readonly Line[], name: string, key: string, value: string | undefined): readonly Line[] {
  const lower = key.toLowerCase()
  const place = lines.findLastIndex(line => line.section === name && line.kind === 'property' && line.key === lower)
  const fresh = value === undefined ? [] : [property(key, value, lines[place])]
  if (place < 0) {
    const after = lines.findLastIndex(line => line.section === name && line.kind !== 'filler')
    const indent = indentBelow(lines, after)
    return lines.toSpliced(after + 1, 0, ...fresh.map(line => ({ ...line, section: name, text: indent + line.text })))
  }
  return lines.flatMap((line, index) => {
    if (index === place) return fresh
    const same =
      line.section === name && line.key === lower && (line.kind === 'property' || line.kind === 'continuation')
    return same ? [] : [line]
  })
}

/** What a new key has to stand under so that neither it nor the line below it turns into a continuation. */
function indentBelow(lines: readonly Line[], index: number): string {
  const line = lines[index]
  const open = line?.key ? lines.findLast((above, place) => place <= index && above.kind === 'property') : undefined
  const next = open ?? lines.find((below, place) => place > index && below.kind !== 'filler')
  return leadingBlank.exec(next?.text ?? '')?.[0] ?? ''
}

/** Written as `key = value`, or the way the line looked before. */
function property(key: string, value: string, before?: Line): Line {
  const text = `${(before && split(before.text)?.head) ?? `${key} = `}${value}`
  return before ? { ...before, text } : { ...newLine(text), kind: 'property', key: key.toLowerCase() }
}

/** At the first `=`, or `:` as botocore has it; `head` is everything before the value. */
function split(text: string): { head: string; key: string; value: string } | undefined {
  const sign = text.search(/[=:]/)
  const key = trim(text.slice(0, Math.max(sign, 0)))
  if (key === '') return undefined
  const start = sign + 1 + (leadingBlank.exec(text.slice(sign + 1))?.[0].length ?? 0)
  return { head: text.slice(0, start), key, value: text.slice(start) }
}

function newLine(text: string): Line {
  return { text, end: '', section: '', kind: 'other', key: '' }
}

function trim(text: string): string {
  let [from, to] = [0, text.length]
  while (from < to && isBlank(text.charCodeAt(from))) from += 1
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1
  return text.slice(from, to)
}

/** Tab, vertical tab, form feed, space. */
function isBlank(code: number): boolean {
  return code === 9 || code === 11 || code === 12 || code === 32
}

function check(name: string, entries: SectionEntries): void {
  if (!nameShape.test(name)) throw failure('config', `a profile cannot be called ${JSON.stringify(name)}`)
  for (const [key, value = ''] of Object.entries(entries)) {
    const broken =
      !keyShape.test(key) || /[\r\n\0]|^[#;]/.test(value) || inlineComment.test(value) || trim(value) !== value
    if (broken) throw failure('config', `the value of ${JSON.stringify(key)} cannot be written to a profile`)
  }
}
