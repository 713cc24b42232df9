/**
 * Simulations of the daemon: in its memory alone, over the service that is there. Nothing of them touches the credentials,
 * the files, or the renewal.
 */
import { Buffer } from 'node:buffer'
import { STATUS_CODES } from 'node:http'
import type { MetadataService } from './daemon.ts'
import { failure } from './errors.ts'
import type { MetadataSnapshot } from './metadata-document.ts'
import { awsTime } from './tokens.ts'
import type { MockConfig } from './metadata-mock.ts'
import { simulationNames, type Simulated, type SimulationOrder } from './metadata-simulated.ts'
import { errorPage, type Handler } from './metadata.ts'
import { sleepUntil } from './renewal.ts'
import type { Clock } from './types.ts'

export interface Simulation {
  /** The service as it is to be seen. */
  readonly service: MetadataService
  order(order: SimulationOrder): void
  status(): SimulationStatus | null
}

/** What `status` says of it. */
export type SimulationStatus = Omit<Simulated, 'user-data'> & { readonly 'user-data'?: { readonly bytes: number } }

export function createSimulation(inner: MetadataService, clock: Clock): Simulation {
  let shown: MetadataSnapshot = {}
  let simulated: Simulated = {}

  function state(): Simulated {
    const { error, ...rest } = simulated
    const over = error?.until !== undefined && Date.parse(error.until) <= clock.now()
    return error && !over ? simulated : rest
  }

  async function disturbed(...[request, path, caller]: Parameters<Handler>): Promise<Response> {
    if (simulated.slow) await clock.sleep(simulated.slow.milliseconds)
    simulated = state()
    const status = simulated.error?.status
    if (status === undefined) return await inner.handler(request, path, caller)
    return errorPage(status, STATUS_CODES[status] ?? 'Simulated')
  }

  return {
    service: {
      ...inner,
      handler: (request, path, caller) =>
        simulated.error || simulated.slow ? disturbed(request, path, caller) : inner.handler(request, path, caller),
      show(snapshot) {
        shown = snapshot
        inner.show(withSimulation(shown, simulated))
      },
    },
    order({ begin = {}, end = [] }) {
      const rest = Object.fromEntries(Object.entries(simulated).filter(([name]) => !end.some(each => each === name)))
      simulated = { ...rest, ...begin }
      inner.show(withSimulation(shown, simulated))
    },
    status() {
      const { 'user-data': userData, ...rest } = state()
      const bytes = userData && Buffer.from(userData.base64, 'base64').length
      const all = { ...rest, ...(bytes !== undefined && { 'user-data': { bytes } }) }
      return Object.keys(all).length === 0 ? null : all
    },
  }
}

function withSimulation(snapshot: MetadataSnapshot, simulated: Simulated): MetadataSnapshot {
  const { credentials, trouble } = snapshot
  const { expiry } = simulated
  if (!credentials || !expiry) return { ...snapshot, simulated }
  const end = new Date(Math.min(Date.parse(expiry.time), credentials.expiration.getTime()))
  const message = `they end at ${awsTime(end)} because that is simulated; run: cloudtoken simulate off`
  return {
    credentials: { ...credentials, expiration: end },
    trouble: trouble ?? { code: 'CredentialsExpired', message },
    simulated,
  }
}

/** What a metadata file wants to be simulated, in its time. */
export function startWanted(
  simulation: Simulation,
  wanted: MockConfig['wanted'] | undefined,
  clock: Clock,
  signal: AbortSignal,
): void {
  for (const { simulated, delaySeconds } of wanted ?? []) {
    const at = clock.now() + 1000 * delaySeconds
    void sleepUntil(at, clock, signal).then(() => signal.aborted || simulation.order({ begin: simulated }))
  }
}

/** From the line that came through the control socket. */
export function readOrder(text: string | undefined): SimulationOrder {
  const value: SimulationOrder = { ...JSON.parse(text ?? '{}') }
  const names = [...Object.keys(value.begin ?? {}), ...(value.end ?? [])]
  const unknown = names.find(name => !simulationNames.some(known => known === name))
  if (unknown === undefined) return value
  throw failure('usage', `the daemon cannot simulate ${unknown}`, { hint: 'cloudtoken --version' })
}
