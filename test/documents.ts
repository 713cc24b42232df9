/**
 * The documents as tests read them: the blocks, and every command line of ours in them.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
export const documents: readonly string[] = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md'],
  ...readdirSync(join(root, 'docs'))
    .filter(name => name.endsWith('.md'))
    .map(name => `docs/${name}`),
]

export interface Block {
  readonly file: string
  readonly line: number
  /** What stands after the three marks. */
  readonly language: string
  readonly text: string
}

export function readDocument(file: string): string {
  return readFileSync(join(root, file), 'utf8')
}

/** https://spec.commonmark.org/0.31.2/#fenced-code-blocks, indented ones as well. */
export function blocksOf(file: string): Block[] {
  const blocks: Block[] = []
  let open: { language: string; line: number; indent: number; lines: string[] } | undefined
  for (const [index, line] of readDocument(file).split('\n').entries()) {
    const mark = /^( *)```(\w*)\s*$/.exec(line)
    if (!mark) open?.lines.push(line.slice(open.indent))
    else if (!open) open = { language: mark[2] ?? '', line: index + 1, indent: mark[1]?.length ?? 0, lines: [] }
    else {
      const { language, lines } = open
      blocks.push({ file, line: open.line, language, text: lines.join('\n') })
      open = undefined
    }
  }
  return blocks
}

/** What a shell is given: whole `sh` blocks, and after `$ ` in transcripts. */
export function scriptOf({ language, text }: Block): string | undefined {
  if (language === 'sh') return text
  const typed = text.split('\n').flatMap(line => (line.startsWith('$ ') ? [line.slice(2)] : []))
  return typed.length === 0 ? undefined : typed.join('\n')
}

export interface CommandLine {
  readonly where: string
  /** After the name of the program. */
  readonly words: readonly string[]
}

/** Each command line of ours, in blocks and in running text. */
export function commandLines(file: string): CommandLine[] {
  const shown = blocksOf(file).flatMap(block => {
    const script = scriptOf(block)
    return script === undefined ? [] : [{ where: `${file}:${block.line}`, text: script }]
  })
  const prose = readDocument(file).replaceAll(/^ *```[^]*?^ *```\s*$/gm, '')
  const inline = [...prose.matchAll(/`((?:[^`\s][^`\n]*)?\bcloudtoken (?!=)[^`\n]*)`/g)].map(match => ({
    where: file,
    text: (match[1] ?? '').replaceAll(String.raw`\|`, '|'),
  }))
  return [...shown, ...inline].flatMap(({ where, text }) =>
    commandsIn(text).map(words => ({ where: `${where}: ${words.join(' ')}`, words })),
  )
}

/** The words after `cloudtoken` wherever a command may begin, as a shell would split them. */
function commandsIn(text: string): string[][] {
  const found: string[][] = []
  for (const line of text.replaceAll('\\\n', ' ').split('\n')) {
    for (const match of line.matchAll(/(?:^|[;|&(=] *|"\$\(|sudo |^ *\w+=\S+ )cloudtoken(?= |$)([^]*)/g)) {
      found.push(split(match[1] ?? ''))
    }
  }
  return found
}

/** Up to what ends a command; quotes are taken off. */
function split(text: string): string[] {
  const words: string[] = []
  for (const match of text.matchAll(/\s+|([;|&)<>#][^]*)|((?:'[^']*'|"[^"]*"|[^\s;|&)<>'"])+)/g)) {
    if (match[1] !== undefined) break
    if (match[2] !== undefined) words.push(match[2].replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2'))
  }
  return words
}
