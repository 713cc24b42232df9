/**
 * What stands behind the gate: the tree, the tokens, and credentials that are renewed for as long as the work lasts.
 */
import type { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import process from 'node:process'
import { isRoleArn } from './arn.ts'
import type { Taken } from './background.ts'
import type { Config } from './config.ts'
import { createAdmission, type Client } from './daemon-readers.ts'
import { failure, isFailure, messageOf, type Failure } from './errors.ts'
import { readBytes, writeFile } from './files.ts'
import type { Paths } from './paths.ts'
import type { Listen } from './guard.ts'
import type { Log } from './log.ts'
import type { MetadataSnapshot } from './metadata-document.ts'
import type { MockConfig } from './metadata-mock.ts'
import { sourceOf } from './metadata-source.ts'
import { createTokens } from './metadata-token.ts'
import { createMetadata, type Handler } from './metadata.ts'
import { createCall } from './notify.ts'
import type { Settings } from './options.ts'
import { callFor, createOrders, keepFresh, type RenewalState } from './renewal.ts'
import { run } from './run.ts'
import type { Session } from './session.ts'
import { awsTime } from './tokens.ts'
import type { Clock, Credentials, Role } from './types.ts'

export interface Served {
  readonly settings: Settings
  readonly config: Pick<Config, 'file' | 'metadata'>
  readonly paths: Paths
  readonly log: Log
  readonly clock: Clock
}

/** What is behind the gate: the tree, the tokens, and one snapshot that is replaced as a whole. */
export interface MetadataService {
  readonly handler: Handler
  show(snapshot: MetadataSnapshot): void
  /** Requests answered so far. */
  requests(): number
  /** Who read credentials, the last one first. */
  clients(): readonly Client[]
  /** What the metadata file wants to be simulated. */
  readonly wanted?: MockConfig['wanted']
}

export async function createService(served: Served, listen: Listen): Promise<MetadataService> {
  const { settings, paths, log } = served
  let snapshot: MetadataSnapshot = {}
  const key = tokenKey(paths)
  const { source, warnings, requireToken, wanted } = await sourceOf(served, key.toString('hex'))
  for (const warning of warnings) log.warn(warning)
  const { admit, clients } = await createAdmission(settings, listen, log)
  const answer = createMetadata({
    snapshot: () => snapshot,
    source,
    tokens: createTokens(key),
    requireToken: settings.requireImdsv2 || requireToken === true,
    admit,
  })
  let requests = 0
  return {
    handler: (request, target, caller) => {
      requests += 1
      return answer(request, target, caller)
    },
    show: next => void (snapshot = next),
    requests: () => requests,
    clients,
    ...(wanted && { wanted }),
  }
}

export const tokenKeyName = 'imds-token-key'

/** Kept, so that the tokens that clients hold outlive a restart. */
function tokenKey(paths: Paths): Buffer {
  const file = path.join(paths.state, tokenKeyName)
  const kept = readBytes(file)
  if (kept?.length === 32) return kept
  const key = randomBytes(32)
  writeFile(file, key)
  return key
}

/** What the daemon needs of a session, which is in another process. */
export interface DaemonSession extends Pick<
  Session,
  'renew' | 'take' | 'rememberRole' | 'lastRole' | 'lastSignIn' | 'idpSessionEnd'
> {
  export(credentials: Credentials): Promise<void>
}

/** What `status` says; times without fractions of seconds. */
export interface ServingStatus {
  readonly state: 'signing-in' | 'serving' | 'retrying' | 'needs-person'
  readonly role: string | null
  readonly expiration: string | null
  /** `null` while nothing is tried before a person signs in. */
  readonly nextRenewal: string | null
  /** Where the identity provider said so. */
  readonly idpSessionEnd: string | null
  readonly lastError: string | null
  /** Attempts that failed since the last success. */
  readonly failures: number
}

export interface Serving {
  status(): ServingStatus
  /** Renews now. */
  refresh(): Promise<Credentials>
  /** Another role for everybody, in one step; the old one stays when that fails. */
  use(wish: string): Promise<Credentials>
  /** Serves and renews until the signal aborts; with a failure in the place of a sign-in, as soon as `begin` brings one. */
  run(first: Taken | Failure, begin: (signal: AbortSignal) => Promise<Taken>, signal: AbortSignal): Promise<void>
}

export function createServing(
  session: DaemonSession,
  service: MetadataService,
  { settings, clock, log }: Pick<Served, 'settings' | 'clock' | 'log'>,
): Serving {
  const orders = createOrders()
  let state: RenewalState | undefined
  let exporting = Promise.resolve()
  const call = createCall(run, process.platform, process.env)

  async function order(renew?: (signal: AbortSignal) => Promise<Credentials>): Promise<Credentials> {
    if (!state) throw failure('person', 'the daemon waits for its first sign-in', { hint: 'cloudtoken' })
    const credentials = await orders.place(renew).catch(withHint)
    await exporting
    return credentials
  }

  function show(next: RenewalState): void {
    const { credentials } = next
    service.show({ credentials, role: expected(), ...troubleOf(next) })
    // The set of a sign-in was exported with it. One after the other, so that the files end with the newest.
    if (state && credentials && credentials !== state.credentials)
      exporting = exporting.then(() => exportAgain(session, credentials, log))
    state = next
    report(next, log)
    call(callFor(next))
  }

  /** The role that there will be, where that is known before there are credentials. */
  function expected(): string | undefined {
    const { role } = settings
    return role !== undefined && isRoleArn(role) ? role : session.lastRole()?.roleArn
  }

  let current: Role | undefined
  return {
    status: () => ({
      state: !state
        ? 'signing-in'
        : state.needsPerson
          ? 'needs-person'
          : state.lastError === undefined
            ? 'serving'
            : 'retrying',
      role: state?.credentials?.roleArn ?? (state && expected()) ?? null,
      expiration: timeOf(state?.credentials?.expiration),
      nextRenewal: state && !state.needsPerson ? timeOf(new Date(state.next)) : null,
      idpSessionEnd: timeOf(session.idpSessionEnd()),
      lastError: state?.lastError ?? null,
      failures: state?.failures ?? 0,
    }),
    refresh: () => order(),
    async use(wish) {
      return await order(async signal => {
        const { role, credentials } = await session.take(wish, signal)
        current = role
        session.rememberRole(role)
        log.print(`Using role ${role.roleArn}`)
        return credentials
      })
    },
    async run(first, begin, signal) {
      if (!isFailure(first)) current = first.role
      await keepFresh(isFailure(first) ? first : first.credentials, {
        clock,
        signal,
        interval: settings.refreshInterval,
        async renew(end) {
          if (current) return await session.renew(current, end)
          const { role, credentials } = await begin(end)
          current = role
          return credentials
        },
        lastSignIn: () => session.lastSignIn(),
        onState: show,
        orders,
      })
    },
  }
}

/** The daemon never asks; the person who is at the other end can. */
function withHint(error: unknown): never {
  if (!isFailure(error) || (error.kind !== 'person' && error.kind !== 'refused')) throw error
  throw failure(error.kind, error.message, { hint: 'sign in with cloudtoken, then try again', code: error.code })
}

export function timeOf(date: Date | undefined): string | null {
  return date ? awsTime(date) : null
}

/** A file that cannot be written is no reason to stop serving. */
async function exportAgain(session: DaemonSession, credentials: Credentials, log: Log): Promise<void> {
  try {
    await session.export(credentials)
  } catch (error) {
    log.warn(messageOf(error))
  }
}

export function troubleOf(state: RenewalState): Pick<MetadataSnapshot, 'trouble'> {
  const { credentials } = state
  if (state.lastError === undefined) {
    // STS gives none that have ended.
    if (!credentials || credentials.expiration >= credentials.issued) return {}
    const message = `new credentials of AWS have ended by this machine's clock: set it, then run: cloudtoken refresh`
    return { trouble: { code: 'ClockSkew', message } }
  }
  if (state.needsPerson) {
    return { trouble: { code: 'SignInRequired', message: `${state.lastError}; run: cloudtoken` } }
  }
  return { trouble: { code: 'RenewalFailed', message: `${state.lastError}; cloudtoken keeps trying` } }
}

/** What a person should know of a new state. */
export function report(state: RenewalState, log: Log): void {
  const until = timeOf(state.credentials?.expiration)
  const what = until === null ? 'there are no credentials yet' : `cannot renew the credentials, which end at ${until}`
  if (state.lastError === undefined)
    log.debug(`serving credentials until ${until}, next renewal ${new Date(state.next).toISOString()}`)
  else if (state.needsPerson) log.error(`${what}: ${state.lastError}`, 'run cloudtoken in another terminal and sign in')
  else log.warn(`${what}: ${state.lastError}; trying again`)
}
