/** What the documents say can be typed: links lead somewhere, commands and options are there, shells understand the blocks. */
import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { normaliseArgv } from '../src/argv.ts'
import { commands } from '../src/commands.ts'
import { isFailure } from '../src/errors.ts'
import { coreOptions } from '../src/options.ts'
import { blocksOf, commandLines, documents, readDocument, scriptOf } from './documents.ts'

const root = join(import.meta.dirname, '..')

describe.each(documents)('%s', file => {
  test('its links lead somewhere', () => {
    const lost = linksOf(file).filter(link => !leads(file, link))
    expect(lost).toEqual([])
  })

  test('what it says to type is understood', () => {
    const wrong = commandLines(file).flatMap(({ where, words }) => {
      const problem = problemOf(words)
      return problem === undefined ? [] : [`${where}: ${problem}`]
    })
    expect(wrong).toEqual([])
  })

  test('nothing of a merge is left in it', () => {
    expect(readDocument(file)).not.toMatch(/^(<<<<<<<|>>>>>>>|> > > > > > >|\|? ?=======)/m)
  })

  test('a shell can read its blocks', () => {
    for (const block of blocksOf(file)) {
      const script = scriptOf(block)
      if (script === undefined) continue
      const { status, stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' })
      expect([block.line, status, stderr]).toEqual([block.line, 0, ''])
    }
  })
})

test('the messages that troubleshooting explains are messages of the program', () => {
  const source = readdirSync(join(root, 'src'))
    .map(name => readFileSync(join(root, 'src', name), 'utf8'))
    .join('\n')
  const table = readDocument('docs/troubleshooting.md').split('## By message')[1] ?? ''
  const explained = [...table.matchAll(/^\| `([^`]+)`/gm)].map(match => match[1] ?? '').slice(1)
  expect(explained.length).toBeGreaterThan(15)
  const parts = explained.flatMap(message => message.split('…').map(part => part.trim()))
  expect(parts.filter(part => part.length > 3 && !source.includes(part))).toEqual([])
})

test('the reader of documents sees what is wrong', () => {
  expect(problemOf(['--no-such-option'])).toContain('unknown option')
  expect(problemOf(['no-such-command'])).toContain('no command')
  expect(problemOf(['roles', '--json', 'surplus'])).toContain('unexpected argument')
  expect(problemOf(['exec', '--serve', '--', 'anything', '--at-all'])).toBeUndefined()
  expect(leads('README.md', 'docs/nowhere.md')).toBe(false)
  expect(leads('README.md', 'docs/daemon.md#no-such-heading')).toBe(false)
  expect(commandLines('README.md').length).toBeGreaterThan(20)
})

/** Options that plugins of examples add, and placeholders. */
const elsewhere = /^--vpn-host|…|^\.\.\.$/

/** As the program itself would say it; placeholders such as NAME are values like any other. */
function problemOf(words: readonly string[]): string | undefined {
  if (words.some(word => elsewhere.test(word))) return undefined
  const named = words[0] !== undefined && /^[a-z]/.test(words[0]) ? words[0] : undefined
  if (named === 'version' || named === 'help') return undefined
  const command = commands.find(({ name }) => name === named)
  if (named !== undefined && !command) return `no command ${named}`
  const optional = words.map(word => word.replaceAll(/^\[|\]$/g, ''))
  try {
    normaliseArgv(
      named === undefined ? optional : optional.slice(1),
      command?.options ?? coreOptions,
      command?.positionals,
    )
    return undefined
  } catch (error) {
    if (isFailure(error)) return error.message
    throw error
  }
}

function linksOf(file: string): string[] {
  const prose = readDocument(file).replaceAll(/^ *```[^]*?^ *```\s*$/gm, '')
  return [...prose.matchAll(/\]\(([^()\s]+)\)/g)].map(match => match[1] ?? '').filter(link => !/^[a-z]+:/.test(link))
}

function leads(file: string, link: string): boolean {
  const [target = '', anchor] = link.split('#')
  const to = target === '' ? file : join(dirname(file), target)
  if (!existsSync(join(root, to))) return false
  if (anchor === undefined) return true
  const headings = [...readDocument(to).matchAll(/^#+ (.*)$/gm)].map(match => slug(match[1] ?? ''))
  return headings.includes(anchor)
}

/** As GitHub and the site make them. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-')
}
