/**
 * From words to a command and its exit code. Failures end here, as `error` and `hint`.
 */
import process from 'node:process'
import { defineCommand, runCommand } from 'citty'
import pkg from '../package.json' with { type: 'json' }
import { argsOf, flagsIn, flagsOf, normaliseArgv } from './argv.ts'
import type { Command } from './command.ts'
import { bare, commands } from './commands.ts'
import { exitCodes, failure, isFailure, messageOf, reasonOf } from './errors.ts'
import { commandHelp, helpText, type PluginHelp } from './help.ts'
import { createLog, lostOutput } from './log.ts'
import { nearest } from './names.ts'
import type { OptionTable } from './option.ts'
import { coreOptions } from './options.ts'
import { rootWorksFor } from './plugin-find.ts'
import { takeHandover } from './privilege-sudo.ts'

/** The exit code; only an unforeseen error shows where it happened, and only under `--debug`. */
export async function main(words: readonly string[]): Promise<number> {
  const log = createLog()
  try {
    const code = await dispatch(words, line => log.print(line))
    const lost = lostOutput()
    if (lost === undefined) return code
    log.error(`the output could not be written: ${reasonOf(lost)}`)
    return code === 0 ? exitCodes.unexpected : code
  } catch (error) {
    if (isFailure(error)) {
      log.error(error.message, error.hint)
      return exitCodes[error.kind]
    }
    const debug = words.includes('--debug') || process.env['CLOUDTOKEN_DEBUG']
    log.error(debug && error instanceof Error ? (error.stack ?? error.message) : messageOf(error))
    return exitCodes.unexpected
  }
}

async function dispatch(words: readonly string[], print: (line: string) => void): Promise<number> {
  const { argv: given, handover } = takeHandover(words)
  const [first] = given
  const named = first !== undefined && /^[a-z]/.test(first) ? first : undefined
  if (named === 'version') return answer(print, `cloudtoken ${pkg.version}`)
  if (named === 'session' && process.connected) {
    const { sessionCommand } = await import('./command-session.ts')
    return await sessionCommand()
  }
  const wanted = named === 'help' ? given[1] : named
  const command = wanted === undefined ? undefined : findCommand(wanted)
  const typed = named === 'help' ? ['--help'] : command ? given.slice(1) : given
  const { options, plugins } = await withPlugins(typed, command?.options ?? coreOptions)
  const argv = normaliseArgv(typed, options, command?.positionals, undefined, surplus => hintFor(command, surplus))
  let code: number = exitCodes.unexpected
  await runCommand(
    defineCommand({
      args: argsOf(argv, options),
      async run({ args }) {
        const flags = flagsOf(args, options)
        if (flags['help']) code = answer(print, command ? commandHelp(command, options) : helpText(commands, plugins))
        else if (flags['version']) code = answer(print, `cloudtoken ${pkg.version}`)
        else code = await (command?.run ?? bare)({ flags, words: args._, typed, argv, handover })
      },
    }),
    { rawArgs: argv },
  )
  return code
}

function hintFor(command: Command | undefined, surplus?: string): string {
  if (command) return `cloudtoken ${command.name} --help`
  const meant = commands.find(({ name }) => name === surplus)
  return meant ? `the command comes before its options: cloudtoken ${meant.name} …` : 'cloudtoken --help'
}

/** What other tools call it. */
const otherWords: Readonly<Record<string, string>> = {
  login: 'cloudtoken',
  configure: 'cloudtoken init',
  config: 'cloudtoken init',
  list: 'cloudtoken roles',
  'list-roles': 'cloudtoken roles',
  daemon: 'cloudtoken -d',
  start: 'cloudtoken -d --background',
  assume: 'cloudtoken --role NAME',
  switch: 'cloudtoken use ROLE',
  export: 'cloudtoken env',
  script: 'cloudtoken env',
}

function findCommand(name: string): Command {
  const command = commands.find(candidate => candidate.name === name)
  if (command) return command
  const other = Object.hasOwn(otherWords, name) ? otherWords[name] : undefined
  if (other !== undefined) throw failure('usage', `no command ${name}`, { hint: other })
  const near = nearest(name, [...commands.map(known => known.name), 'help', 'version'])
  throw failure('usage', `no command ${name}`, {
    hint: near ? `did you mean cloudtoken ${near}?` : 'cloudtoken --help',
  })
}

interface Accepted {
  readonly options: OptionTable
  readonly plugins: readonly PluginHelp[]
}

/** Plugins are asked for their options only when a word that the core does not know, or the help, makes it necessary. */
async function withPlugins(typed: readonly string[], own: OptionTable): Promise<Accepted> {
  const nothing = { options: own, plugins: [] }
  let unknown = false
  const flags = flagsIn(
    normaliseArgv(typed, own, 0, () => (unknown = true)),
    own,
  )
  // Root reads nothing of the person's before it has become that person; their options come as variables then.
  const forOther = flags['daemon'] === true && (rootWorksFor(process.env) || flags['system-username'] !== undefined)
  if (!('provider' in own) || forOther || !(unknown || flags['help'])) return nothing
  const { describePlugins } = await import('./command-context.ts')
  const { addedOptions } = await import('./plugins.ts')
  try {
    const { described, problems } = await describePlugins(flags)
    const [problem] = problems.values()
    if (problem !== undefined && !flags['help']) throw problem
    const added = addedOptions(coreOptions, described)
    const plugins = described.map(each => ({
      ...each,
      options: Object.fromEntries(Object.entries(each.options).filter(([name]) => name in added)),
    }))
    return { options: { ...own, ...added }, plugins }
  } catch (error) {
    // Help is what somebody with a broken config.yaml may need.
    if (flags['help']) return nothing
    throw error
  }
}

function answer(print: (line: string) => void, text: string): number {
  print(text)
  return 0
}
