/**
 * config.yaml, read as the original wrote it, and the settings that come out of it:
 * flag, then environment, identity, plugin defaults, defaults, and at last the option's own default.
 */
import { failure } from './errors.ts'
import { readText } from './files.ts'
import { unknownName } from './names.ts'
import { camelCase, type Option, type OptionTable, type OptionValue } from './option.ts'
import type { Settings } from './options.ts'

export interface Config {
  /** Where it was read; `undefined` when there is none. */
  readonly file: string | undefined
  /** Plugin names of each stage in order; `undefined` where the file says nothing. */
  readonly stages: Readonly<Record<Stage, readonly string[] | undefined>>
  /** `defaults:` with dashes in the names. */
  readonly defaults: Values
  /** `defaults.PLUGIN:` by plugin. */
  readonly pluginDefaults: Readonly<Record<string, Values>>
  readonly identities: Readonly<Record<string, Values>>
  /** Account id to the name a person gave it. */
  readonly accounts: Readonly<Record<string, string>>
  /** Short name to role ARN, for `--chain` and `--dest-role-alias`. */
  readonly aliases: Readonly<Record<string, string>>
  /** What the metadata service serves in place of its own values, by path. */
  readonly metadata: Values
}

export type Stage = 'pre_auth' | 'auth' | 'post_auth'
type Values = Readonly<Record<string, unknown>>
type Env = Readonly<Record<string, string | undefined>>

const stageNames: readonly Stage[] = ['pre_auth', 'auth', 'post_auth']
/** The original kept these three at the top. */
const olderKeys: Readonly<Record<string, readonly [provider: string, option: string]>> = {
  'adfs-url': ['adfs', 'url'],
  'okta-url': ['okta', 'url'],
  gui: ['okta', 'gui'],
}
const topKeys = ['plugins', 'defaults', 'identities', 'accounts', 'aliases', 'metadata', ...Object.keys(olderKeys)]

export const emptyConfig: Config = {
  file: undefined,
  stages: { pre_auth: undefined, auth: undefined, post_auth: undefined },
  defaults: {},
  pluginDefaults: {},
  identities: {},
  accounts: {},
  aliases: {},
  metadata: {},
}

/** A missing file is an empty configuration; anything that cannot be understood is a failure that names the place. */
export async function loadConfig(file: string): Promise<Config> {
  const text = readText(file)
  if (text === undefined) return emptyConfig
  const { parseDocument } = await import('yaml')
  const document = parseDocument(text, { prettyErrors: true })
  const problem = document.errors[0]
  if (problem) throw failure('config', `${file}: ${problem.message.split('\n')[0]?.replace(/:$/, '')}`)
  return readConfig(document.toJS({ maxAliasCount: 100 }), file)
}

export function readConfig(value: unknown, file: string): Config {
  const top = mapping(value ?? {}, file, 'the file')
  const defaults: Record<string, unknown> = {}
  const pluginDefaults: Record<string, Values> = {}
  for (const key of Object.keys(top)) {
    if (!topKeys.includes(key)) throw unknownName(`${file}: unknown key ${key}`, key, topKeys)
    const older = olderKeys[key]
    if (older) pluginDefaults[older[0]] = { ...pluginDefaults[older[0]], [older[1]]: top[key] }
  }
  for (const [key, entry] of Object.entries(mapping(top['defaults'] ?? {}, file, 'defaults'))) {
    if (isMapping(entry)) pluginDefaults[key] = { ...pluginDefaults[key], ...mapping(entry, file, `defaults.${key}`) }
    else defaults[key] = entry
  }
  const identities: Record<string, Values> = {}
  for (const [name, entry] of Object.entries(raw(top['identities'] ?? {}, file, 'identities'))) {
    identities[name] = mapping(entry ?? {}, file, `identities.${name}`)
  }
  const accounts = texts(top['accounts'], file, 'accounts')
  const aliases = texts(top['aliases'], file, 'aliases')
  const metadata = raw(top['metadata'] ?? {}, file, 'metadata')
  const stages = readStages(top['plugins'], file)
  return { file, stages, defaults, pluginDefaults, identities, accounts, aliases, metadata }
}

function texts(value: unknown, file: string, where: string): Record<string, string> {
  return Object.fromEntries(Object.entries(raw(value ?? {}, file, where)).map(([key, text]) => [key, String(text)]))
}

function readStages(value: unknown, file: string): Config['stages'] {
  const stages: Record<Stage, readonly string[] | undefined> = { ...emptyConfig.stages }
  for (const [key, list] of Object.entries(raw(value ?? {}, file, 'plugins'))) {
    const stage = stageNames.find(name => name === key.replaceAll('-', '_'))
    if (!stage) throw unknownName(`${file}: unknown stage plugins.${key}`, key, stageNames)
    const entries = list ?? []
    if (!Array.isArray(entries) || entries.some(entry => typeof entry !== 'string')) {
      throw failure('config', `${file}: plugins.${key} is not a list of plugin names`)
    }
    stages[stage] = entries
  }
  return stages
}

export interface SettingSources {
  readonly flags?: Readonly<Record<string, OptionValue>>
  readonly env?: Env
  readonly config?: Config
  /** Values of the chosen identity. */
  readonly identity?: Values
  /** Plugins in use, whose `defaults.PLUGIN` count. */
  readonly plugins?: readonly string[]
}

/** Every option of the table by camelCase name; those outside the core land in `extra`. */
export function resolveSettings(core: OptionTable, extra: OptionTable, sources: SettingSources): Settings {
  const { flags = {}, env = {}, config = emptyConfig, identity = {}, plugins = [] } = sources
  const table: OptionTable = { ...extra, ...core }
  const read = (name: string, option: Option): OptionValue | undefined => {
    const flag = flags[name]
    if (flag !== undefined) return flag
    if (option.act) return option.default
    const names = [name, ...(option.alias ?? []).filter(alias => alias.length > 1)]
    for (const alias of names) {
      const variable = variableOf(alias)
      if (env[variable]) return parseValue(option, env[variable], variable)
    }
    const layers: [Values, string][] = [[identity, 'identity']]
    for (const plugin of plugins) layers.push([config.pluginDefaults[plugin] ?? {}, `defaults.${plugin}`])
    layers.push([config.defaults, 'defaults'])
    for (const [layer, where] of layers) {
      const key = names.find(alias => layer[alias] !== undefined && layer[alias] !== null)
      if (key) return parseValue(option, layer[key], `${config.file ?? 'config.yaml'}: ${where}.${key}`)
    }
    return option.default
  }
  const settings: Record<string, unknown> = {}
  const extras: Record<string, OptionValue> = {}
  for (const [name, option] of Object.entries(table)) {
    const value = read(name, option) ?? (option.repeat ? [] : option.type === 'boolean' ? false : undefined)
    if (name in core) settings[camelCase(name)] = value
    else if (value !== undefined) extras[camelCase(name)] = value
  }
  return { ...settings, extra: extras } as Settings
}

/** Keys of `defaults:` and of the identities that no option explains. Old names that have no meaning any more are let pass. */
export function checkNames(config: Config, table: OptionTable): void {
  const known = new Set(Object.entries(table).flatMap(([name, option]) => [name, ...(option.alias ?? [])]))
  const check = (values: Values, where: string): void => {
    for (const key of Object.keys(values)) {
      if (known.has(key) || originalNames.includes(key)) continue
      throw unknownName(`${config.file}: unknown option ${where}.${key}`, key, [...known])
    }
  }
  check(config.defaults, 'defaults')
  for (const [name, values] of Object.entries(config.identities)) check(values, `identities.${name}`)
}

/** Options of the original's plugins that a config.yaml of it may still hold. */
const originalNames = ['credentials-profile', 'mfa-url-output']

/** `CLOUDTOKEN_SESSION_DURATION` */
export function variableOf(name: string): string {
  return `CLOUDTOKEN_${name.toUpperCase().replaceAll('-', '_')}`
}

/** The value as the option's type wants it, or a failure that names where it stands. */
export function parseValue(
  option: Option,
  value: unknown,
  where: string,
  kind: 'config' | 'usage' = 'config',
): OptionValue {
  const wrong = (wanted: string): Error =>
    failure(kind, `${where}: ${option.secret ? 'the value' : shown(value)} is not ${wanted}`)
  if (option.repeat && option.verbatim) return [value].flat().map(String)
  if (option.repeat) {
    const items = Array.isArray(value) ? value : String(value).split(',')
    return items.map(item => String(item).trim()).filter(item => item !== '')
  }
  if (typeof value === 'object') throw wrong('a single value')
  const text = String(value).trim()
  if (option.type === 'boolean') {
    if (/^(true|1|yes|on)$/i.test(text)) return true
    if (/^(false|0|no|off)?$/i.test(text)) return false
    throw wrong('true or false')
  }
  if (option.type === 'integer') {
    const [least, most] = option.range ?? [0, Number.MAX_SAFE_INTEGER]
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (number >= least && number <= most) return number
    const unit = option.value === 'SECONDS' ? ' (seconds)' : ''
    throw wrong(option.range ? `a whole number from ${least} to ${most}${unit}` : 'a whole number')
  }
  if (option.values && !option.values.includes(text)) throw wrong(`one of ${option.values.join(', ')}`)
  return typeof value === 'string' ? value : text
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function raw(value: unknown, file: string, where: string): Record<string, unknown> {
  if (isMapping(value)) return value
  throw failure('config', `${file}: ${where} is not a mapping of names to values`)
}

/** With dashes for underscores in the names. */
function mapping(value: unknown, file: string, where: string): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(raw(value, file, where)).map(([key, entry]) => [key.replaceAll('_', '-'), entry]),
  )
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  return `"${text.length > 60 ? `${text.slice(0, 57)}...` : text}"`
}
