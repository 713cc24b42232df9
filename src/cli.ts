/**
 * From words to a command and its exit code. Failures end here, as `error` and `hint`.
 */
import process from 'node:process'
import { defineCommand, runCommand } from 'citty'
import pkg from '../package.json' with { type: 'json' }
import { argsOf, flagsOf, normaliseArgv } from './argv.ts'
import type { Flags } from './command-context.ts'
import { exitCodes, failure, isFailure, messageOf } from './errors.ts'
import { commandHelp, helpText, type CommandSummary } from './help.ts'
import { createLog } from './log.ts'
import { nearest } from './names.ts'
import {
  coreOptions,
  daemonOptions,
  execOptions,
  exporterOptions,
  generalOptions,
  roleOptions,
  signInOptions,
  type OptionTable,
} from './options.ts'
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

const signIn = { ...signInOptions, ...roleOptions, ...generalOptions }

const controlOptions = {
  listen: { ...daemonOptions.listen, summary: 'the daemon at this address, where several are running' },
  'config-dir': generalOptions['config-dir'],
  json: generalOptions.json,
  help: generalOptions.help,
}

const commands: readonly Command[] = [
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
    name: 'logout',
    summary: 'remove what cloudtoken stored and wrote (-U)',
    options: { ...signInOptions, ...exporterOptions, ...generalOptions },
    run: invocation => bare({ ...invocation, flags: { ...invocation.flags, unset: true } }),
  },
]

/** The command without a name, and the older spellings of the others. */
async function bare({ flags, argv, handover }: Invocation): Promise<number> {
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
  if (named === 'help') return answer(print, helpFor(given[1]))
  const command = named === undefined ? undefined : findCommand(named)
  const options = command?.options ?? coreOptions
  const typed = command ? given.slice(1) : given
  const argv = normaliseArgv(typed, options, command?.positionals)
  let code: number = exitCodes.unexpected
  await runCommand(
    defineCommand({
      args: argsOf(options),
      async run({ args }) {
        const flags = flagsOf(args, options)
        if (flags['help']) code = answer(print, helpFor(command?.name))
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

function helpFor(name: string | undefined): string {
  if (name === undefined) return helpText(commands)
  const command = findCommand(name)
  return commandHelp(command, command.options)
}

function answer(print: (line: string) => void, text: string): number {
  print(text)
  return 0
}
