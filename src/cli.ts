/**
 * From words to a command and its exit code. Failures end here, as `error` and `hint`.
 */
import process from 'node:process'
import { defineCommand, runCommand } from 'citty'
import pkg from '../package.json' with { type: 'json' }
import { argsOf, flagsIn, flagsOf, normaliseArgv } from './argv.ts'
import type { Flags } from './command-context.ts'
import { exitCodes, failure, isFailure, messageOf } from './errors.ts'
import { commandHelp, helpText, type CommandSummary, type PluginHelp } from './help.ts'
import { createLog } from './log.ts'
import { nearest } from './names.ts'
import {
  chainOptions,
  consoleOptions,
  coreOptions,
  daemonOptions,
  execOptions,
  exporterOptions,
  generalOptions,
  pluginOptions,
  profileOptions,
  roleOptions,
  setupOptions,
  signInOptions,
  tokenOptions,
  upgradeOptions,
  type OptionTable,
} from './options.ts'
import { rootWorksFor } from './plugin-find.ts'
import { takeHandover } from './privilege-sudo.ts'

interface Invocation {
  readonly flags: Flags
  /** Words that are no options, after the name of the command. */
  readonly words: readonly string[]
  /** All words as they were typed, and in long form. */
  readonly typed: readonly string[]
  readonly argv: readonly string[]
  readonly handover: string | undefined
}

interface Command extends CommandSummary {
  readonly options: OptionTable
  readonly positionals?: number
  run(invocation: Invocation): Promise<number>
}

const signIn = { ...signInOptions, ...tokenOptions, ...roleOptions, ...chainOptions, ...generalOptions }

const controlOptions = {
  listen: { ...daemonOptions.listen, summary: 'the daemon at this address, where several are running' },
  'config-dir': generalOptions['config-dir'],
  json: generalOptions.json,
  help: generalOptions.help,
}

export const commands: readonly Command[] = [
  {
    name: 'roles',
    summary: 'list the roles (-l)',
    options: signIn,
    run: invocation => bare({ ...invocation, flags: { ...invocation.flags, list: true } }),
  },
  {
    name: 'exec',
    usage: '[options] -- CMD...',
    summary: 'run CMD with credentials; its exit code is ours',
    options: { ...execOptions, ...signIn, 'refresh-interval': daemonOptions['refresh-interval'] },
    positionals: Infinity,
    async run({ flags, argv }) {
      const split = argv.includes('--') ? argv.indexOf('--') : argv.length
      const early = argv.slice(0, split).filter(word => !word.startsWith('-'))
      const command = argv.slice(split + 1)
      if (early.length > 0) {
        const hint = `cloudtoken exec -- ${[...early, ...command].join(' ')}`
        throw failure('usage', 'the command stands behind --', { hint })
      }
      const { createContext } = await import('./command-context.ts')
      const { execCommand } = await import('./command-exec.ts')
      return await execCommand(await createContext(flags), command)
    },
  },
  {
    name: 'env',
    summary: 'print assignments for eval',
    options: {
      ...signIn,
      shell: exporterOptions.shell,
      unset: { ...generalOptions.unset, summary: 'print the lines that take the variables away again' },
    },
    async run({ flags }) {
      const { createContext } = await import('./command-context.ts')
      const { envCommand } = await import('./command-env.ts')
      return await envCommand(await createContext(flags))
    },
  },
  {
    name: 'docker-args',
    summary: 'what docker run needs for the daemon to be reached',
    options: {
      listen: daemonOptions.listen,
      'container-endpoint': daemonOptions['container-endpoint'],
      'allow-from': daemonOptions['allow-from'],
      'allow-host': daemonOptions['allow-host'],
      role: { ...roleOptions.role, summary: 'which role of the container endpoint' },
      region: { ...roleOptions.region, summary: 'region of the clients in the container' },
      ...generalOptions,
    },
    async run({ flags }) {
      const { createContext } = await import('./command-context.ts')
      const { dockerArgsCommand } = await import('./command-docker-args.ts')
      return dockerArgsCommand(await createContext(flags))
    },
  },
  {
    name: 'credential-process',
    summary: 'answer the SDKs; for ~/.aws/config',
    options: signIn,
    async run({ flags, typed }) {
      const { createContext } = await import('./command-context.ts')
      const { credentialProcessCommand } = await import('./command-credential-process.ts')
      return await credentialProcessCommand(await createContext(flags), typed)
    },
  },
  {
    name: 'console',
    summary: 'open the AWS console in the browser, signed in',
    options: { ...signIn, ...consoleOptions },
    async run({ flags }) {
      const { createContext } = await import('./command-context.ts')
      const { consoleCommand } = await import('./command-console.ts')
      return await consoleCommand(await createContext(flags))
    },
  },
  {
    name: 'whoami',
    summary: 'whom AWS takes the credentials of the last run for',
    options: { ...exporterOptions, ...generalOptions, region: roleOptions.region },
    async run({ flags }) {
      const { createContext } = await import('./command-context.ts')
      const { whoamiCommand } = await import('./command-whoami.ts')
      return await whoamiCommand(await createContext(flags))
    },
  },
  {
    name: 'setup-profiles',
    summary: 'a profile in ~/.aws/config for each role',
    options: {
      ...signIn,
      ...setupOptions,
      'profile-name': profileOptions['profile-name'],
      'dry-run': profileOptions['dry-run'],
    },
    async run({ flags }) {
      const { createContext } = await import('./command-context.ts')
      const { setupProfilesCommand } = await import('./command-setup-profiles.ts')
      return await setupProfilesCommand(await createContext(flags))
    },
  },
  {
    name: 'status',
    summary: 'how the daemon is; exit code 3 when none runs',
    options: controlOptions,
    run: async ({ flags }) => (await import('./command-control.ts')).statusCommand(flags),
  },
  {
    name: 'use',
    usage: 'ROLE',
    summary: 'let the daemon serve another role, for everybody at once',
    options: controlOptions,
    positionals: 1,
    run: async ({ flags, words }) => (await import('./command-control.ts')).useCommand(flags, words[0]),
  },
  {
    name: 'refresh',
    summary: 'let the daemon renew its credentials now',
    options: controlOptions,
    run: async ({ flags }) => (await import('./command-control.ts')).refreshCommand(flags),
  },
  {
    name: 'stop',
    summary: 'end the daemon',
    options: controlOptions,
    run: async ({ flags }) => (await import('./command-control.ts')).stopCommand(flags),
  },
  {
    name: 'logs',
    summary: 'what a daemon in the background has written; -f goes on',
    options: {
      ...controlOptions,
      follow: { type: 'boolean', alias: ['f'], act: true, summary: 'go on with what is added, until Ctrl-C' },
    },
    run: async ({ flags }) => (await import('./command-logs.ts')).logsCommand(flags),
  },
  {
    name: 'link',
    usage: 'up|down|status',
    summary: 'the link-local address alone (up and down need root)',
    options: generalOptions,
    positionals: 1,
    async run({ words }) {
      const { linkCommand } = await import('./command-link.ts')
      return await linkCommand(words[0])
    },
  },
  {
    name: 'init',
    summary: 'write skeleton configuration files (-i)',
    options: generalOptions,
    run: invocation => bare({ ...invocation, flags: { ...invocation.flags, init: true } }),
  },
  {
    name: 'plugins',
    usage: 'list|new|test|trust|types',
    summary: 'your own sign-ins and your own handling of credentials',
    options: { ...pluginOptions, ...generalOptions, 'no-input': signInOptions['no-input'] },
    positionals: 2,
    async run({ flags, words }) {
      const { pluginsCommand } = await import('./command-plugins.ts')
      return await pluginsCommand(flags, words)
    },
  },
  {
    name: 'logout',
    summary: 'remove what cloudtoken stored and wrote (-U)',
    options: { ...signInOptions, ...tokenOptions, ...exporterOptions, ...generalOptions },
    run: invocation => bare({ ...invocation, flags: { ...invocation.flags, unset: true } }),
  },
  {
    name: 'upgrade',
    summary: 'replace this program by the latest release, verified',
    options: { ...upgradeOptions, quiet: generalOptions.quiet, debug: generalOptions.debug, help: generalOptions.help },
    async run({ flags }) {
      const { upgradeCommand } = await import('./command-upgrade.ts')
      return await upgradeCommand(flags)
    },
  },
  {
    name: 'completion',
    usage: 'bash|zsh|fish|powershell',
    summary: 'print what the shell sources to complete options',
    options: { help: generalOptions.help },
    positionals: 1,
    async run({ words }) {
      const { completionCommand } = await import('./command-completion.ts')
      return completionCommand(words[0], { commands, options: coreOptions })
    },
  },
]

/** The command without a name, and the older spellings of the others. */
async function bare({ flags, argv, handover }: Invocation): Promise<number> {
  const few = ['all', 'dry-run'].find(name => flags[name])
  const other = ['daemon', 'init', 'unset', 'export'].find(name => flags[name])
  if (few && other) throw failure('usage', `--${few} does not go with --${other}`)
  if (flags['daemon']) {
    const { daemonCommand } = await import('./command-daemon.ts')
    return await daemonCommand({ flags, argv, handover })
  }
  if (flags['init']) {
    const { initCommand } = await import('./command-init.ts')
    return initCommand(flags)
  }
  const { createContext } = await import('./command-context.ts')
  const context = await createContext(flags)
  if (flags['unset']) {
    const { logoutCommand } = await import('./command-logout.ts')
    return await logoutCommand(context)
  }
  if (flags['export']) {
    const { exportCommand } = await import('./command-env.ts')
    return exportCommand(context)
  }
  if (flags['all']) {
    const { allCommand } = await import('./command-all.ts')
    return await allCommand(context)
  }
  const { signInCommand } = await import('./command-sign-in.ts')
  return await signInCommand(context)
}

/** The exit code; only an unforeseen error shows where it happened, and only under `--debug`. */
export async function main(words: readonly string[]): Promise<number> {
  const log = createLog()
  try {
    return await dispatch(words, line => log.print(line))
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
  const wanted = named === 'help' ? given[1] : named
  const command = wanted === undefined ? undefined : findCommand(wanted)
  const typed = named === 'help' ? ['--help'] : command ? given.slice(1) : given
  const { options, plugins } = await withPlugins(typed, command?.options ?? coreOptions)
  const argv = normaliseArgv(typed, options, command?.positionals)
  let code: number = exitCodes.unexpected
  await runCommand(
    defineCommand({
      args: argsOf(options),
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

function findCommand(name: string): Command {
  const command = commands.find(candidate => candidate.name === name)
  if (command) return command
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
