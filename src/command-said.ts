/**
 * What a person said to a command, on the line or in the environment, as words for another one that runs without them.
 */
import path from 'node:path'
import type { Context } from './command-context.ts'
import { variableOf } from './config.ts'
import { camelCase, type OptionTable } from './option.ts'

/** `--name value` for each option of the table that was said; no secret, no act. Files by their whole path. */
export function saidWords({ flags, env, settings }: Context, table: OptionTable): string[] {
  return Object.entries(table).flatMap(([name, option]) => {
    const spelled = [name, ...(option.alias ?? [])]
    const said = spelled.some(each => flags[each] !== undefined || env[variableOf(each)])
    if (!said || option.secret || option.act || name === 'no-input') return []
    const value: unknown = Reflect.get(settings, camelCase(name))
    if (option.type === 'boolean') return value === true ? [`--${name}`] : []
    const values = Array.isArray(value) ? value : [value]
    return values.flatMap(each => [
      `--${name}`,
      option.value?.startsWith('FILE') || option.value === 'DIR' ? absolute(String(each)) : String(each),
    ])
  })
}

function absolute(file: string): string {
  return file.startsWith('arn:') || file.startsWith('~') ? file : path.resolve(file)
}
