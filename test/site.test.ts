/** The site is built from the documents and the tables, and its search finds what is in them. */
import { beforeAll, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bun, root, shell } from '../scripts/tools.ts'
import { commands } from '../src/commands.ts'
import { coreOptions } from '../src/options.ts'

const site = join(root, 'dist/site/html')
beforeAll(async () => {
  const { code, output } = await shell(bun, ['scripts/site.ts'], { quiet: true })
  expect([code, output]).toEqual([0, expect.stringContaining('pages')])
}, 120_000)

const page = (name: string): string => readFileSync(join(site, name), 'utf8')

test('every command and every option has its place', () => {
  const [listed, explained] = [page('reference/commands.html'), page('reference/options.html')]
  for (const { name } of commands) expect(listed).toContain(`id="${name}"`)
  for (const name of Object.keys(coreOptions)) expect(explained).toContain(`--${name}`)
})

test('every document is a page, and the first page is the README', () => {
  const documents = readdirSync(join(root, 'docs')).filter(name => name.endsWith('.md'))
  const pages = readdirSync(join(site, 'docs'))
  expect(documents.filter(name => !pages.includes(name.replace(/md$/, 'html')))).toEqual([])
  expect(page('index.html')).toContain('Metadata proxy now available on http://169.254.169.254')
})

test('the search knows the words, and asks no server', () => {
  const chunks = readdirSync(join(site, 'assets/chunks'))
  const index = chunks.find(name => name.includes('localSearchIndexroot'))
  expect(index).toBeDefined()
  expect(page(join('assets/chunks', index ?? ''))).toContain('simplesamlphp')
})
