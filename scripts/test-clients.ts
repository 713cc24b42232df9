/**
 * `bun run test:clients`: real clients read the compiled daemon at 169.254.169.254, in a network namespace of its own.
 * CI installs what is missing, and there a missing one fails; elsewhere it is left out with a line. Needs root.
 *
 *   --install   installs what is missing, as CI does
 *   --write     puts the table into docs/clients.md, too
 *   NAME …      only clients whose name contains one of the words
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { clients, type Client } from './clients.ts'
import { tableOf, withTable, type Row } from './clients-table.ts'
import { provide } from './components.ts'
import { runSuite, testFiles } from './suite.ts'
import { bun, close, inCi, install, root, say, seconds, shell, stop, tool } from './tools.ts'

const [words, options] = [/^(?!--)/, /^--/].map(kind => process.argv.slice(2).filter(word => kind.test(word)))
const installing = inCi || options?.includes('--install')
const write = options?.includes('--write')
const begin = performance.now()
await install()

if (process.geteuid?.() !== 0 || (await shell('unshare', ['-n', 'true'], { quiet: true })).code !== 0) {
  stop('test:clients needs root and a network namespace: 169.254.169.254 belongs to the machine')
}
const chosen = clients.filter(({ name }) => !words?.length || words.some(word => name.includes(word)))
if (installing) {
  say('== clients')
  await provide([...new Set(chosen.flatMap(({ needs }) => needs))])
}

/** What a client needs and is not here. */
async function missing({ needs }: Client): Promise<string[]> {
  const absent: string[] = []
  for (const each of needs) if (!(await each.present())) absent.push(each.name)
  return absent
}
const ready: Client[] = []
for (const client of chosen) {
  const absent = await missing(client)
  if (absent.length === 0) ready.push(client)
  else if (inCi) stop(`${absent.join(', ')} is missing and could not be installed`)
  else say(`skipped ${client.name}: ${absent.join(', ')} is not installed here`)
}

say('\n== build')
if ((await shell(bun, ['scripts/build.ts'])).code !== 0) stop('the build failed')

const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-clients-'))
const record = join(folder, 'matrix')
const tally = await runSuite({
  name: 'with real clients',
  files: testFiles('test/clients'),
  within: ['unshare', '-n', 'sh', '-c', 'ip link set lo up && exec "$0" "$@"'],
  env: {
    CLOUDTOKEN_BIN: join(root, 'dist', 'cloudtoken'),
    CLOUDTOKEN_CLIENTS: ready.map(({ name }) => name).join(','),
    CLOUDTOKEN_MATRIX: record,
  },
  testMs: 60_000,
  suiteMs: 900_000,
  retries: 1,
  workers: 1,
})
const rows = existsSync(record) ? readFileSync(record, 'utf8').trim().split('\n') : []
rmSync(folder, { recursive: true, force: true })
const seen = rows.map(line => JSON.parse(line) as Row)
say(`\n${tableOf(ready, seen)}`)
if (write) {
  const page = join(root, 'docs', 'clients.md')
  if (tally.failed > 0 || ready.length < clients.length) stop('not written: not every client was there, and good')
  writeFileSync(page, withTable(readFileSync(page, 'utf8'), tableOf(clients, seen)))
  await shell(tool('oxfmt'), ['--write', page])
}
say(`\n== all of it in ${seconds(begin)}`)
close(tally)
