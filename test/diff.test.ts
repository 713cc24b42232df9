import { afterAll, describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unifiedDiff } from '../src/diff.ts'
import { run } from '../src/run.ts'

const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-diff-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('shows the sections that change, and no others', () => {
  const before = '# mine\n[a]\nx = 1\ny = 2\n\n[b]\nz = 3\n'
  const after = '# mine\n[a]\nx = 1\ny = 5\n\n[b]\nz = 3\n\n[c]\nnew = 1\n'
  expect(unifiedDiff('/f', before, after)).toBe(
    [
      '--- /f',
      '+++ /f',
      '@@ -2,4 +2,4 @@',
      ' [a]',
      ' x = 1',
      '-y = 2',
      '+y = 5',
      ' ',
      '@@ -6,2 +6,3 @@',
      ' [b]',
      ' z = 3',
      '+',
      '@@ -7,0 +9,2 @@',
      '+[c]',
      '+new = 1',
      '',
    ].join('\n'),
  )
})

test('a section of many lines costs no more than those that differ', () => {
  const many = '# line\n'.repeat(100_000)
  const lines = unifiedDiff('/f', `${many}[a]\n${many}`, `${many}[a]\nb = c\n${many}`).split('\n')
  expect(lines.filter(line => /^[-+](?![-+])/.test(line))).toEqual(['+b = c'])
})

test('nothing for equal texts', () => expect(unifiedDiff('/f', '[a]\nx', '[a]\nx')).toBe(''))

/** Texts and hunks apply by themselves: what stands in front of a line says what happens to it. */
function applied(before: string, diff: string): string {
  const old = before.match(/[^\n]*\n|[^\n]+$/g) ?? []
  const fresh: string[] = []
  let at = 0
  const lines = diff.split('\n').slice(2, -1)
  for (const [index, line] of lines.entries()) {
    const open = lines[index + 1]?.startsWith('\\') ? '' : '\n'
    const [, start, count] = /^@@ -(\d+),(\d+) /.exec(line) ?? []
    if (start !== undefined) {
      const first = count === '0' ? Number(start) : Number(start) - 1
      fresh.push(...old.slice(at, first))
      at = first
    } else if (line.startsWith('+')) fresh.push(line.slice(1) + open)
    else if (!line.startsWith('\\')) {
      expect(old[at]).toBe(line.slice(1) + open)
      if (line.startsWith(' ')) fresh.push(line.slice(1) + open)
      at += 1
    }
  }
  return [...fresh, ...old.slice(at)].join('')
}

const line = fc.constantFrom('[a]', '[b]', '[c]', ' [d]', 'x = 1', 'y = 2', '', '# c', '-z', '+w')
const text = fc
  .tuple(fc.array(line, { maxLength: 14 }), fc.constantFrom('', '\n'))
  .map(([lines, end]) => (lines.length === 0 || (lines.at(-1) === '' && end === '') ? '' : lines.join('\n') + end))

test('what it says leads from one text to the other, whatever they are', () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      expect(applied(before, unifiedDiff('/f', before, after))).toBe(after)
    }),
    { numRuns: 2000 },
  )
})

describe.if((await run('patch', ['--version'])).code === 0)('patch', () => {
  test('understands it', async () => {
    const file = join(folder, 'config')
    const before = '# mine\r\n[a]\nx = 1\n[b]\nz = 3'
    const after = '# mine\r\n[a]\nx = 2\n[b]\nz = 3\n[c]\nn = 1'
    writeFileSync(file, before)
    const { code, stdout } = await run('patch', ['--binary', file], { input: unifiedDiff(file, before, after) })
    expect([code, stdout]).toEqual([0, expect.any(String)])
    expect(readFileSync(file, 'utf8')).toBe(after)
  })
})
