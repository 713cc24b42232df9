/**
 * The container endpoint of the daemon: each role its path and its token, renewed from the one sign-in.
 */
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { createAccessLog } from './access-log.ts'
import { accountOf, roleName } from './arn.ts'
import { createContainer, type Grant } from './container.ts'
import { troubleOf, type DaemonSession, type MetadataService, type Served } from './daemon.ts'
import { failure, isFailure, messageOf } from './errors.ts'
import { makePrivate, remove, writeFile } from './files.ts'
import type { Paths } from './paths.ts'
import type { MetadataSnapshot } from './metadata-document.ts'
import { keepFresh } from './renewal.ts'
import { parseListen, serveMetadata, type MetadataServer } from './serve.ts'
import type { Credentials } from './types.ts'

export interface ContainerEndpoint {
  /** Serves this under the path of its role; a role that is new gets a token, in a file. */
  show(snapshot: MetadataSnapshot): void
  /** Makes tokens for one role alone each, for whoever is told of the file. Fails with `usage` where nothing listens. */
  granter(): (roleArn: string) => Handed
  /** Where each role is, and the file of its token. */
  roles(): readonly Place[]
  /** Stops listening and takes the token files away. */
  close(): Promise<void>
}

/** JSON: what the clients of a role have to know. */
export interface Place {
  readonly role: string
  readonly uri: string
  readonly file: string
}

/** A token in its file. */
export interface Handed extends Place, Pick<Grant, 'show' | 'revoke'> {}

/** https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html, the hosts of `http:`. */
const taken = /^http:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\]|169\.254\.170\.(2|23)|\[fd00:ec2::23\])(:|$)/

const none: ContainerEndpoint = {
  show: () => {},
  granter() {
    const hint = 'cloudtoken -d --container-endpoint 127.0.0.1:9912'
    throw failure('usage', 'the daemon has no container endpoint', { hint })
  },
  roles: () => [],
  close: () => Promise.resolve(),
}

export const tokenName = 'token'

/**
 * In it `ACCOUNT-NAME/token` for each role. The same after a restart on the same port, so that clients go on: they read
 * the file at every request.
 */
export function tokenFolder(paths: Pick<Paths, 'state'>, port: number): string {
  return path.join(paths.state, 'container', String(port))
}

/** Nothing without `--container-endpoint`. Fails with `address` when it cannot listen, before anybody has signed in. */
export async function openContainerEndpoint({ settings, paths, log }: Served): Promise<ContainerEndpoint> {
  const { containerEndpoint, alsoRole, allowFrom, allowHost } = settings
  if (containerEndpoint === undefined) {
    if (alsoRole.length === 0) return none
    const hint = 'cloudtoken -d --container-endpoint 127.0.0.1:9912'
    throw failure('usage', '--also-role needs a container endpoint: the metadata address has one role', { hint })
  }
  const container = createContainer()
  const accessLog = settings.quiet ? undefined : createAccessLog(log.access)
  const server = await listening({
    listen: parseListen(containerEndpoint, '--container-endpoint'),
    guard: { allowFrom, allowHosts: allowHost, ownNamesOnly: true, onRefuse: log.warn },
    handler: container.handler,
    onFailure: log.warn,
    ...(accessLog && { onAccess: accessLog.note }),
  })
  if (!taken.test(server.url)) {
    const hint = '--container-endpoint 127.0.0.1:9912'
    log.warn(`AWS clients take container credentials over http from loopback alone, not from ${server.url}`, hint)
  }
  const folder = tokenFolder(paths, server.port)
  const roles = new Map<string, Handed>()
  const handed = new Set<Handed>()
  makePrivate(folder)
  // Of a daemon on this port that was killed.
  for (const name of readdirSync(folder)) remove(path.join(folder, name, name === 'grants' ? '' : tokenName))

  /** `once`: a folder that nobody will look into again. */
  function hand(roleArn: string, once?: string): Handed {
    const name = `${accountOf(roleArn)}-${roleName(roleArn)}`
    const own = once === undefined ? path.join(folder, name) : path.join(folder, 'grants', `${name}-${once}`)
    makePrivate(own)
    const { path: where, token, show, revoke } = container.grant(roleArn)
    const file = path.join(own, tokenName)
    const result: Handed = {
      role: roleArn,
      uri: `${server.url}${where}`,
      file,
      show,
      revoke() {
        revoke()
        handed.delete(result)
        try {
          remove(once === undefined ? file : own)
        } catch (error) {
          log.warn(`a token that is good for nothing stays in ${file}: ${messageOf(error)}`)
        }
      },
    }
    handed.add(result)
    try {
      // To the last byte what the header says: SDKs refuse a line end in it.
      writeFile(file, token)
    } catch (error) {
      result.revoke()
      throw error
    }
    return result
  }

  /** A full disk is no reason to stop serving; the next set tries again. */
  function handRole(roleArn: string): Handed | undefined {
    try {
      const given = hand(roleArn)
      roles.set(roleArn, given)
      return given
    } catch (error) {
      log.warn(`${roleName(roleArn)} is not at the container endpoint: ${messageOf(error)}`)
      return undefined
    }
  }

  return {
    show(snapshot) {
      const { roleArn } = snapshot.credentials ?? {}
      if (roleArn === undefined) return
      const held = roles.get(roleArn) ?? handRole(roleArn)
      held?.show(snapshot)
    },
    granter: () => roleArn => hand(roleArn, randomBytes(4).toString('hex')),
    roles: () => [...roles.values()].map(({ role, uri, file }) => ({ role, uri, file })),
    async close() {
      // The folders stay: a container may have one of them mounted, and finds the token of the next daemon in it.
      for (const { revoke } of handed) revoke()
      await server.stop()
      accessLog?.flush()
    },
  }
}

/** What the clients of a token need in their environment. */
export function clientLines({ uri, file }: Pick<Place, 'uri' | 'file'>): string[] {
  return [`AWS_CONTAINER_CREDENTIALS_FULL_URI=${uri}`, `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=${file}`]
}

/** The metadata service, and whoever else is to know of its current role. */
export function beside(service: MetadataService, other: Pick<ContainerEndpoint, 'show'>): MetadataService {
  return {
    ...service,
    show(snapshot) {
      service.show(snapshot)
      other.show(snapshot)
    },
  }
}

/** Serves a role beside the current one and renews it until the signal aborts. */
export async function serveOther(
  first: Credentials,
  session: Pick<DaemonSession, 'renew' | 'lastSignIn'>,
  endpoint: Pick<ContainerEndpoint, 'show'>,
  { settings, clock, log }: Pick<Served, 'settings' | 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<void> {
  const { roleArn } = first
  const role = { roleArn, providerArn: first.samlProvider ?? '' }
  let told: string | undefined
  async function renew(ending: AbortSignal): Promise<Credentials> {
    try {
      const credentials = await session.renew(role, ending)
      told = undefined
      return credentials
    } catch (error) {
      // A sign-in that fails does so for every role; the loop of the current one says it.
      const common = isFailure(error) && ['person', 'refused', 'network'].includes(error.kind)
      if (!common && told !== messageOf(error)) log.warn(`cannot renew ${roleArn}: ${messageOf(error)}`)
      told = messageOf(error)
      throw error
    }
  }
  await keepFresh(first, {
    clock,
    signal,
    interval: settings.refreshInterval,
    renew,
    lastSignIn: () => session.lastSignIn(),
    onState: state => endpoint.show({ credentials: state.credentials, ...troubleOf(state) }),
  })
}

async function listening(options: Parameters<typeof serveMetadata>[0]): Promise<MetadataServer> {
  try {
    return await serveMetadata(options)
  } catch (error) {
    if (!isFailure(error) || error.kind !== 'address') throw error
    throw failure('address', error.message, {
      hint: '--container-endpoint 127.0.0.1:0',
      code: error.code,
      cause: error,
    })
  }
}
