/**
 * The rules of the house: every file on its floor, imports only downwards or to the left, one owner for each power.
 */
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const files = readdirSync(join(root, 'src'))
  .filter(file => file.endsWith('.ts'))
  .toSorted()
/** Files for other people to begin with: what stands in their literals is not ours. */
const texts = ['plugin-skeleton', 'plugin-types']
const sources = new Map(
  files.map(file => {
    const [name, text] = [file.slice(0, -3), readFileSync(join(root, 'src', file), 'utf8')]
    return [name, texts.includes(name) ? text.replace(/`(?:\\.|[^`\\])*`/gs, '``') : text]
  }),
)

/** Place of a name: floor, and position on it. `exporter-*` is one position for the whole family. */
interface Place {
  readonly floor: number
  readonly position: number
}

/** The block marked `floors` in ARCHITECTURE.md: `floor N  name name family-*`, left to right. */
function readFloors(markdown: string): Map<string, Place> {
  const block = /^```floors\n(.*?)^```/ms.exec(markdown)?.[1] ?? ''
  const places = new Map<string, Place>()
  for (const line of block.split('\n')) {
    const [word, floor, ...names] = line.trim().split(/\s+/)
    if (word !== 'floor') continue
    for (const [position, name] of names.entries()) places.set(name, { floor: Number(floor), position })
  }
  return places
}

/** The exact name wins over its family. */
function placeOf(name: string, places: ReadonlyMap<string, Place>): Place | undefined {
  const exact = places.get(name)
  if (exact) return exact
  const families = [...places].filter(([entry]) => entry.endsWith('-*') && name.startsWith(entry.slice(0, -1)))
  return families.toSorted(([a], [b]) => b.length - a.length)[0]?.[1]
}

/** Where a file may not import from; families may import within themselves, `import/no-cycle` watches over that. */
function isUphill(from: Place, to: Place): boolean {
  return to.floor > from.floor || (to.floor === from.floor && to.position > from.position)
}

/** Comments say nothing about what a file does. An asterisk before the slash is that of a media type. */
function codeOf(text: string): string {
  return text.replace(/(?<!\*)\/\*.*?\*\/|(?<!:)\/\/[^\n]*/gs, '')
}

/** Static, type-only and dynamic imports alike. */
function importsOf(text: string): string[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(\s*|\bimport\s+)['"]([^'"]+)['"]/g
  return [...codeOf(text).matchAll(pattern)].map(match => match[1] ?? '')
}

const places = readFloors(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8'))

describe('floors', () => {
  test('ARCHITECTURE.md names them all', () => {
    expect(new Set([...places.values()].map(place => place.floor))).toEqual(new Set([8, 7, 6, 5, 4, 3, 2, 1, 0]))
    const homeless = [...sources.keys()].filter(name => placeOf(name, places) === undefined)
    expect(homeless).toEqual([])
  })

  test('and names nothing that is not there', () => {
    const exists = (entry: string): boolean =>
      entry.endsWith('-*') ? [...sources.keys()].some(name => name.startsWith(entry.slice(0, -1))) : sources.has(entry)
    expect([...places.keys()].filter(entry => !exists(entry))).toEqual([])
  })

  test('imports go down, or to the left', () => {
    const uphill: string[] = []
    for (const [name, text] of sources) {
      const from = placeOf(name, places)
      for (const path of importsOf(text)) {
        const to = path.startsWith('./') ? placeOf(path.slice(2).replace(/\.ts$/, ''), places) : undefined
        if (from && to && isUphill(from, to)) uphill.push(`${name} imports ${path}`)
      }
    }
    expect(uphill).toEqual([])
  })

  test('src is flat and its relative imports name files in it', () => {
    expect(readdirSync(join(root, 'src'), { withFileTypes: true }).filter(entry => entry.isDirectory())).toEqual([])
    const elsewhere: string[] = []
    for (const [name, text] of sources) {
      for (const path of importsOf(text)) {
        const known =
          !path.startsWith('.') || path === '../package.json' || sources.has(path.slice(2).replace(/\.ts$/, ''))
        if (!known) elsewhere.push(`${name} imports ${path}`)
      }
    }
    expect(elsewhere).toEqual([])
  })

  test('the rules bite', () => {
    const floors = readFloors('```floors\nfloor 1  a b-* b c\nfloor 0  z\n```\n')
    const uphill = (from: string, to: string): boolean => {
      const [start, end] = [placeOf(from, floors), placeOf(to, floors)]
      if (!start || !end) throw new Error('not placed')
      return isUphill(start, end)
    }
    expect([uphill('a', 'z'), uphill('c', 'a'), uphill('b', 'b-x'), uphill('b-x', 'b-y')]).toEqual([
      false,
      false,
      false,
      false,
    ])
    expect([uphill('z', 'a'), uphill('a', 'c'), uphill('b-x', 'b')]).toEqual([true, true, true])
    expect(placeOf('nowhere', floors)).toBeUndefined()
    expect(
      importsOf(`import a from './a.ts'\nawait import('./b.ts') // from './c.ts'\nexport type { D } from './d.ts'`),
    ).toEqual(['./a.ts', './b.ts', './d.ts'])
  })
})

/** Files whose code matches, in alphabetical order. */
function filesWith(pattern: RegExp): string[] {
  return [...sources].filter(([, text]) => pattern.test(codeOf(text))).map(([name]) => name)
}

/** Names a file takes from a module at run time: types give no power. `*` and a default import count as themselves. */
function namesFrom(text: string, module: string): string[] {
  const fixed = new RegExp(`\\bimport\\s+(?!type\\b)([^'"]*?)\\s*\\bfrom\\s+['"]${module}['"]`, 'g')
  const names = [...codeOf(text).matchAll(fixed)].flatMap(match => (match[1] ?? '').split(/[{},]/))
  const lazy = new RegExp(`\\bimport\\(\\s*['"]${module}['"]`).test(codeOf(text)) ? ['*'] : []
  return [...names.map(name => name.trim()).filter(name => name !== '' && !name.startsWith('type ')), ...lazy]
}

function filesThatUse(module: string): string[] {
  return [...sources].filter(([, text]) => namesFrom(text, module).length > 0).map(([name]) => name)
}

const writing =
  /^(?:\*.*|fs|promises|(?:f?write|append|copy|cp|rename|rm|unlink|mkdir|mkdtemp|symlink|link|f?truncate|[fl]?chmod|[fl]?chown|[fl]?utimes|createWrite)\w*)$/

const runtimeName = /\b(?:Bun|Deno)\b|['"]bun(?::[\w-]+)?['"]/
/** A call or a reference; a method that is merely called `fetch` is none. */
const fetching = /(?<![.\w])fetch\((?![^()]*\)\s*:)|globalThis\.fetch\b|(?:[=,]|\?\?)\s*fetch\b(?!\s*[:(])/

describe('single owners', () => {
  test('only runtime knows which runtime it is', () => {
    expect(filesWith(runtimeName)).toEqual(['runtime'])
    const users = [...sources].filter(([, text]) =>
      namesFrom(text, './runtime.ts').some(name => /^(?:bun|deno)$/.test(name)),
    )
    expect(users.map(([name]) => name)).toEqual(['runtime-fetch', 'runtime-self', 'runtime-serve'])
  })

  test('only run starts processes', () => {
    expect(filesThatUse('node:child_process')).toEqual(['run'])
  })

  test('only files writes; log and main write to the standard streams', () => {
    const allowed: Readonly<Record<string, readonly string[]>> = { log: ['writeSync'], main: ['writeSync'] }
    const writers: string[] = []
    for (const [name, text] of sources) {
      if (name === 'files') continue
      const taken = ['node:fs', 'node:fs/promises'].flatMap(module => namesFrom(text, module))
      const more = taken.filter(each => writing.test(each) && !allowed[name]?.includes(each))
      if (more.length > 0) writers.push(`${name}: ${more.join(', ')}`)
    }
    expect(writers).toEqual([])
  })

  test('only term prompts', () => {
    expect(filesThatUse('@clack/prompts')).toEqual(['term'])
  })

  test('only http-exchange fetches', () => {
    expect(filesWith(fetching)).toEqual(['http-exchange'])
  })

  test('every client of it knows the network', () => {
    const calls = [...sources].flatMap(([name, text]) =>
      [...codeOf(text).matchAll(/(?<!function )\bcreateHttp\(([^;]*?)\)$/gm)].map(([, words = '']) => ({
        name,
        words,
      })),
    )
    expect(calls.length).toBeGreaterThan(5)
    expect(calls.filter(({ words }) => !/\bnetwork\b/.test(words)).map(({ name }) => name)).toEqual([])
  })

  test('only main and cli end the process', () => {
    expect(filesWith(/\bprocess\.(?:exit\(|exitCode\b)/).filter(name => !['main', 'cli'].includes(name))).toEqual([])
  })

  test('the rules bite', () => {
    const text = `import { spawn, type ChildProcess } from 'node:child_process'\nimport type { Stats } from 'node:fs'`
    expect(namesFrom(text, 'node:child_process')).toEqual(['spawn'])
    expect(namesFrom(text, 'node:fs')).toEqual([])
    expect(namesFrom(`const { intro } = await import('@clack/prompts')`, '@clack/prompts')).toEqual(['*'])
    expect(namesFrom(`import * as fs from 'node:fs'`, 'node:fs').some(name => writing.test(name))).toBe(true)
    expect(['writeFileSync', 'rmSync', 'createWriteStream', 'fchmodSync'].every(name => writing.test(name))).toBe(true)
    expect(['readFileSync', 'statSync', 'existsSync', 'openSync'].some(name => writing.test(name))).toBe(false)
    expect(['await fetch(url)', 'get = fetch', 'options.fetch ?? fetch'].every(code => fetching.test(code))).toBe(true)
    expect(
      ['fetch(request: Request): Response', 'options.fetch(x)', 'fetch: f'].some(code => fetching.test(code)),
    ).toBe(false)
    expect(["Reflect.get(globalThis, 'Bun')", "'bun:sqlite'", 'Deno.serve'].every(code => runtimeName.test(code))).toBe(
      true,
    )
  })

  test('no index, no default export', () => {
    expect(sources.has('index')).toBe(false)
    expect(filesWith(/^export default\b/m)).toEqual([])
  })
})
