/**
 * `tokens.json`: the eleven keys, for programs that read the credentials themselves.
 */
import { realpathSync } from 'node:fs'
import path from 'node:path'
import { failure } from './errors.ts'
import type { Exporter, ExporterContext } from './exporter.ts'
import { readText, remove, writeFile } from './files.ts'
import { readFields } from './json.ts'
import { toTokens } from './tokens.ts'

export const exportJson: Exporter = {
  name: 'export_credentials_json',
  aliases: ['json', 'json_exporter'],
  summary: 'tokens.json in the configuration folder, or where --json-tokens says',
  async write(context) {
    if (context.settings.temp) return
    const file = tokensFile(context)
    const before = context.settings.jsonTokens ? readText(file) : undefined
    if (before?.trim() && !isTokens(before)) {
      const message = `${file} is there already and was not written by cloudtoken`
      throw failure('config', message, { hint: 'remove it, or choose another file with --json-tokens' })
    }
    writeFile(file, `${JSON.stringify(toTokens(context.credentials), undefined, 2)}\n`)
  },
  async forget(context) {
    const file = tokensFile(context)
    const text = readText(file)
    if (text !== undefined && (!context.settings.jsonTokens || isTokens(text))) remove(realpathSync(file))
  },
}

/** `--json-tokens`, with `~` for the home folder as config.yaml may have it. */
function tokensFile({ settings, paths }: Pick<ExporterContext, 'settings' | 'paths'>): string {
  if (!settings.jsonTokens) return path.join(paths.config, 'tokens.json')
  return path.resolve(settings.jsonTokens.replace(/^~(?=$|[\\/])/, paths.home))
}

/** By its keys, not by its values: an expired or odd set is ours as well. */
function isTokens(text: string): boolean {
  const names = Object.keys(readFields(text))
  return names.includes('SecretAccessKey') && names.includes('LastRole')
}
