/** The types that are shipped are the contracts: the compiler holds one against the other when the tests are checked. */
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type * as Shipped from '../examples/plugins/cloudtoken.d.ts'
import type { ExporterContext } from '../src/exporter.ts'
import type { ExporterPlugin, PluginContext, ProviderPlugin, StagePlugin } from '../src/plugin.ts'
import type { hostApi } from '../src/plugin-module.ts'
import { pluginTypes } from '../src/plugin-types.ts'
import type { ProviderContext } from '../src/provider.ts'

type Fits<From extends To, To> = [From, To]

type Api = Awaited<ReturnType<typeof hostApi>>

/** A module that keeps to the shipped types is a plugin, and is given what they promise. */
export type Checks = [
  Fits<Shipped.ProviderPlugin, ProviderPlugin>,
  Fits<Shipped.ExporterPlugin, ExporterPlugin>,
  Fits<Shipped.StagePlugin, StagePlugin>,
  Fits<ProviderContext & PluginContext, Shipped.ProviderContext>,
  Fits<ExporterContext & PluginContext, Shipped.ExporterContext>,
  Fits<Omit<Api, 'formProvider'>, Omit<Shipped.Api, 'formProvider'>>,
  Fits<Parameters<Shipped.Api['formProvider']>, Parameters<Api['formProvider']>>,
  Fits<ReturnType<Api['formProvider']>, ProviderPlugin>,
]

test('the file beside the examples is the one that is shipped', () => {
  expect(readFileSync(join(import.meta.dirname, '../examples/plugins/cloudtoken.d.ts'), 'utf8')).toBe(pluginTypes)
})
