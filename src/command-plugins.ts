/**
 * `plugins`: which there are, which of them is trusted, and the tools for those who write one.
 */
import path from 'node:path'
import process from 'node:process'
import { optionsOnly, type Flags } from './command-context.ts'
import { listCommand } from './command-plugins-list.ts'
import { testCommand } from './command-plugins-test.ts'
import { failure } from './errors.ts'
import { findPaths } from './paths.ts'
import { makePrivate, readText, writeFile } from './files.ts'
import { createLog, type Log } from './log.ts'
import { unknownName } from './names.ts'
import { checkName, checkSafe } from './plugin-find.ts'
import { languages, skeletonOf } from './plugin-skeleton.ts'
import { pluginTypes } from './plugin-types.ts'
import type { PluginKind } from './plugin.ts'
import { notLoadable, openPlugins, type Plugins } from './plugins.ts'
import { createTerminal } from './term.ts'

const kinds: readonly PluginKind[] = ['provider', 'exporter', 'stage']

const actions = ['list', 'trust', 'new', 'test', 'types']

export async function pluginsCommand(flags: Flags, [action = 'list', name]: readonly string[]): Promise<number> {
  const log = createLog({ debug: flags['debug'] === true })
  if (!actions.includes(action)) throw unknownName(`no command plugins ${action}`, action, actions, 'usage')
  if (action === 'types') {
    log.write(pluginTypes)
    return 0
  }
  const settings = optionsOnly(flags, process.env)
  const paths = findPaths(process.env, settings.configDir)
  const plugins = openPlugins({
    paths,
    env: process.env,
    ask: createTerminal({ noInput: settings.noInput, tell: message => log.info(message) }),
    log,
    debug: settings.debug,
    timeoutSeconds: settings.pluginTimeout,
  })
  if (action === 'list') return await listCommand(plugins, log, settings.json)
  if (name === undefined) throw failure('usage', `plugins ${action} needs the name of a plugin`)
  if (action === 'new') return newPlugin(plugins, log, name, flags)
  const found = plugins.find(name)
  if (!found) throw notLoadable(name)
  if (action === 'test') return await testCommand(plugins, found, log)
  checkSafe(found)
  log.print(`${plugins.trust.pin(found)}  ${found.path}`)
  return 0
}

function newPlugin({ places }: Plugins, log: Log, name: string, flags: Flags): number {
  checkName(name)
  const kind = kinds.find(each => each === flags['kind'])
  const lang = languages.find(each => each === flags['lang'])
  if (!kind || !lang) {
    throw failure('usage', 'it is not said what to write', {
      hint: `cloudtoken plugins new ${name} --kind provider|exporter|stage --lang ts|sh|python`,
    })
  }
  const { file, text, mode } = skeletonOf(name, kind, lang)
  const target = path.join(places.folder, file)
  if (readText(target) !== undefined) throw failure('config', `${target} is there already`)
  makePrivate(places.folder)
  writeFile(target, text, mode)
  if (lang === 'ts') writeFile(path.join(places.folder, 'cloudtoken.d.ts'), pluginTypes)
  log.print(`wrote ${target}`)
  log.print(`try it: cloudtoken plugins test ${name}`)
  return 0
}
