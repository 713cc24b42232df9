/**
 * What a person can say to the daemon, and how its commands find it.
 */
import process from 'node:process'
import pkg from '../package.json' with { type: 'json' }
import { controlFile, controlFiles } from './control-place.ts'
import { askDaemon, noDaemon, startControl, type ControlServer } from './control.ts'
import type { ContainerEndpoint, Place } from './daemon-container.ts'
import type { Holding } from './daemon-credentials.ts'
import type { FarSession } from './daemon-session.ts'
import { readGrantOrder, type Granted, type Grants } from './daemon-grants.ts'
import { readOrder, type Simulation, type SimulationStatus } from './daemon-simulation.ts'
import { timeOf, type MetadataService, type Serving, type ServingStatus } from './daemon.ts'
import type { Client } from './daemon-readers.ts'
import { failure, isFailure, messageOf, type Failure } from './errors.ts'
import type { Paths } from './paths.ts'
import type { Gate } from './gate.ts'
import type { Listen } from './guard.ts'
import { fieldsOf } from './json.ts'
import { keepSecret, type Log } from './log.ts'
import { formatListen } from './serve.ts'
import type { Holder } from './vault-key.ts'
import type { Vault } from './vault.ts'

type Env = Readonly<Record<string, string | undefined>>

/** The JSON of `status`; only ever added to. */
export interface DaemonStatus extends ServingStatus {
  readonly pid: number
  readonly version: string
  readonly started: string
  readonly url: string
  /** Requests of the metadata port that were answered. */
  readonly requests: number
  /** Who read credentials there, the last one first. */
  readonly clients: readonly Client[]
  /** Who holds the key of the secrets at rest; `null` while none was wanted. */
  readonly secretStore: Holder | 'none' | null
  /** What is made up, `null` for nothing. */
  readonly simulated: SimulationStatus | null
  /** What the container endpoint hands out, and where. */
  readonly container: readonly Place[]
  /** Tokens of `grant` that are good. */
  readonly grants: readonly Granted[]
}

export interface Controlled {
  readonly env: Env
  readonly paths: Paths
  readonly log: Log
  readonly gate: Gate
  readonly service: MetadataService
  readonly serving: Serving
  readonly holding: Holding
  readonly session: Pick<FarSession, 'known' | 'unlock'>
  readonly simulation: Simulation
  readonly grants: Grants
  readonly roles: ContainerEndpoint['roles']
  /** Ends the daemon. */
  end(): void
}

/** `undefined` where there can be no socket, which is told and no reason not to serve. */
export async function openControl(daemon: Controlled): Promise<ControlServer | undefined> {
  const { env, paths, log, gate, service, serving, simulation, holding, session, grants, roles } = daemon
  const started = new Date()
  const status = (): DaemonStatus => ({
    pid: process.pid,
    version: pkg.version,
    started: timeOf(started) ?? '',
    url: gate.url,
    ...serving.status(),
    requests: service.requests(),
    clients: service.clients(),
    secretStore: session.known()?.secretStore ?? null,
    simulated: simulation.status(),
    container: roles(),
    grants: grants.status(),
  })
  try {
    return await startControl(controlFile(env, paths, gate.listen), {
      status,
      credentials: holding.answer,
      refresh: async () => void (await serving.refresh()),
      use: async wish => void (await serving.use(wish ?? '')),
      unlock(passphrase) {
        keepSecret(passphrase ?? '')
        session.unlock(passphrase ?? '')
        serving.refresh().catch((error: unknown) => log.debug(messageOf(error)))
      },
      stop: daemon.end,
      grant: order => grants.grant(readGrantOrder(order)),
      revoke: which => grants.revoke(which ?? ''),
      simulate(order) {
        simulation.order(readOrder(order))
        return simulation.status()
      },
    })
  } catch (error) {
    if (!isFailure(error) || error.kind !== 'config') throw error
    log.warn(`${error.message}; status, stop and use will not find this daemon`, error.hint)
    return undefined
  }
}

export interface FoundDaemon {
  /** Its socket. */
  readonly file: string
  readonly status: DaemonStatus
}

/** One that was stopped, as by Ctrl-Z, would keep everybody waiting. */
const patience = 2000

/** Those that answer. */
export async function findDaemons(env: Env, paths: Paths, listen?: Listen): Promise<FoundDaemon[]> {
  return (await lookForDaemons(env, paths, listen)).filter(each => 'status' in each)
}

/** And what is wrong with the others: of most that they are gone. */
export async function lookForDaemons(env: Env, paths: Paths, listen?: Listen): Promise<(FoundDaemon | Failure)[]> {
  const looks = controlFiles(env, paths, listen).map(async file => {
    const status = await askDaemon(file, 'status', undefined, patience).catch((error: unknown) => error)
    return isStatus(status) ? { file, status } : isFailure(status) ? status : noDaemon()
  })
  return await Promise.all(looks)
}

/**
 * Daemons that began where nobody could type the passphrase of the secrets at rest, and wait for a person, get it from
 * the person who has.
 */
export async function unlockDaemons(env: Env, paths: Paths, vault: Pick<Vault, 'inUse' | 'passphrase'>): Promise<void> {
  const passphrase = vault.passphrase()
  if (vault.inUse() !== 'passphrase' || passphrase === undefined) return
  for (const { file, status } of await findDaemons(env, paths)) {
    if (status.state === 'needs-person') await askDaemon(file, 'unlock', passphrase, patience).catch(() => {})
  }
}

/** The one that is meant; fails with kind `no-daemon`, or with `usage` when several fit. */
export async function findDaemon(env: Env, paths: Paths, listen?: Listen): Promise<FoundDaemon> {
  const looks = await lookForDaemons(env, paths, listen)
  const [first, ...more] = looks.filter(each => 'status' in each)
  if (!first)
    throw looks.find(each => isFailure(each) && each.code === 'silent') ?? noDaemon(listen && formatListen(listen))
  if (more.length === 0) return first
  const hosts = [first, ...more].map(({ status }) => hostOf(status))
  throw failure('usage', `${hosts.length} daemons are running: ${hosts.join(', ')}`, {
    hint: `say which: --listen ${hosts[0]}`,
  })
}

/** Fails with kind `address` when a daemon of this person has the address. */
export async function respectOther(env: Env, paths: Paths, listen: Listen): Promise<void> {
  const [other] = await findDaemons(env, paths, listen)
  if (!other) return
  const { pid, role } = other.status
  const doing = role === null ? 'which waits for its sign-in' : `which serves ${role}`
  throw failure('address', `${hostOf(other.status)} is held by the cloudtoken with process id ${pid}, ${doing}`, {
    hint: 'cloudtoken status, cloudtoken use ROLE, or cloudtoken stop',
    code: 'address-held',
  })
}

/** As `--listen` takes it. */
export function hostOf({ url }: DaemonStatus): string {
  return /:\d+$/.test(url) ? url.slice('http://'.length) : `${url.slice('http://'.length)}:80`
}

function isStatus(value: unknown): value is DaemonStatus {
  const { pid, url } = fieldsOf(value)
  return typeof pid === 'number' && typeof url === 'string'
}
