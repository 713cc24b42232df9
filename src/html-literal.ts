/**
 * Data that a script of a page holds: JSON, and what JavaScript allows beyond it (names without quotes, single quotes, a
 * comma too many). No code is run. Pure.
 */
import { unescapeScript } from './html-script.ts'

const maxDepth = 100

const blank = /(?:\s|\/\*[^]*?\*\/|\/\/[^\n]*)*/y
const text = /"((?:[^"\\\n]|\\[^])*)"|'((?:[^'\\\n]|\\[^])*)'/y
const word = /[\w$]+/y
const number = /-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w$.])/iy
const constants: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['undefined', undefined],
])

/** The value that begins at `from`; whatever follows it is left alone. `undefined` where it is no data. */
export function readLiteral(source: string, from: number): unknown {
  let at = from
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at
    const match = pattern.exec(source) ?? undefined
    if (match) at = pattern.lastIndex
    return match
  }
  const skip = (mark: string): boolean => {
    take(blank)
    if (source[at] !== mark) return false
    at += 1
    return true
  }
  const string = (): string | undefined => {
    const match = take(text)
    return match && unescapeScript(match[1] ?? match[2] ?? '')
  }

  /** What stands between brackets, with commas between. */
  function list<T>(close: string, item: () => T): T[] {
    const items: T[] = []
    while (!skip(close)) {
      items.push(item())
      if (!skip(',') && source[at] !== close) throw new Error('no comma')
    }
    return items
  }

  function entry(depth: number): [string, unknown] {
    take(blank)
    const name = string() ?? take(word)?.[0]
    if (name === undefined || !skip(':')) throw new Error('no name')
    return [name, value(depth)]
  }

  function value(depth: number): unknown {
    if (depth > maxDepth) throw new Error('too deep')
    take(blank)
    if (skip('{')) return Object.fromEntries(list('}', () => entry(depth + 1)))
    if (skip('[')) return list(']', () => value(depth + 1))
    const found = string()
    if (found !== undefined) return found
    const digits = take(number)
    if (digits) return Number(digits[0])
    const name = take(word)?.[0] ?? ''
    if (!constants.has(name)) throw new Error('no data')
    return constants.get(name)
  }

  try {
    return value(0)
  } catch {
    return undefined
  }
}
