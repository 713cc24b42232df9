/**
 * `-d`: the bare command, then the metadata service at 169.254.169.254 until somebody ends it.
 */
import process from 'node:process'
import { createAccessLog } from './access-log.ts'
import { createContext, optionsOnly, sessionOf, type Context, type Flags } from './command-context.ts'
import { takeRole } from './command-sign-in.ts'
import { openControl, respectOther } from './daemon-control.ts'
import { createService, createServing } from './daemon.ts'
import { isFailure } from './errors.ts'
import { findPaths } from './files.ts'
import { openGate, type Gate } from './gate.ts'
import { metadataAddress } from './linklocal.ts'
import { createLog } from './log.ts'
import { dropPrivileges, findUser, isRoot } from './privilege.ts'
import { receiveHandover, sudoCommand } from './privilege-sudo.ts'
import { handOver } from './run.ts'
import { selfCommand } from './runtime.ts'
import { parseListen } from './serve.ts'
import type { Session } from './session.ts'

export interface DaemonStart {
  readonly flags: Flags
  /** The words in long form, for the same command under sudo. */
  readonly argv: readonly string[]
  /** The environment of the person who called sudo, in a file of theirs. */
  readonly handover: string | undefined
}

export async function daemonCommand(start: DaemonStart): Promise<number> {
  return isRoot() ? await asRoot(start) : await asPerson(start)
}

/** Root takes the address and the port, becomes the person, and only then looks at anything of theirs. */
async function asRoot({ flags, handover }: DaemonStart): Promise<number> {
  const settings = optionsOnly(flags, handover === undefined ? process.env : {})
  const user = await findUser({ systemUsername: settings.systemUsername, env: process.env })
  const log = createLog({ quiet: settings.quiet, debug: settings.debug })
  log.print('Launching in daemon mode...')
  const ending = endOnSignals()
  const listen = parseListen(settings.listen)
  const gate = await openGate({
    listen,
    force: settings.force,
    log,
    accessLog: settings.quiet ? undefined : createAccessLog(log.access),
  }).catch(async error => {
    // Who holds it is the person's to know, and asked as the person.
    becomePerson()
    if (isFailure(error) && error.code === 'EADDRINUSE')
      await respectOther(process.env, findPaths(process.env, settings.configDir), listen)
    throw error
  })
  return await closing(gate, async () => {
    becomePerson()
    return await serve(await createContext(flags), gate, ending)
  })

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
  if (listen.hostname === metadataAddress && !(await couldListen(context))) {
    log.info(`root is needed to put ${metadataAddress} on this machine and to listen there; it is given up right after`)
    const words = [...argv.filter(word => !/^--(listen|config-dir)=/.test(word)), `--listen=${settings.listen}`]
    const chosen = settings.configDir === undefined ? [] : [`--config-dir=${paths.config}`]
    const sudo = sudoCommand(selfCommand(), [...words, ...chosen], process.env, {
      folder: process.env['XDG_RUNTIME_DIR'] ?? paths.state,
      interactive: terminal.interactive,
    })
    try {
      return await handOver(sudo.command, sudo.args, sudo.env)
    } finally {
      sudo.forget()
    }
  }
  log.print('Launching in daemon mode...')
  const ending = endOnSignals()
  const accessLog = settings.quiet ? undefined : createAccessLog(log.access)
  const gate = await openGate({ listen, force: settings.force, log, accessLog })
  return await closing(gate, () => serve(context, gate, ending))
}

async function serve(context: Context, gate: Gate, ending: AbortController): Promise<number> {
  warnAboutShadows(context)
  const { service, session, serving, control } = await prepare(context, gate, ending)
  try {
    const taken = await unlessEnded(signInFor(context, session, ending.signal), ending.signal)
    if (!taken) return 130
    service.show({ credentials: taken.credentials })
    announce(context, gate.url)
    await serving.run(taken.credentials, taken.role, ending.signal)
    return 0
  } finally {
    control?.close()
  }
}

/** Everything that has to be right before a person is asked to sign in. */
async function prepare(context: Context, gate: Gate, ending: AbortController) {
  const service = await createService(context)
  const session = await sessionOf(context)
  const serving = createServing(session, service, context)
  gate.open(service.handler, context.settings)
  const control = await openControl({ ...context, gate, service, serving, end: () => ending.abort() })
  return { service, session, serving, control }
}

async function signInFor(context: Context, session: Session, signal: AbortSignal) {
  const taken = await takeRole(context, session, signal)
  await session.export(taken.credentials, true)
  return taken
}

function announce({ settings, log }: Context, url: string): void {
  log.print(`Metadata proxy now available on ${url}`)
  log.print('-'.repeat(54))
  if (!settings.listen.startsWith(metadataAddress)) {
    log.info(`for clients: AWS_EC2_METADATA_SERVICE_ENDPOINT=${url}/`)
  }
}

/** Whatever happens, the machine is left as it was; the first failure is the one that counts. */
async function closing(gate: Gate, work: () => Promise<number>): Promise<number> {
  let code: number
  try {
    code = await work()
  } catch (error) {
    await gate.close().catch(() => {})
    throw error
  }
  await gate.close()
  return code
}

/** Ctrl-C or `stop` while the identity provider or a person is waited for is no failure of anything. */
async function unlessEnded<T>(work: Promise<T>, ending: AbortSignal): Promise<T | undefined> {
  const end = new Promise<undefined>(resolve => ending.addEventListener('abort', () => resolve(undefined)))
  try {
    return await Promise.race([work, end])
  } catch (error) {
    if (ending.aborted) return undefined
    throw error
  }
}

function endOnSignals(): AbortController {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => controller.abort())
  return controller
}

/** Tried, not guessed: with the address there and low ports free for all, nobody has to become root. */
async function couldListen({ settings, log }: Context): Promise<boolean> {
  try {
    const gate = await openGate({
      listen: parseListen(settings.listen),
      force: true,
      log: { ...log, write: () => {}, print: () => {} },
    })
    await gate.close()
    return true
  } catch (error) {
    if (isFailure(error) && error.kind === 'address') return false
    throw error
  }
}

/** Everything that AWS clients look at before they ask the metadata service. */
function warnAboutShadows({ env, log }: Context): void {
  const unset = (name: string): string => `unset ${name} where the clients run`
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_PROFILE', 'AWS_CONTAINER_CREDENTIALS_FULL_URI']) {
    if (env[name]) log.warn(`${name} is set: clients with it never ask the metadata service`, unset(name))
  }
  if (env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true') {
    log.warn(
      'AWS_EC2_METADATA_DISABLED is set: clients with it never ask the metadata service',
      unset('AWS_EC2_METADATA_DISABLED'),
    )
  }
  const proxied = env['HTTP_PROXY'] || env['http_proxy']
  if (proxied && !`${env['NO_PROXY'] ?? ''},${env['no_proxy'] ?? ''}`.includes(metadataAddress)) {
    log.warn(
      `HTTP_PROXY is set: some clients ask it for the metadata service`,
      `export NO_PROXY=${metadataAddress},127.0.0.1,localhost`,
    )
  }
}
