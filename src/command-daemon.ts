/**
 * `-d`: the bare command, then the metadata service at 169.254.169.254 until somebody ends it.
 */
import process from 'node:process'
import { createAccessLog } from './access-log.ts'
import { createContext, optionsOnly, sessionOf, type Context, type Flags } from './command-context.ts'
import { takeRole } from './command-sign-in.ts'
import { beside, openContainerEndpoint, serveOther, takeOthers, type ContainerEndpoint } from './daemon-container.ts'
import { createService, serveCredentials, type MetadataService } from './daemon.ts'
import { isFailure } from './errors.ts'
import { openGate, type Gate } from './gate.ts'
import { metadataAddress } from './linklocal.ts'
import { createLog } from './log.ts'
import { coreOptions, type OptionTable } from './options.ts'
import { dropPrivileges, findUser, isRoot } from './privilege.ts'
import { receiveHandover, sudoCommand } from './privilege-sudo.ts'
import { handOver } from './run.ts'
import { selfCommand } from './runtime.ts'
import { parseListen } from './serve.ts'

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
  const gate = await openGate({
    listen: parseListen(settings.listen),
    force: settings.force,
    log,
    accessLog: settings.quiet ? undefined : createAccessLog(log.access),
  })
  return await closing(gate, async () => {
    if (user) dropPrivileges(user)
    if (handover !== undefined) receiveHandover(handover)
    return await serve(await createContext(flags), gate, ending)
  })
}

/** Without root: another port needs none, nor does a machine prepared with `link up`; else sudo. */
async function asPerson({ flags, argv }: DaemonStart): Promise<number> {
  const context = await createContext(flags)
  const { settings, log, paths, terminal } = context
  const listen = parseListen(settings.listen)
  if (listen.hostname === metadataAddress && !(await couldListen(context))) {
    log.info(`root is needed to put ${metadataAddress} on this machine and to listen there; it is given up right after`)
    const words = [...argv.filter(word => !/^--(listen|config-dir)=/.test(word)), `--listen=${settings.listen}`]
    const chosen = settings.configDir === undefined ? [] : [`--config-dir=${paths.config}`]
    const sudo = sudoCommand(selfCommand(), [...words, ...chosen], process.env, {
      folder: process.env['XDG_RUNTIME_DIR'] ?? paths.state,
      interactive: terminal.interactive,
      table: { ...coreOptions, ...asVariables(context.extra) },
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

/** Options of plugins travel beside the command, as secrets do: root does not look at plugins, so it knows none of these. */
function asVariables(extra: OptionTable): OptionTable {
  return Object.fromEntries(Object.entries(extra).map(([name, option]) => [name, { ...option, secret: true }]))
}

async function serve(context: Context, gate: Gate, ending: AbortSignal): Promise<number> {
  warnAboutShadows(context)
  const service = await createService(context)
  gate.open(service.handler, context.settings)
  const endpoint = await openContainerEndpoint(context)
  try {
    return await serveBehind(context, gate, beside(service, endpoint), endpoint, ending)
  } finally {
    await endpoint.close()
  }
}

async function serveBehind(
  context: Context,
  gate: Gate,
  service: MetadataService,
  endpoint: ContainerEndpoint,
  ending: AbortSignal,
): Promise<number> {
  const { settings, log } = context
  const session = await sessionOf(context)
  const taken = await unlessEnded(takeRole(context, session, ending), ending)
  if (!taken) return 130
  const { credentials, role } = taken
  const others = await unlessEnded(takeOthers(settings.alsoRole, taken, session, ending), ending)
  if (!others) return 130
  service.show({ credentials })
  for (const other of others) endpoint.show({ credentials: other })
  await session.export(credentials, true)
  log.print(`Metadata proxy now available on ${gate.url}`)
  log.print('-'.repeat(54))
  for (const line of endpoint.lines()) log.print(line)
  if (!settings.listen.startsWith(metadataAddress)) {
    log.info(`for clients: AWS_EC2_METADATA_SERVICE_ENDPOINT=${gate.url}/`)
  }
  await Promise.all([
    serveCredentials(credentials, role, session, service, context, ending),
    ...others.map(other => serveOther(other, session, endpoint, context, ending)),
  ])
  return 0
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

/** Ctrl-C while the identity provider is being waited for is no failure of anything. */
async function unlessEnded<T>(work: Promise<T>, ending: AbortSignal): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (ending.aborted) return undefined
    throw error
  }
}

function endOnSignals(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => controller.abort())
  return controller.signal
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
