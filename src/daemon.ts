/**
 * What stands behind the gate: the tree, the tokens, and credentials that are renewed for as long as the work lasts.
 */
import type { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import process from 'node:process'
import { failure, messageOf } from './errors.ts'
import { readBytes, readText, writeFile, type Paths } from './files.ts'
import type { Log } from './log.ts'
import type { MetadataSnapshot } from './metadata-document.ts'
import { readProxyConfig } from './metadata-proxy.ts'
import { createTokens } from './metadata-token.ts'
import { createTree } from './metadata-tree.ts'
import { createMetadata, type Handler } from './metadata.ts'
import { notify } from './notify.ts'
import type { Settings } from './options.ts'
import { keepFresh, type RenewalState } from './renewal.ts'
import { run } from './run.ts'
import type { Session } from './session.ts'
import type { Clock, Credentials, Role } from './types.ts'

export interface Served {
  readonly settings: Settings
  readonly paths: Paths
  readonly log: Log
  readonly clock: Clock
}

/** What is behind the gate: the tree, the tokens, and one snapshot that is replaced as a whole. */
export interface MetadataService {
  readonly handler: Handler
  show(snapshot: MetadataSnapshot): void
}

export async function createService({ settings, paths, log }: Served): Promise<MetadataService> {
  let snapshot: MetadataSnapshot = {}
  const key = tokenKey(paths)
  const proxyFile = settings.metadataConfig ?? path.join(paths.config, 'proxy.yaml')
  const text = readText(proxyFile)
  if (text === undefined && settings.metadataConfig !== undefined)
    throw failure('config', `no metadata file ${proxyFile}`)
  // As init writes it, all in comments, it asks for nothing.
  const says = text?.split('\n').some(line => !/^\s*(#|$)/.test(line))
  const proxy = says ? readProxyConfig(text ?? '', proxyFile) : undefined
  for (const warning of proxy?.warnings ?? []) log.warn(warning)
  return {
    handler: createMetadata({
      snapshot: () => snapshot,
      source: proxy?.source ?? createTree({ seed: key.toString('hex'), region: settings.region }),
      tokens: createTokens(key),
      requireToken: settings.requireImdsv2,
    }),
    show: next => void (snapshot = next),
  }
}

/** Kept, so that the tokens that clients hold outlive a restart. */
function tokenKey(paths: Paths): Buffer {
  const file = path.join(paths.state, 'imds-token-key')
  const kept = readBytes(file)
  if (kept?.length === 32) return kept
  const key = randomBytes(32)
  writeFile(file, key)
  return key
}

/** Serves these credentials and renews them until the signal aborts. */
export async function serveCredentials(
  first: Credentials,
  role: Role,
  session: Session,
  service: MetadataService,
  { settings, clock, log }: Served,
  signal: AbortSignal,
): Promise<void> {
  let told = false
  let shown: Credentials | undefined
  await keepFresh(first, {
    clock,
    signal,
    interval: settings.refreshInterval,
    renew: end => session.renew(role, end),
    lastSignIn: () => session.lastSignIn(),
    onState: state => {
      service.show({ credentials: state.credentials, ...troubleOf(state) })
      if (state.credentials !== shown) void exportAgain(session, state.credentials, shown === undefined, log)
      shown = state.credentials
      report(state, log)
      if (state.needsPerson && !told) {
        void notify(run, process.platform, process.env, 'cloudtoken', 'Sign in again: run cloudtoken in a terminal')
      }
      told = state.needsPerson
    },
  })
}

/** The first set was exported before; a file that cannot be written is no reason to stop serving. */
async function exportAgain(session: Session, credentials: Credentials, first: boolean, log: Log): Promise<void> {
  if (first) return
  try {
    await session.export(credentials, true)
  } catch (error) {
    log.warn(messageOf(error))
  }
}

export function troubleOf(state: RenewalState): Pick<MetadataSnapshot, 'trouble'> {
  if (state.lastError === undefined) return {}
  if (state.needsPerson) {
    return { trouble: { code: 'SignInRequired', message: `${state.lastError}; run: cloudtoken` } }
  }
  return { trouble: { code: 'RenewalFailed', message: `${state.lastError}; cloudtoken keeps trying` } }
}

/** What a person should know of a new state. */
export function report(state: RenewalState, log: Log): void {
  const until = state.credentials.expiration.toISOString().replace(/\.\d+/, '')
  if (state.lastError === undefined)
    log.debug(`serving credentials until ${until}, next renewal ${new Date(state.next).toISOString()}`)
  else if (state.needsPerson)
    log.error(
      `cannot renew the credentials, which end at ${until}: ${state.lastError}`,
      'run cloudtoken in another terminal and sign in',
    )
  else log.warn(`cannot renew the credentials, which end at ${until}: ${state.lastError}; trying again`)
}
