/** docs/plugins.md shows what happens, byte for byte. */
import { beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { exitCodes } from '../src/errors.ts'
import { haveSessions, type Sessions } from './plugin-transcript.ts'

const docs = join(import.meta.dirname, '../docs')
const page = readFileSync(join(docs, 'plugins.md'), 'utf8')
const ajv = new Ajv2020({ strict: false })
ajv.addSchema(JSON.parse(readFileSync(join(docs, 'plugin-protocol.schema.json'), 'utf8')), 'protocol')

let sessions: Sessions
beforeAll(async () => {
  sessions = await haveSessions()
}, 60_000)

describe('docs/plugins.md', () => {
  test('its transcripts are those of real sessions', () => {
    const shown = [...page.matchAll(/^```transcript\n(.*?)\n```$/gms)].map(match => match[1] ?? '')
    expect(shown).toEqual(sessions.blocks)
  })

  test('every line of them, of both sides, fits the schema', () => {
    expect(sessions.lines.length).toBeGreaterThan(10)
    for (const { from, value } of sessions.lines) {
      const part = from === 'host' ? 'fromHost' : 'fromPlugin'
      expect([value, ajv.validate(`protocol#/$defs/${part}`, value)]).toEqual([value, true])
    }
    for (const value of sessions.descriptions) expect(ajv.validate('protocol#/$defs/description', value)).toBe(true)
  })

  test('its exit codes are the right ones', () => {
    const { plugin, refused, person, role, config, network, sts } = exitCodes
    expect(page).toMatch(new RegExp(`^\\| ${plugin} +\\| crashed, hung`, 'm'))
    expect(page).toContain(`| ${[refused, person, role, config, network, sts].join(' ')} | an \`error\` of kind`)
  })
})
