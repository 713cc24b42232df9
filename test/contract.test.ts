/**
 * The contract of the metadata service has a hundred items, known by number; their tests carry it at the begin of their
 * name. Each has one, or stands here with the reason.
 */
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** By number; there is none today. */
const exceptions: Readonly<Record<number, string>> = {}

const count = 100
const title = /(['`"])((?:#\d+(?:-#\d+)? )+)/g

/** `'#25-#31 token required'` is seven of them. */
function numbersIn(text: string): number[] {
  return [...text.matchAll(title)].flatMap(([, , names = '']) =>
    [...names.matchAll(/#(\d+)(?:-#(\d+))?/g)].flatMap(([, first, last = first]) => {
      const from = Number(first)
      return Array.from({ length: Number(last) - from + 1 }, (_, index) => from + index)
    }),
  )
}

const tested = new Set(
  ['.', 'e2e', 'real', 'clients'].flatMap(folder => {
    const path = join(import.meta.dirname, folder)
    const files = readdirSync(path).filter(file => file.endsWith('.test.ts') && file !== 'contract.test.ts')
    return files.flatMap(file => numbersIn(readFileSync(join(path, file), 'utf8')))
  }),
)

describe('the contract', () => {
  test('every item has a test, or a reason why not', () => {
    const all = Array.from({ length: count }, (_, index) => index + 1)
    expect(all.filter(number => !tested.has(number) && !(number in exceptions))).toEqual([])
  })

  test('no reason outlives its test, and no number is made up', () => {
    expect(
      Object.keys(exceptions)
        .map(Number)
        .filter(number => tested.has(number)),
    ).toEqual([])
    expect([...tested, ...Object.keys(exceptions).map(Number)].filter(number => number < 1 || number > count)).toEqual(
      [],
    )
  })

  test('numbers are found', () => {
    const names = ["'#1 #2 a'", '`#25-#27 b`', '"#80 c"', "'x #5 y'", "'#6x'"]
    expect(names.map(numbersIn)).toEqual([[1, 2], [25, 26, 27], [80], [], []])
  })
})
