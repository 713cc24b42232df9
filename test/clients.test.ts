/** The page of clients says what the list of clients has, and each of them was seen to work. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { tableIn, tableOf, withTable } from '../scripts/clients-table.ts'
import { clients, modes } from '../scripts/clients.ts'

const page = readFileSync(join(import.meta.dirname, '../docs/clients.md'), 'utf8')

test('docs/clients.md has every client, each way in that it knows, and its version', () => {
  const said = [...tableIn(page)].map(([name, [version = '', ...cells]]) => [name, /^[\d.]+$/.test(version), ...cells])
  const known = clients.map(client => [
    client.name,
    true,
    ...modes.map(mode => (client.modes.includes(mode) ? 'yes' : '–')),
  ])
  expect(said).toEqual(known)
})

test('a client that was not seen is no “yes”', () => {
  const [first, second] = clients
  const table = tableOf(
    [first, second].flatMap(each => each ?? []),
    [{ client: first?.name ?? '', mode: 'IMDSv1', version: '1.2.3' }],
  )
  const [one, two] = [...tableIn(withTable(page, table)).values()]
  expect([one, two]).toEqual([
    ['1.2.3', 'yes', 'no', 'no'],
    ['', 'no', 'no', 'no'],
  ])
})
