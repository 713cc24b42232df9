/** Every plugin that `plugins new` can write keeps the contract, as do the examples; and a bad one is found out. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { testCommand } from '../src/command-plugins-test.ts'
import { failure } from '../src/errors.ts'
import { findPaths } from '../src/paths.ts'
import { createLog } from '../src/log.ts'
import { languages, skeletonOf } from '../src/plugin-skeleton.ts'
import { notLoadable, openPlugins } from '../src/plugins.ts'

let home: string
let folder: string
beforeAll(() => {
  home = mkdtempSync(path.join(tmpdir(), 'cloudtoken-skeleton-'))
  folder = path.join(home, '.config/cloudtoken/plugins')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

const person = (): Promise<never> => Promise.reject(failure('person', 'nobody is there'))
const ask = { text: person, secret: person, choose: person, confirm: person, tell: () => {} }

async function contract(name: string): Promise<{ code: number; lines: string[] }> {
  const lines: string[] = []
  const said: string[] = []
  const log = createLog({
    debug: true,
    stdout: text => void lines.push(text.trimEnd()),
    stderr: text => void said.push(text),
  })
  const env = { HOME: home, PATH: process.env['PATH'] }
  const plugins = openPlugins({ paths: findPaths(env), env, ask, log, debug: false, timeoutSeconds: 60 })
  const found = plugins.find(name)
  if (!found) throw notLoadable(name)
  const code = await testCommand(plugins, found, log)
  // What both sides wrote is shown under --debug, and fits the schema.
  for (const [, from, line = ''] of said.join('').matchAll(/^cloudtoken: debug: ([<>]) (.*)$/gm)) {
    // The log hides what a person answered.
    const value: unknown = JSON.parse(line.replaceAll('*****', 'hidden'))
    const part = from === '>' && !line.includes('"type":"grease"') ? 'fromHost' : 'fromPlugin'
    expect([line, ajv.validate(`protocol#/$defs/${part}`, value)]).toEqual([line, true])
  }
  return { code, lines }
}

const ajv = new Ajv2020({ strict: false })
const schema = path.join(import.meta.dirname, '../docs/plugin-protocol.schema.json')
ajv.addSchema(JSON.parse(readFileSync(schema, 'utf8')), 'protocol')

describe('the contract', () => {
  for (const kind of ['provider', 'exporter', 'stage'] as const) {
    for (const lang of languages) {
      test.concurrent(`a new ${kind} in ${lang}`, async () => {
        const name = `my-${kind}-${lang}`
        const { file, text, mode } = skeletonOf(name, kind, lang)
        writeFileSync(path.join(folder, file), text, { mode })
        const { code, lines } = await contract(name)
        expect([code, lines.filter(line => !line.startsWith('ok'))]).toEqual([0, []])
        expect(lines.length).toBeGreaterThan(3)
      }, 60_000)
    }
  }

  test.concurrent('the examples', async () => {
    const examples = path.join(import.meta.dirname, '../examples/plugins')
    for (const file of readdirSync(examples)) copyFileSync(path.join(examples, file), path.join(folder, file))
    for (const name of ['corp', 'netrc', 'vpn-reachable']) {
      const { code, lines } = await contract(name)
      expect([name, code, lines.filter(line => !line.startsWith('ok'))]).toEqual([name, 0, []])
    }
  }, 60_000)

  const describes = (kind: string, options: object = {}): string =>
    `#!/bin/sh\n[ "$1" = --describe ] && { echo '${JSON.stringify({ protocol: 1, kind, summary: 'x', options })}'; exit; }\nread -r hello\n`
  const result = `echo '{"type":"result"}'\n`
  const bad: [string, string, string][] = [
    ['any-protocol', describes('stage') + result, 'it gave a result under protocol 999'],
    ['silent', describes('stage'), 'before it gave a result'],
    ['clashing', describes('stage', { role: { type: 'boolean', summary: 'x' } }) + result, '--role means one thing'],
    ['loose', `${describes('exporter')}umask 0; echo x > "$HOME/loose"\n${result}`, 'others can read loose'],
    ['keeping', `${describes('exporter')}umask 077; echo x > "$HOME/kept"\n${result}`, 'kept is still there'],
    ['not-asking', `${describes('provider')}${result}`, 'gave a result without an assertion'],
  ]
  for (const [name, script, problem] of bad) {
    test.concurrent(`finds out ${name}`, async () => {
      writeFileSync(path.join(folder, `cloudtoken-plugin-${name}`), script, { mode: 0o700 })
      const { code, lines } = await contract(name)
      expect([code, lines.join('\n')]).toEqual([50, expect.stringContaining(problem)])
    }, 60_000)
  }
})

test('skeletons say what they are called', () => {
  for (const kind of ['provider', 'exporter', 'stage'] as const) {
    for (const lang of languages) {
      const { file, text } = skeletonOf('My_Own.2', kind, lang)
      expect(file).toContain('My_Own.2')
      expect(text).toContain('my-own-2-file')
      expect(text).not.toMatch(/NAME\b(?!-)|OPTION|CAMEL/)
    }
  }
  expect(readFileSync(path.join(import.meta.dirname, '../docs/plugins.md'), 'utf8')).toContain('plugins new')
})
