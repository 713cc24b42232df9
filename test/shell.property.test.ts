import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import fc from 'fast-check'
import { run } from '../src/run.ts'
import { assignments, type Shell } from '../src/shell.ts'

const nasty = [
  '',
  ' ',
  "'",
  '"',
  '`',
  '\\',
  'a\\',
  "\\'",
  "''",
  "'''",
  '$HOME',
  '$(id)',
  '`id`',
  '${x}',
  '!!',
  '!x',
  '%PATH%',
  '~',
  '~root',
  'a:~root',
  '=ls',
  'a:=ls',
  'a:=',
  'a:==',
  '*',
  '?',
  '[a]',
  '{a,b}',
  '#',
  '# x',
  ' # x',
  ';',
  '&',
  '|',
  '>x',
  '\n',
  'a\n',
  '\na',
  'a\nb',
  '\t',
  '\r\n',
  '\u001b[0m',
  'é',
  '漢字',
  '😀',
  '\u2018\u2019',
  '\u00a0',
  '\u2028',
  '--',
  '-n',
  '-e',
  '^',
  '(',
  ')',
  '<',
  '\u0001',
  '\u007f',
]
const value = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.constantFrom(...nasty), { maxLength: 6 }).map(parts => parts.join('')) },
  fc.string({ unit: 'binary' }).map(text => text.replaceAll('\0', '')),
  fc.string({ unit: 'binary-ascii' }).map(text => text.replaceAll('\0', '')),
  fc.base64String(),
)
/** Ten of them are ten thousand values. */
const many = fc.array(value, { minLength: 1000, maxLength: 1100 }).map(values => [...nasty, ...values])
const env = { PATH: process.env['PATH'], HOME: '/nowhere', LC_ALL: 'C.UTF-8' }

/** Runs `program` on a file of assignments; answers with the variables that a child of that shell then sees. */
async function seen(program: readonly string[], text: string): Promise<Map<string, string>> {
  const folder = mkdtempSync(path.join(tmpdir(), 'cloudtoken-shell-'))
  try {
    const file = path.join(folder, 'assignments')
    writeFileSync(file, text)
    const [command = '', ...args] = program
    const { code, stdout, stderr } = await run(command, args, { env: { ...env, FILE: file } })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return new Map(
      stdout.split('\0').map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const programs: readonly (readonly [name: string, shell: Shell, ...program: string[]])[] = [
  ['sh, sourced', 'sh', 'sh', '-c', '. "$FILE"; exec env -0'],
  ['dash, by eval', 'sh', 'dash', '-c', 'eval "$(cat "$FILE")"; exec env -0'],
  ['bash, by eval', 'sh', 'bash', '-c', 'eval "$(cat "$FILE")"; exec env -0'],
  ['bash with history expansion', 'sh', 'bash', '-c', 'set -o history -o histexpand; . "$FILE"; exec env -0'],
  ['zsh, by eval', 'sh', 'zsh', '-fc', 'eval "$(cat "$FILE")"; exec env -0'],
  [
    'zsh with its odd options',
    'sh',
    'zsh',
    '-fc',
    'setopt rcquotes magicequalsubst extendedglob; . "$FILE"; exec env -0',
  ],
  ['fish, sourced', 'fish', 'fish', '--no-config', '-c', 'source $FILE; exec env -0'],
  ['fish, piped', 'fish', 'fish', '--no-config', '-c', 'cat $FILE | source; exec env -0'],
  [
    'powershell, piped',
    'powershell',
    'pwsh',
    '-NoProfile',
    '-Command',
    'Get-Content $env:FILE | Invoke-Expression; & env -0',
  ],
]

describe('every value survives the shell itself', () => {
  for (const [name, shell, ...program] of programs) {
    if (Bun.which(program[0] ?? '') === null) {
      test.skip(`${name}: ${program[0]} is not installed`, () => {})
      continue
    }
    test(
      name,
      async () => {
        await fc.assert(
          fc.asyncProperty(many, async values => {
            const entries = Object.fromEntries(values.map((text, index) => [`V${index}`, text]))
            const found = await seen(program, assignments(shell, entries))
            // PowerShell takes a variable without a value out.
            const wanted = Object.entries(entries).filter(([, text]) => shell !== 'powershell' || text !== '')
            for (const [key, text] of wanted) expect(found.get(key)).toBe(text)
          }),
          { numRuns: 10 },
        )
      },
      120_000,
    )

    test(`${name}: unset takes a variable out`, async () => {
      const lines = assignments(shell, { V0: 'x', V1: 'y' }) + assignments(shell, { V0: undefined })
      const found = await seen(program, lines)
      expect([found.has('V0'), found.get('V1')]).toEqual([false, 'y'])
    }, 30_000)
  }
})

const node = Bun.which('node')

test.skipIf(node === null)(
  'every value that a dotenv file can carry comes back from the parser of Node',
  async () => {
    const parse = "process.stdout.write(JSON.stringify(util.parseEnv(fs.readFileSync(process.env.FILE, 'utf8'))))"
    await fc.assert(
      fc.asyncProperty(many, async values => {
        const carried = values.filter(text => {
          try {
            return assignments('dotenv', { V: text }) !== ''
          } catch {
            return false
          }
        })
        expect(carried.length).toBeGreaterThan(values.length / 3)
        const entries = Object.fromEntries(carried.map((text, index) => [`V${index}`, text]))
        const folder = mkdtempSync(path.join(tmpdir(), 'cloudtoken-shell-'))
        writeFileSync(path.join(folder, 'file'), assignments('dotenv', entries))
        const { stdout } = await run(node ?? '', ['-e', parse], { env: { ...env, FILE: path.join(folder, 'file') } })
        rmSync(folder, { recursive: true })
        expect(JSON.parse(stdout)).toEqual(entries)
      }),
      { numRuns: 10 },
    )
  },
  120_000,
)

// Where no PowerShell is at hand: its grammar of literals and of `+`, in a few lines.
test('powershell: one line of printable ASCII that adds up to the value', () => {
  fc.assert(
    fc.property(value, text => {
      const line = assignments('powershell', { V: text })
      expect(line).toMatch(/^[ -~]+\n$/)
      const expression = line.slice('$env:V = '.length, -1).replace(/^\((.*)\)$/, '$1')
      const terms = expression.match(/'(?:[^']|'')*'|\[char\]\d+/g) ?? []
      expect(terms.join(' + ')).toBe(expression)
      const parts = terms.map(term =>
        term.startsWith('[') ? String.fromCharCode(Number(term.slice(6))) : term.slice(1, -1).replaceAll("''", "'"),
      )
      expect(parts.join('')).toBe(text)
    }),
    { numRuns: 10_000 },
  )
})
