/**
 * What the daemon does in the foreground and in the background alike.
 */
import process from 'node:process'
import { sessionOf, type Context } from './command-context.ts'
import { takeRole } from './command-sign-in.ts'
import type { Taken } from './background.ts'
import { beside, openContainerEndpoint, serveOther, takeOthers, type ContainerEndpoint } from './daemon-container.ts'
import { openControl } from './daemon-control.ts'
import { createHolding } from './daemon-credentials.ts'
import { createSimulation, startWanted } from './daemon-simulation.ts'
import { createService, createServing } from './daemon.ts'
import type { Gate } from './gate.ts'
import { isMetadataAddress, metadataAddress, metadataAddress6 } from './linklocal.ts'
import { parseListen } from './serve.ts'
import type { Session } from './session.ts'

/** What is open and waits for its first credentials. */
export interface Prepared {
  readonly session: Session
  /** Answers with the lines that clients of the container endpoint need. */
  show(first: Taken): readonly string[]
  /** Until the signal aborts. */
  run(first: Taken): Promise<void>
  close(): Promise<void>
}

/** Everything that has to be right before a person is asked to sign in. */
export async function prepare(context: Context, gate: Gate, ending: AbortController): Promise<Prepared> {
  const metadata = await createService(context, gate.listen)
  const endpoint = await openContainerEndpoint(context)
  try {
    const simulation = createSimulation(beside(metadata, endpoint), context.clock)
    const session = await sessionOf(context)
    // Unlocked now, while somebody is there; a renewal asks nobody.
    if (!session.ephemeral) await context.vault.holder(context.terminal)
    const holding = createHolding(session, context.settings)
    const service = beside(simulation.service, holding)
    const others: Pick<ContainerEndpoint, 'show'> = {
      show(snapshot) {
        endpoint.show(snapshot)
        holding.showBeside(snapshot)
      },
    }
    const serving = createServing(session, service, context)
    gate.open(service.handler, context.settings)
    startWanted(simulation, metadata.wanted, context.clock, ending.signal)
    const control = await openControl({
      ...context,
      gate,
      service,
      serving,
      simulation,
      holding,
      end: () => ending.abort(),
    })
    return {
      session,
      show(first) {
        service.show({ credentials: first.credentials })
        for (const other of first.others) others.show({ credentials: other })
        return endpoint.lines()
      },
      async run(first) {
        const rest = first.others.map(other => serveOther(other, session, others, context, ending.signal))
        await Promise.all([serving.run(first.credentials, first.role, ending.signal), ...rest])
      },
      async close() {
        control?.close()
        await endpoint.close()
      },
    }
  } catch (error) {
    await endpoint.close()
    throw error
  }
}

/** The sign-in with the transcript's words, and what it brings to the files. */
export async function signInFor(context: Context, session: Session, signal: AbortSignal): Promise<Taken> {
  const { credentials, role, assertion } = await takeRole(context, session, signal)
  const current = { role, ...(assertion && { assertion }) }
  const others = await takeOthers(context.settings.alsoRole, current, session, signal)
  await session.export(credentials, true)
  return { credentials, role, others }
}

export function announce({ settings, log }: Context, url: string, lines: readonly string[]): void {
  log.print(`Metadata proxy now available on ${url}`)
  log.print('-'.repeat(54))
  for (const line of lines) log.print(line)
  const { hostname } = parseListen(settings.listen)
  if (!isMetadataAddress(hostname)) log.info(`for clients: AWS_EC2_METADATA_SERVICE_ENDPOINT=${url}/`)
  if (settings.ipv6 || hostname === metadataAddress6) {
    log.info('for clients over IPv6: AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE=IPv6')
  }
}

/** Whatever happens, the machine is left as it was; the first failure is the one that counts. */
export async function closing(gate: Pick<Gate, 'close'>, work: () => Promise<number>): Promise<number> {
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
export async function unlessEnded<T>(work: Promise<T>, ending: AbortSignal): Promise<T | undefined> {
  const end = new Promise<undefined>(resolve => ending.addEventListener('abort', () => resolve(undefined)))
  try {
    return await Promise.race([work, end])
  } catch (error) {
    if (ending.aborted) return undefined
    throw error
  }
}

export function endOnSignals(): AbortController {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => controller.abort())
  return controller
}

/** Everything that AWS clients look at before they ask the metadata service. */
export function warnAboutShadows({ env, log }: Context): void {
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
