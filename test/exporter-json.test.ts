import { describe, expect, test } from 'bun:test'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { exportJson } from '../src/exporter-json.ts'
import { fromTokens } from '../src/tokens.ts'
import { credentialsOf } from './exporter-writer.ts'
import { exporterCase, setsIn, useHome } from './exporter.case.ts'
import { failureOf } from './failure.ts'

describe('contract', () => {
  exporterCase({
    exporter: exportJson,
    file: '.config/cloudtoken/tokens.json',
    foreign: undefined,
    flags: () => ({}),
    // Half a file is no JSON.
    sets: text => setsIn(JSON.stringify(JSON.parse(text))),
  })
})

describe('tokens.json', () => {
  const held = useHome()
  const file = (): string => path.join(held.stage.home, '.config/cloudtoken/tokens.json')

  test('holds the eleven keys and reads back as the same set', async () => {
    await exportJson.write(held.stage.context(7))
    const text = readFileSync(file(), 'utf8')
    expect(Object.keys(JSON.parse(text)).sort().join(' ')).toBe(
      'AccessKeyId AccountId Code Expiration Issuer LastRole LastUpdated SAMLProvider SecretAccessKey Token Type',
    )
    expect(fromTokens(text)).toEqual(
      credentialsOf(7, { issued: new Date('2040-01-01T00:00:07Z'), expiration: new Date('2040-01-01T01:00:07Z') }),
    )
  })

  test('is written for the daemon too: other programs read it', async () => {
    await exportJson.write(held.stage.context(1, { daemon: true }))
    expect(existsSync(file())).toBe(true)
  })

  test('is not written with --temp', async () => {
    await exportJson.write(held.stage.context(1, { flags: { temp: true } }))
    expect(existsSync(file())).toBe(false)
  })

  test('--json-tokens goes elsewhere, and ~ is the home folder', async () => {
    const flags = { 'json-tokens': '~/there/mine.json' }
    const mine = path.join(held.stage.home, 'there/mine.json')
    await exportJson.write(held.stage.context(1, { flags }))
    await exportJson.write(held.stage.context(2, { flags }))
    expect(setsIn(readFileSync(mine, 'utf8'))).toEqual(['2'])
    expect(existsSync(file())).toBe(false)
    await exportJson.forget?.(held.stage.context(0, { flags }))
    expect(existsSync(mine)).toBe(false)
  })

  test('--json-tokens does not overwrite or remove a file of somebody else', async () => {
    const mine = path.join(held.stage.home, 'notes')
    const flags = { 'json-tokens': mine }
    for (const text of ['[default]\naws_access_key_id = x\n', '{"AccessKeyId":"x"}', 'null']) {
      writeFileSync(mine, text)
      expect(await failureOf(exportJson.write(held.stage.context(1, { flags })))).toMatchObject({ kind: 'config' })
      await exportJson.forget?.(held.stage.context(1, { flags }))
      expect(readFileSync(mine, 'utf8')).toBe(text)
    }
    writeFileSync(mine, '')
    await exportJson.write(held.stage.context(1, { flags }))
    expect(setsIn(readFileSync(mine, 'utf8'))).toEqual(['1'])
  })
})
