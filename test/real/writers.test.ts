/**
 * Many writers of one file that belongs to everybody, and some of them killed on the way.
 */
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { readSection, removeSections, sectionNames } from '../../src/ini.ts'
import { setsIn } from '../exporter.case.ts'
import type { Job } from '../exporter-writer.ts'

const writer = join(import.meta.dir, '../exporter-writer.ts')
/** Written by other programs and people; none of its bytes are ours to change. */
const foreign = [
  '# keys of the old account',
  '[default]',
  'aws_access_key_id = AKIAFOREIGN000000001   ; not a comment of ours',
  'aws_secret_access_key=foreign/secret',
  's3 =',
  '    max_concurrent_requests = 20',
  '',
  '\t; indented',
  '[profile x]\r',
  'region = eu-west-1\r',
  '',
  '[last]',
  'region=us-east-1',
].join('\n')

let home: string
let file: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'cloudtoken-writers-'))
  file = join(home, '.aws/credentials')
  mkdirSync(join(home, '.aws'))
  writeFileSync(file, foreign, { mode: 0o600 })
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

interface Writer {
  readonly profile: string
  readonly last: number
  readonly child: Bun.Subprocess<'ignore', 'pipe', 'pipe'>
}

function start(number: number, writes: number, at: number): Writer {
  const profile = `w${number}`
  const sets = Array.from({ length: writes }, (_, index) => number * 100 + index)
  const job: Job = {
    home,
    exporter: 'export_credentials_awscli',
    writes: sets.map(set => [set, { profile }] as const),
    at,
  }
  const child = Bun.spawn([process.execPath, writer, JSON.stringify(job)], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  return { profile, last: sets.at(-1) ?? 0, child }
}

/** The file as everybody has to find it, at any time. Answers with the set of each profile. */
function check(): Map<string, string> {
  const text = readFileSync(file, 'latin1')
  const names = sectionNames(text).filter(name => /^w\d+$/.test(name))
  expect(removeSections(text, new Set(names))).toBe(foreign)
  const found = new Map<string, string>()
  for (const name of names) {
    const section = readSection(text, name)
    expect([...(section?.keys() ?? [])]).toEqual(
      expect.arrayContaining(['aws_access_key_id', 'aws_secret_access_key', 'aws_session_token', 'cloudtoken']),
    )
    const sets = setsIn([...(section?.values() ?? [])].join('\n'))
    expect(sets).toHaveLength(1)
    found.set(name, sets[0] ?? '')
  }
  expect(statSync(file).mode & 0o777).toBe(0o600)
  return found
}

async function succeed({ child }: Writer): Promise<void> {
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  expect([code, stdout, stderr]).toEqual([0, '[]', ''])
}

test('fifty writers at once, five hundred writes: no line damaged, none lost, nothing left over', async () => {
  const at = Date.now() + 4000
  const writers = Array.from({ length: 50 }, (_, number) => start(number, 10, at))
  const ended = Promise.all(writers.map(succeed))
  let done = false
  void ended.finally(() => (done = true))
  await Bun.sleep(Math.max(0, at - Date.now()) + 500)
  while (!done) {
    check()
    await Bun.sleep(20)
  }
  await ended
  expect(Object.fromEntries(check())).toEqual(
    Object.fromEntries(writers.map(({ profile, last }) => [profile, String(last)])),
  )
  expect(readdirSync(join(home, '.aws'))).toEqual(['credentials'])
}, 240_000)

test('kill -9 in the middle of five hundred writes: the file is whole, and who lives goes on', async () => {
  for (let round = 0; round < 5; round += 1) {
    const writers = Array.from({ length: 10 }, (_, number) => start(round * 10 + number, 10, Date.now() + 500))
    const doomed = writers.filter((_, index) => index % 2 === 0)
    for (const { child } of doomed) {
      await Bun.sleep(300 + Math.random() * 300)
      child.kill('SIGKILL')
      check()
    }
    const living = writers.filter(each => !doomed.includes(each))
    await Promise.all([...living.map(succeed), ...doomed.map(({ child }) => child.exited)])
    const found = check()
    for (const { profile, last } of living) expect(found.get(profile)).toBe(String(last))
  }
  // What a killed one leaves beside the file is for nobody else to read.
  for (const name of readdirSync(join(home, '.aws')).filter(each => each.startsWith('.credentials.')))
    expect(statSync(join(home, '.aws', name)).mode & 0o777).toBe(0o600)
}, 300_000)
