import { expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  readSection,
  readSections,
  removeSection,
  removeSections,
  renameSection,
  sectionNames,
  setSection,
  setSections,
} from '../src/ini.ts'

/** Files that belong to other people: each promise is held against this many of them. */
const cases = 10_000
const patience = 120_000
const ours = 'cloudtoken-test'
const name = fc.constantFrom('default', 'work', 'a b', 'x@y', 'täst', 'profile z')
const end = fc.constantFrom('\n', '\r\n', '\r')
const pad = fc.constantFrom('', ' ', '\t', '  ')
const word = fc.string({ unit: fc.constantFrom(...'abcXYZ019=:;#[]/+ \té\u00a0\u0085') })
const key = fc.constantFrom('region', 'Region', 'aws_access_key_id', 's3', 'x', 'X')
const line = fc.oneof(
  fc.tuple(pad, name, pad).map(([a, n, b]) => `${a}[${b}${n}${b}]`),
  fc.tuple(pad, key, pad, fc.constantFrom('=', ':'), pad, word).map(parts => parts.join('')),
  fc.tuple(fc.constantFrom('#', ';', ' #'), word).map(parts => parts.join('')),
  fc.tuple(fc.constantFrom('  ', '\t', '    '), word).map(parts => parts.join('')),
  pad,
  word,
)
const text = fc
  .tuple(fc.constantFrom('', '\uFEFF', '\u00EF\u00BB\u00BF'), fc.array(fc.tuple(line, end)), fc.boolean())
  .map(([mark, lines, closed]) => {
    const body = lines.map(([content, lineEnd]) => content + lineEnd).join('')
    return mark + (closed ? body : body.replace(/[\r\n]+$/, ''))
  })
const anyText = fc.oneof(
  text,
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'[]= :#\n\r\ta\f\v') }),
)
const value = fc
  .string({ unit: fc.constantFrom(...'abcZ09/+=:;#[]$%" é\'\\') })
  .filter(candidate => candidate.trim() === candidate && !/^[#;]| [#;]/.test(candidate))
const entries = fc.dictionary(
  fc.constantFrom('aws_access_key_id', 'aws_secret_access_key', 'region', 'expiration'),
  value,
)

test(
  'set, then remove: every byte as before',
  () => {
    fc.assert(
      fc.property(anyText, entries, (before, values) => {
        fc.pre(readSection(before, ours) === undefined)
        const after = setSection(before, ours, values)
        expect(removeSection(after, ours)).toBe(before)
        expect(removeSection(setSection(after, ours, { later: '1', region: 'r' }), ours)).toBe(before)
      }),
      { numRuns: cases },
    )
  },
  patience,
)

test(
  'set, then read: the values, and nobody else sees a difference',
  () => {
    fc.assert(
      fc.property(anyText, fc.oneof(name, fc.constant(ours)), entries, (before, section, values) => {
        const after = setSection(before, section, values)
        const expected = new Map([...(readSection(before, section) ?? []), ...Object.entries(values)])
        expect(readSection(after, section)).toEqual(expected)
        for (const other of sectionNames(before)) {
          if (other !== section) expect(readSection(after, other)).toEqual(readSection(before, other))
        }
        expect(setSection(after, section, values)).toBe(after)
      }),
      { numRuns: cases },
    )
  },
  patience,
)

test(
  'a new key is all that an edit adds',
  () => {
    fc.assert(
      fc.property(anyText, name, value, (before, section, added) => {
        fc.pre(readSection(before, section) !== undefined)
        const after = setSection(before, section, { cloudtoken_new: added })
        let head = 0
        while (head < before.length && before[head] === after[head]) head += 1
        let tail = 0
        while (tail < before.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1
        expect(head + tail).toBe(before.length)
        const inserted = after.slice(head, after.length - tail)
        expect(inserted.split(/[\r\n]+/).filter(line => line.includes('cloudtoken_new'))).toHaveLength(1)
      }),
      { numRuns: cases },
    )
  },
  patience,
)

test(
  'a new value is all that an edit changes, whatever stands above and below',
  () => {
    fc.assert(
      fc.property(anyText, anyText, value, value, end, (above, below, old, fresh, lineEnd) => {
        const sheet = (middle: string): string =>
          `${above}${lineEnd}[${ours}]${lineEnd}Region= ${middle}${lineEnd}[z]${lineEnd}${below}`
        fc.pre(!`${above}${below}`.includes(ours) && old !== '')
        expect(setSection(sheet(old), ours, { region: fresh })).toBe(sheet(fresh))
      }),
      { numRuns: cases },
    )
  },
  patience,
)

test(
  'renaming and back: every byte as before',
  () => {
    fc.assert(
      fc.property(anyText, before => {
        for (const section of sectionNames(before)) {
          fc.pre(readSection(before, ours) === undefined && /^[\w @]+$/.test(section))
          const renamed = renameSection(before, section, ours)
          expect(readSection(renamed, ours)).toEqual(readSection(before, section))
          expect(renameSection(renamed, ours, section)).toBe(before)
        }
      }),
      { numRuns: cases },
    )
  },
  patience,
)

test(
  'many at once: the same as one after the other',
  () => {
    const many = fc.dictionary(fc.oneof(name, fc.constant(ours)), entries)
    fc.assert(
      fc.property(anyText, many, (before, sections) => {
        const list = Object.entries(sections)
        const there = readSections(before)
        for (const [section] of list) expect(there.get(section)).toEqual(readSection(before, section))
        const after = setSections(before, new Map(list))
        const apart = list.reduce((text, [section, values]) => setSection(text, section, values), before)
        // Where a last line without an end is taken away, the ends of what is left may differ, and nothing else.
        if (/[\r\n]$/.test(before)) expect(after).toBe(apart)
        expect(readSections(after)).toEqual(readSections(apart))
        const added = new Map(list.filter(([section]) => !there.has(section)))
        expect(removeSections(setSections(before, added), new Set(added.keys()))).toBe(before)
        expect(setSections(after, new Map(list))).toBe(after)
      }),
      { numRuns: cases },
    )
  },
  patience,
)
