/**
 * What the daemon does in the foreground and in the background alike.
 */
import process from 'node:process'
import { isJob, type Context } from './command-context.ts'
import type { Taken } from './background.ts'
import { beside, clientLines, openContainerEndpoint, serveOther, type ContainerEndpoint } from './daemon-container.ts'
import { openControl } from './daemon-control.ts'
import { createHolding } from './daemon-credentials.ts'
import { createGrants } from './daemon-grants.ts'
import { startSession, type FarSession } from './daemon-session.ts'
import { createSimulation, startWanted } from './daemon-simulation.ts'
import { createService, createServing } from './daemon.ts'
import { judgeEnvironment } from './doctor-environment.ts'
import { judgeFiles } from './doctor-files.ts'
import { isFailure, type Failure } from './errors.ts'
import type { Gate } from './gate.ts'
import { isMetadataAddress, metadataAddress6 } from './linklocal.ts'
import { parseListen } from './serve.ts'
import type { Credentials } from './types.ts'

/** What is open and waits for its first credentials. */
export interface Prepared {
  readonly session: FarSession
  /** Answers with the lines that clients of the container endpoint need. */
  show(first: Taken | Failure): readonly string[]
  /** Until the signal aborts. */
  run(first: Taken | Failure): Promise<void>
  close(): Promise<void>
}

/** Everything that has to be right before a person is asked to sign in. */
export async function prepare(context: Context, gate: Gate, ending: AbortController): Promise<Prepared> {
  const metadata = await createService(context, gate.listen)
  const endpoint = await openContainerEndpoint(context)
  const session = startSession(context.flags, context.log)
  const holding = createHolding(session, context.settings)
  const beyond: Pick<ContainerEndpoint, 'show'> = {
    show(snapshot) {
      endpoint.show(snapshot)
      holding.showBeside(snapshot)
    },
  }
  const others: Promise<void>[] = []
  const serveOthers = (sets: readonly Credentials[]): void => {
    for (const set of sets) others.push(serveOther(set, session, beyond, context, ending.signal))
  }
  try {
    const simulation = createSimulation(beside(metadata, endpoint), context.clock)
    const service = beside(simulation.service, holding)
    const serving = createServing(session, service, context)
    gate.open(service.handler, context.settings)
    startWanted(simulation, metadata.wanted, context.clock, ending.signal)
    const grants = createGrants({
      ...context,
      session,
      endpoint,
      current: () => serving.status().role,
      signal: ending.signal,
    })
    const end = (): void => ending.abort()
    const control = await openControl({
      ...{ ...context, gate, service, serving, session, simulation, holding, grants, end },
      roles: endpoint.roles,
    })
    return {
      session,
      show(first) {
        if (!isFailure(first)) {
          service.show({ credentials: first.credentials })
          for (const other of first.others) beyond.show({ credentials: other })
        }
        return endpoint.roles().flatMap(clientLines)
      },
      async run(first) {
        if (!isFailure(first)) serveOthers(first.others)
        async function begin(signal: AbortSignal): Promise<Taken> {
          const taken = await session.begin(signal)
          serveOthers(taken.others)
          return taken
        }
        await serving.run(first, begin, ending.signal)
        await Promise.all(others)
      },
      async close() {
        control?.close()
        await session.close()
        await endpoint.close()
      },
    }
  } catch (error) {
    await endpoint.close()
    throw error
  }
}

/** Why there is no sign-in, where the daemon is to serve all the same: nobody can be asked now, and somebody may come. */
export async function orWait({ settings, env, log }: Context, signIn: Promise<Taken>): Promise<Taken | Failure> {
  try {
    return await signIn
  } catch (error) {
    const waits = settings.noInput && !isJob(env) && isFailure(error)
    if (!waits || !['person', 'refused', 'network'].includes(error.kind)) throw error
    log.warn(`${error.message}; the daemon waits for a sign-in`, 'run cloudtoken in a terminal')
    return error
  }
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
  const end = new Promise<undefined>(resolve => {
    if (ending.aborted) resolve(undefined)
    else ending.addEventListener('abort', () => resolve(undefined))
  })
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

/** What AWS clients look at before they ask the metadata service. */
export function warnAboutShadows({ env, paths, log }: Context): void {
  // Keys of ours that have ended are written anew in a moment.
  const found = [...judgeEnvironment(env, undefined), ...judgeFiles(paths, env, true, 0)]
  for (const { verdict, message, hint } of found) if (verdict !== 'ok') log.warn(message, hint)
}
