/**
 * The plugins of other people: found, described once, trusted, and run when it is their turn.
 */
import { statSync } from 'node:fs'
import path from 'node:path'
import { failure, messageOf } from './errors.ts'
import { readText, writeFile } from './files.ts'
import type { Paths } from './paths.ts'
import type { Log } from './log.ts'
import type { Option, OptionTable } from './option.ts'
import type { Description, Plugin } from './plugin.ts'
import { describeExecutable, executablePlugin, type Running } from './plugin-executable.ts'
import { checkName, checkSafe, findInFolder, findOnPath, rootWorksFor, type Found, type Places } from './plugin-find.ts'
import { loadModule } from './plugin-module.ts'
import { readDescription } from './plugin-protocol.ts'
import { openTrustStore, type TrustStore } from './plugin-trust.ts'
import type { Ask } from './provider.ts'

export interface PluginsOptions {
  readonly paths: Paths
  readonly env: Readonly<Record<string, string | undefined>>
  readonly ask: Ask
  readonly log: Log
  readonly debug: boolean
  readonly timeoutSeconds: number
}

export interface Plugins {
  readonly places: Places
  readonly running: Running
  readonly trust: TrustStore
  /** `folder` for a name that is built in: on PATH nobody can take its place. */
  find(name: string, where?: 'folder'): Found | undefined
  /** Runs the plugin only when it has changed since it was asked last. */
  describe(found: Found): Promise<Description>
  load(found: Found): Promise<Plugin>
}

export function openPlugins(options: PluginsOptions): Plugins {
  const { paths, env, ask, log, debug, timeoutSeconds } = options
  const places: Places = { folder: path.join(paths.config, 'plugins'), env }
  const running: Running = { env, log, debug, timeoutMs: timeoutSeconds * 1000 }
  const trust = openTrustStore(paths.state)
  const ready = async (found: Found): Promise<void> => {
    checkSafe(found)
    await trust.check(found, ask)
  }
  const plugins: Plugins = {
    places,
    running,
    trust,
    find(name, where) {
      checkName(name)
      return findInFolder(name, places) ?? (where === 'folder' ? undefined : findOnPath(name, places))
    },
    async describe(found) {
      const file = path.join(paths.state, 'plugins', `${found.name}.json`)
      const stamp = stampOf(found)
      const kept = readKept(readText(file), stamp, found.name)
      if (kept) return kept
      await ready(found)
      const description =
        found.form === 'module' ? (await loadModule(found, running)).description : await describeExecutable(found, env)
      // What root would leave there could not be read by the one it works for.
      if (!rootWorksFor(env)) writeFile(file, JSON.stringify({ stamp, description: { protocol: 1, ...description } }))
      return description
    },
    async load(found) {
      await ready(found)
      if (found.form === 'module') return (await loadModule(found, running)).plugin
      return executablePlugin(found, await plugins.describe(found), running)
    },
  }
  return plugins
}

/** Changes whenever the file does. */
function stampOf({ path: file }: Found): string {
  const { size, mtimeMs, ctimeMs, ino } = statSync(file)
  return [file, size, mtimeMs, ctimeMs, ino].join(' ')
}

function readKept(text: string | undefined, stamp: string, name: string): Description | undefined {
  if (text === undefined) return undefined
  try {
    const kept: unknown = JSON.parse(text)
    if (typeof kept !== 'object' || kept === null || Reflect.get(kept, 'stamp') !== stamp) return undefined
    return readDescription(JSON.stringify(Reflect.get(kept, 'description')), name)
  } catch {
    return undefined
  }
}

export interface InUse {
  readonly described: readonly Description[]
  /** Of plugins that could not be described, by name. */
  readonly problems: ReadonlyMap<string, unknown>
}

/** Those of the names that are plugins; who is none of them is left to whoever needs it. */
export async function describeAll(
  plugins: Plugins,
  names: Iterable<string>,
  isBuiltIn: (name: string) => Promise<boolean>,
): Promise<InUse> {
  const described: Description[] = []
  const problems = new Map<string, unknown>()
  for (const name of new Set(names)) {
    try {
      const found = plugins.find(name, (await isBuiltIn(name)) ? 'folder' : undefined)
      if (found) described.push(await plugins.describe(found))
    } catch (error) {
      problems.set(name, error)
    }
  }
  return { described, problems }
}

/**
 * The options that the plugins add to those of the core. A name may be declared twice when both mean the same; rejects
 * with `config` when they do not, or when two options have the same short form.
 */
export function addedOptions(core: OptionTable, described: readonly Description[]): OptionTable {
  const owners = new Map<string, string>()
  const spelled = new Map<string, string>()
  const note = (name: string, option: Option, owner: string): void => {
    owners.set(name, owners.get(name) ?? owner)
    for (const each of [name, ...(option.alias ?? [])]) {
      const other = spelled.get(each)
      if (other !== undefined && other !== name) {
        const dashes = each.length === 1 ? '-' : '--'
        throw clash(`${dashes}${each}`, owners.get(other) ?? 'cloudtoken', owner)
      }
      spelled.set(each, name)
    }
  }
  for (const [name, option] of Object.entries(core)) note(name, option, 'cloudtoken')
  const added: Record<string, Option> = {}
  for (const { name: plugin, options } of described) {
    for (const [name, option] of Object.entries(options)) {
      const other = core[name] ?? added[name]
      if (other && !sameMeaning(other, option))
        throw clash(`--${name}`, owners.get(name) ?? 'cloudtoken', `plugin ${plugin}`)
      note(name, option, `plugin ${plugin}`)
      if (!other) added[name] = option
    }
  }
  return added
}

function clash(spelling: string, one: string, other: string): Error {
  const message = `${spelling} means one thing to ${one} and another to ${other}`
  return failure('config', message, { hint: 'take one of the plugins out of config.yaml', code: 'plugin-clash' })
}

/** What a user can see of it; the words of the summary may differ. An option of the core that is an act or secret is not shared. */
function sameMeaning(one: Option, other: Option): boolean {
  const shape = ({ type, repeat, values, range, secret, act }: Option): string =>
    JSON.stringify([type, repeat, values, range, secret, act])
  const defaults = one.default === undefined || other.default === undefined || one.default === other.default
  return shape(one) === shape(other) && defaults && !one.secret
}

/** In the words of the original. */
export function notLoadable(name: string, error?: unknown): Error {
  if (error !== undefined) return error instanceof Error ? error : new Error(messageOf(error))
  return failure('config', `Unable to load plugin: ${name}`, {
    hint: `cloudtoken plugins list shows those there are; is there a cloudtoken-plugin-${name} in plugins/ or on PATH?`,
    code: 'plugin-unknown',
  })
}
