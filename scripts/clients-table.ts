/**
 * The table of clients in docs/clients.md, and how a run of `bun run test:clients` gets into it.
 */
import { modes, type Client, type Mode } from './clients.ts'

/** A client that has read the daemon in one of the ways. */
export interface Row {
  readonly client: string
  readonly mode: Mode
  readonly version: string
}

const headings: Readonly<Record<Mode, string>> = {
  IMDSv1: '`-d`',
  IMDSv2: '`-d --require-imdsv2`',
  container: '`-d --container-endpoint`',
}

/** `yes` where it was seen; a dash where the client does not know the way; `no` where it should have been. */
export function tableOf(clients: readonly Client[], seen: readonly Row[]): string {
  const lines = clients.map(({ name, modes: known }) => {
    const mine = seen.filter(({ client }) => client === name)
    const cells = modes.map(mode => (mine.some(row => row.mode === mode) ? 'yes' : known.includes(mode) ? 'no' : '–'))
    return [name, mine[0]?.version ?? '', ...cells]
  })
  const rows = [
    ['client', 'version', ...modes.map(mode => headings[mode])],
    ['---', '---', ...modes.map(() => '---')],
  ]
  return [...rows, ...lines].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

const marks = /(<!-- clients -->\n\n)[^]*?(\n\n<!-- end of clients -->)/

/** The page with this table between its marks. */
export function withTable(page: string, table: string): string {
  if (!marks.test(page)) throw new Error('the page has no place for the table')
  return page.replace(marks, (_, before: string, after: string) => before + table + after)
}

/** What the page says of each client, by name. */
export function tableIn(page: string): ReadonlyMap<string, readonly string[]> {
  const text = marks.exec(page)?.[0] ?? ''
  const lines = [...text.matchAll(/^\|(.*)\|$/gm)].slice(2)
  return new Map(
    lines.map(([, line = '']) => {
      const [name = '', ...cells] = line.split('|').map(cell => cell.trim())
      return [name, cells]
    }),
  )
}
