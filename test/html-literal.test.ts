import { expect, test } from 'bun:test'
import { readLiteral } from '../src/html-literal.ts'

test('JSON as it is, whatever follows it', () => {
  const data = { a: [1, -2.5, 1e3, true, false, null, ''], 'b"\\': { c: '}]{' }, é: '\u{1F600}\n' }
  expect(readLiteral(`$x=${JSON.stringify(data)};if (a) {b}`, 3)).toEqual(data)
  expect(readLiteral('"\\ud83d\\ude00"', 0)).toBe('\u{1F600}')
})

test('what JavaScript allows beyond it', () => {
  const source = `{ a: 'it\\'s', 'b' : "x", /* c: 1, */ $d1: [1, 2,], // e: 2,
    f: .5, 7: { }, g: undefined, }`
  expect(readLiteral(source, 0)).toEqual({ a: "it's", b: 'x', $d1: [1, 2], f: 0.5, 7: {}, g: undefined })
})

test('names that mean something to JavaScript are names', () => {
  const read = readLiteral('{"__proto__": {"a": 1}, constructor: 2}', 0) as object
  expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
  expect(Object.keys(read)).toEqual(['__proto__', 'constructor'])
})

test('code is no data', () => {
  for (const source of ['', '{', '{a}', '{a: b}', '[1 2]', '{a: f()}', 'function () {}', '{a: 1;}', '1px', "'open"]) {
    expect([source, readLiteral(source, 0)]).toEqual([source, undefined])
  }
  expect(readLiteral('['.repeat(5000), 0)).toBeUndefined()
})
