/**
 * `-d`: the bare command, then the metadata service at 169.254.169.254 until somebody ends it.
 */
import process from 'node:process'
import { createAccessLog } from './access-log.ts'
import { startBehind } from './background.ts'
import { behind, lead } from './command-background.ts'
import { createContext, optionsOnly, type Context, type Flags } from './command-context.ts'
import { announce, closing, endOnSignals, orWait, prepare, unlessEnded, warnAboutShadows } from './command-serve.ts'
import { respectOther } from './daemon-control.ts'
import { failure, isFailure } from './errors.ts'
import { findPaths } from './paths.ts'
import { couldOpen, openGate, type Gate } from './gate.ts'
import { isMetadataAddress } from './linklocal.ts'
import { createLog } from './log.ts'
import type { OptionTable } from './option.ts'
import { coreOptions } from './options.ts'
import { dropPrivileges, findUser, isRoot } from './privilege.ts'
import { receiveHandover, sudoCommand, sudoRefused } from './privilege-sudo.ts'
import { handOver } from './run.ts'
import { selfCommand } from './runtime-self.ts'
import { parseListen } from './serve.ts'

export interface DaemonStart {
  readonly flags: Flags
  /** The words in long form, for the same command under sudo. */
  readonly argv: readonly string[]
  /** The environment of the person who called sudo, in a file of theirs. */
  readonly handover: string | undefined
}

export async function daemonCommand(start: DaemonStart): Promise<number> {
  if (start.handover === '-') return await behind(start.flags)
  return isRoot() ? await asRoot(start) : await asPerson(start)
}

/** Root takes the address and the port, becomes the person, and only then looks at anything of theirs. */
async function asRoot({ flags, argv, handover }: DaemonStart): Promise<number> {
  const settings = optionsOnly(flags, handover === undefined ? process.env : {})
  const user = await findUser({ systemUsername: settings.systemUsername, env: process.env })
  const log = createLog({ quiet: settings.quiet, debug: settings.debug })
  const ending = endOnSignals()
  log.print('Launching in daemon mode...')
  const listen = parseListen(settings.listen)
  try {
    if (settings.background) {
      const started = await startBehind(argv, settings, log)
      return await closing(started, async () => {
        becomePerson()
        return await lead(await createContext(flags), started, ending)
      })
    }
    const accessLog = settings.quiet ? undefined : createAccessLog(log.access)
    const gate = await openGate({ listen, ipv6: settings.ipv6, force: settings.force, log, accessLog })
    return await closing(gate, async () => {
      becomePerson()
      return await serve(await createContext(flags), gate, ending)
    })
  } catch (error) {
    if (!isFailure(error) || error.code !== 'EADDRINUSE') throw error
    // Who holds it is the person's to know, and asked as the person.
    becomePerson()
    await respectOther(process.env, findPaths(process.env, settings.configDir), listen)
    throw error
  }

  function becomePerson(): void {
    if (user) dropPrivileges(user)
    if (handover !== undefined) receiveHandover(handover)
  }
}

/** Without root: another port needs none, nor does a machine prepared with `link up`; else sudo. */
async function asPerson({ flags, argv }: DaemonStart): Promise<number> {
  const context = await createContext(flags)
  const { settings, log, paths, terminal, env } = context
  const listen = parseListen(settings.listen)
  await respectOther(env, paths, listen)
  if (isMetadataAddress(listen.hostname) && !(await couldOpen({ listen, ipv6: settings.ipv6, log }))) {
    log.info(`root is needed to put ${listen.hostname} on this machine and to listen there; it is given up right after`)
    const words = [...argv.filter(word => !/^--(listen|config-dir)=/.test(word)), `--listen=${settings.listen}`]
    const chosen = settings.configDir === undefined ? [] : [`--config-dir=${paths.config}`]
    const sudo = sudoCommand(selfCommand(), [...words, ...chosen], process.env, {
      folder: process.env['XDG_RUNTIME_DIR'] ?? paths.state,
      interactive: terminal.interactive,
      table: { ...coreOptions, ...asVariables(context.extra) },
    })
    try {
      const code = await handOver(sudo.command, sudo.args, sudo.env)
      if (code !== sudoRefused || sudo.began()) return code
      const hint = 'cloudtoken -d --listen 127.0.0.1:9911, which needs no root'
      throw failure('address', 'sudo did not start it', { hint, code: 'privilege-refused' })
    } finally {
      sudo.forget()
    }
  }
  const ending = endOnSignals()
  log.print('Launching in daemon mode...')
  if (settings.background) {
    const started = await startBehind(argv, settings, log)
    return await closing(started, () => lead(context, started, ending))
  }
  const accessLog = settings.quiet ? undefined : createAccessLog(log.access)
  const gate = await openGate({ listen, ipv6: settings.ipv6, force: settings.force, log, accessLog })
  return await closing(gate, () => serve(context, gate, ending))
}

/** Options of plugins travel beside the command, as secrets do: root does not look at plugins, so it knows none of these. */
function asVariables(extra: OptionTable): OptionTable {
  return Object.fromEntries(Object.entries(extra).map(([name, option]) => [name, { ...option, secret: true }]))
}

async function serve(context: Context, gate: Gate, ending: AbortController): Promise<number> {
  warnAboutShadows(context)
  const prepared = await prepare(context, gate, ending)
  try {
    const first = await unlessEnded(orWait(context, prepared.session.signIn(ending.signal)), ending.signal)
    if (!first) return 130
    announce(context, gate.url, prepared.show(first))
    await prepared.run(first)
    return 0
  } finally {
    await prepared.close()
  }
}
