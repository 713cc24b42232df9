import { expect, test } from 'bun:test'
import { exporterNames, findExporter } from '../src/exporters.ts'
import { failureOf } from './failure.ts'

test('every exporter is found by its name and by each of its aliases', async () => {
  expect(exporterNames().map(name => name.replace('export_credentials_', ''))).toEqual([
    'json',
    'shell',
    'awscli',
    'ci',
  ])
  for (const name of exporterNames()) {
    const exporter = await findExporter(name)
    expect(exporter.name).toBe(name)
    for (const alias of exporter.aliases ?? []) expect(await findExporter(alias)).toBe(exporter)
  }
})

test('the short names and the older one', async () => {
  const names = await Promise.all(
    ['json', 'shell', 'awscli', 'export_credentials_cli', 'export-credentials-json'].map(findExporter),
  )
  expect(names.map(({ name }) => name.slice('export_credentials_'.length))).toEqual([
    'json',
    'shell',
    'awscli',
    'awscli',
    'json',
  ])
})

test('a name that is none is a failure that says which there are', async () => {
  expect(await failureOf(findExporter('export_credentials_jsn'))).toMatchObject({
    kind: 'config',
    hint: 'did you mean export_credentials_json?',
  })
  expect(await failureOf(findExporter('constructor'))).toMatchObject({ kind: 'config' })
})
