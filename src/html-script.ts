/**
 * What the scripts of a page do by themselves as soon as it is there: go to another address, or send a form.
 *
 * No interpreter. Statements that run for sure are separated from bodies of functions that nobody calls and from
 * conditions; among those left, assignments of a literal address to the location are looked for.
 */

export interface ScriptEffect {
  /** Address as the script has it, unescaped; may be relative. */
  readonly target: string | undefined
  /** Calls `submit()` of some form. */
  readonly submits: boolean
}

/** Longer ones are libraries and data. */
export const longestScript = 32_000
/** A page with more is an application. */
export const mostScripts = 50

/** @param running code that runs on load; @param defined further code, whose functions may be called by it */
export function effectOf(running: readonly string[], defined: readonly string[] = []): ScriptEffect {
  const strings: string[] = []
  let submits = false
  for (const code of runningCode(running, defined, strings)) {
    submits ||= /\.submit\s*(?:\.call\s*\(|\(\s*\))/.test(code)
    const target = targetOf(code, strings)
    if (target !== undefined) return { target, submits }
  }
  return { target: undefined, submits }
}

/** First arguments of the calls of `name` on load, where they are literal texts. */
export function literalCalls(name: string, scripts: readonly string[]): string[] {
  const strings: string[] = []
  const running = scripts.filter(code => code.length <= longestScript && code.includes(name)).slice(0, mostScripts)
  const call = new RegExp(String.raw`(?<!\bfunction\s)(?<![\w$.])${RegExp.escape(name)}\s*\(\s*"(\d+)"`, 'g')
  return [...runningCode(running, [], strings)].flatMap(code =>
    [...code.matchAll(call)].map(([, index]) => strings[Number(index)] ?? ''),
  )
}

/** Code that runs for sure, with what it calls; the texts of its literals go to `strings`. */
function* runningCode(running: readonly string[], defined: readonly string[], strings: string[]): Generator<string> {
  const functions = new Map<string, string>()
  const flatten = (code: string): string => statements(withoutStrings(code, strings), functions)
  for (const code of defined) flatten(code)
  const queue = running.map(flatten)
  for (let code = queue.shift(); code !== undefined; code = queue.shift()) {
    yield code
    for (const [, name = ''] of code.matchAll(/(?<!\bfunction\s)(?<![\w$.])([\w$]+)\s*\(/g)) {
      const body = functions.get(name)
      // Once each, or two functions that call one another never end.
      functions.delete(name)
      if (body !== undefined) queue.push(statements(body, functions))
    }
    for (const [, index = '', delay = '0'] of code.matchAll(/\bsetTimeout\s*\(\s*"(\d+)"\s*(?:,\s*(\d+))?/g)) {
      const text = strings[Number(index)]
      if (text !== undefined && Number(delay) <= patience && strings.length < 10_000) queue.push(flatten(text))
    }
  }
}

const literal = String.raw`"(\d+)"((?:\s*\+\s*"\d+")*)`
const location = String.raw`(?:^|[;{}\n])\s*(?:javascript\s*:\s*)?(?:(?:window|self|document|top|parent|this)\s*\.\s*)*location`
const assigned = new RegExp(String.raw`${location}(?:\s*\.\s*href)?\s*=(?!=)\s*${literal}(?!\s*[+.?([,])`)
const called = new RegExp(String.raw`${location}\s*\.\s*(?:replace|assign)\s*\(\s*${literal}\s*\)`)

function targetOf(code: string, strings: readonly string[]): string | undefined {
  const found = [assigned.exec(code), called.exec(code)].filter(match => match !== null)
  const first = found.toSorted((a, b) => a.index - b.index)[0]
  if (!first) return undefined
  const parts = `"${first[1]}"${first[2]}`.matchAll(/\d+/g)
  return [...parts]
    .map(([index]) => strings[Number(index)] ?? '')
    .join('')
    .trim()
}

/** Comments become blanks, string literals `"N"` with their value at `strings[N]`; names of load events stay. */
function withoutStrings(code: string, strings: string[]): string {
  const token =
    /\/\*[^]*?(?:\*\/|$)|\/\/[^\n]*|<!--[^\n]*|"((?:[^"\\\n]|\\[^])*)"|'((?:[^'\\\n]|\\[^])*)'|`((?:[^`\\]|\\[^])*)`|(?<=[(,=:[!&|?{};\n]\s{0,20})\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.){0,500}\])+\/[a-z]*/g
  const flat = code.replace(token, (_, double?: string, single?: string, template?: string) => {
    const value = double ?? single ?? template
    if (value === undefined || template?.includes('${')) return ' '
    if (/^(?:load|DOMContentLoaded|pageshow)$/.test(value)) return '"load"'
    strings.push(unescapeScript(value))
    return `"${strings.length - 1}"`
  })
  return flat.replace(/\s+/g, blank => (blank.includes('\n') ? '\n' : ' '))
}

const shortEscapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
  0: '\0',
  '\n': '',
}

/** `\x2D`, `\u0026`, `\/` and the rest of JavaScript's escapes. */
export function unescapeScript(text: string): string {
  return text.replace(
    /\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|u\{([0-9a-f]{1,5})\}|([^]))/gi,
    (_, x?: string, u?: string, long?: string, one = '') => {
      const hex = x ?? u ?? long
      return hex === undefined ? (shortEscapes[one] ?? one) : String.fromCodePoint(Number.parseInt(hex, 16))
    },
  )
}

const functionHead = String.raw`(?:async\s*)?(?:function\s*[\w$]*\s*\([^()]*\)|(?:\([^()]*\)|[\w$]+)\s*=>)\s*$`
const declared = /(?:^|[^\w$.])function\s+([\w$]+)\s*\([^()]*\)\s*$/
const assignedFunction = new RegExp(String.raw`([\w$]+)\s*[=:]\s*${functionHead}`)
const calledFunction = new RegExp(
  String.raw`(?:(?<![\w$)\]])\(|!|(?<![\w$.])(?:window\s*\.\s*)?onload\s*=|(?<![\w$.])(?:\$|jQuery)\s*\(|\bready\s*\(|\baddEventListener\s*\(\s*"load"\s*,)\s*${functionHead}`,
)
const timedFunction = new RegExp(String.raw`\bsetTimeout\s*\(\s*${functionHead}`)
/** A page that moves on later than this waits for a person. */
const patience = 30_000

/** The statements that run for sure, with bodies of functions put aside by name. */
function statements(code: string, functions: Map<string, string>, depth = 0): string {
  let out = ''
  // Cut from all of it, each would copy the whole.
  let recent = ''
  let at = 0
  const add = (piece: string): void => {
    out += piece
    recent = (recent + piece).slice(-200)
  }
  const next = /\{|\b(?:if|while|for|switch|with|else|case)\b/g
  for (let match = next.exec(code); match; match = next.exec(code)) {
    add(code.slice(at, match.index))
    if (match[0] !== '{') {
      at = endOfCondition(code, next.lastIndex)
      add(';')
    } else {
      const end = closing(code, match.index, '{', '}')
      const body = code.slice(match.index + 1, end)
      const head = /[^;{}]*$/.exec(recent)?.[0] ?? ''
      const name = declared.exec(head)?.[1] ?? assignedFunction.exec(head)?.[1]
      if (depth < 20 && runs(head, code.slice(end + 1, end + 20))) add(`;${statements(body, functions, depth + 1)};`)
      else if (name !== undefined) functions.set(name, body)
      at = end + 1
      add('\n')
    }
    next.lastIndex = at
  }
  return out + code.slice(at)
}

/** A block of its own, `try`, a function that is called on the spot, on load or soon. */
function runs(head: string, tail: string): boolean {
  if (/(?:^|\b(?:try|do|finally))\s*$/.test(head) || calledFunction.test(head)) return true
  const delay = timedFunction.test(head) ? /^\s*(?:,\s*(\d+)\s*)?\)/.exec(tail) : undefined
  return delay ? Number(delay[1] ?? 0) <= patience : false
}

/** Behind `if (…)`: the end of the block or statement that hangs on it. */
function endOfCondition(code: string, from: number): number {
  const skip = (at: number): number => at + (/^\s*/.exec(code.slice(at, at + 1000))?.[0].length ?? 0)
  let at = skip(from)
  if (code[at] === '(') at = skip(closing(code, at, '(', ')') + 1)
  if (code[at] === '{') return closing(code, at, '{', '}') + 1
  const end = /[;\n}]/g
  end.lastIndex = at
  return end.exec(code)?.index ?? code.length
}

/** Index of the bracket that closes the one at `from`; the end of the code when there is none. */
function closing(code: string, from: number, open: string, close: string): number {
  let depth = 0
  for (let at = from; at < code.length; at += 1) {
    if (code[at] === open) depth += 1
    else if (code[at] === close && --depth === 0) return at
  }
  return code.length
}
