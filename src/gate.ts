/**
 * The address and the port: what the metadata service needs root for, and the way back, on which the machine is left as
 * it was found.
 */
import { randomBytes } from 'node:crypto'
import type { AccessLog } from './access-log.ts'
import { failure, isFailure } from './errors.ts'
import { selfTest, takeAddress } from './gate-address.ts'
import type { Listen } from './guard.ts'
import { isMetadataAddress, metadataAddress, metadataAddress6 } from './linklocal.ts'
import type { Log } from './log.ts'
import { errorPage, type Handler } from './metadata.ts'
import type { Settings } from './options.ts'
import { serveMetadata, type MetadataServer } from './serve.ts'

/** The open port, behind which nothing is served yet. */
export interface Gate {
  readonly url: string
  /** With the port that was taken. */
  readonly listen: Listen
  /** From here on requests are answered. Allowed ranges and hosts are the person's, so they come late. */
  open(handler: Handler, allowed: Pick<Settings, 'allowFrom' | 'allowHost'>): void
  /** Stops listening and takes the address away, if it was added here. */
  close(): Promise<void>
}

export interface GateOptions {
  readonly listen: Listen
  /** Listen at the IPv6 address as well; goes with the metadata address alone. */
  readonly ipv6?: boolean
  readonly force: boolean
  readonly log: Log
  /** Absent: requests are not logged. */
  readonly accessLog?: AccessLog | undefined
}

/** Does what needs root, and no more. Rejects with kind `address`, having undone what it did. */
export async function openGate({ listen, ipv6 = false, force, log, accessLog }: GateOptions): Promise<Gate> {
  if (ipv6 && listen.hostname !== metadataAddress) {
    const hint = `--listen ${metadataAddress}:80, or --listen '[${metadataAddress6}]:80' without --ipv6`
    throw failure('usage', `--ipv6 goes with the address ${metadataAddress}, not with ${listen.hostname}`, { hint })
  }
  const undo: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  const mark = `cloudtoken-${randomBytes(8).toString('hex')}`
  let handler: Handler = () => waiting(mark)
  // Our own look at ourselves is none of the log's business.
  let logged = false
  const open = async (where: Listen): Promise<MetadataServer> => {
    const server = await serveMetadata({
      listen: where,
      handler: (request, target, caller) => handler(request, target, caller),
      onFailure: log.warn,
      ...(accessLog && { onAccess: access => logged && accessLog.note(access) }),
    })
    undo.push(() => server.stop())
    if (isMetadataAddress(where.hostname)) await selfTest(server, mark, force, log)
    return server
  }
  try {
    undo.push(async () => accessLog?.flush())
    if (isMetadataAddress(listen.hostname)) await takeAddress(listen.hostname, force, log, undo)
    const server = await open(listen)
    const servers = [server]
    if (ipv6) servers.push(...(await openSecond({ ...listen, hostname: metadataAddress6 }, force, log, undo, open)))
    return {
      url: server.url,
      listen: { hostname: server.hostname, port: server.port },
      open(next, { allowFrom, allowHost }) {
        const onRefuse = (reason: string, hint?: string): void => log.warn(reason, hint)
        for (const each of servers) each.restrict({ allowFrom, allowHosts: allowHost, onRefuse })
        handler = next
        logged = true
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** A machine without IPv6 is served all the same. */
async function openSecond(
  listen: Listen,
  force: boolean,
  log: Log,
  undo: (() => Promise<void>)[],
  open: (listen: Listen) => Promise<MetadataServer>,
): Promise<MetadataServer[]> {
  const before = undo.length
  try {
    await takeAddress(listen.hostname, force, { ...log, write: () => {}, print: () => {} }, undo)
    return [await open(listen)]
  } catch (error) {
    if (!isFailure(error) || error.kind !== 'address' || error.code === 'address-diverted') throw error
    for (const step of undo.splice(before).reverse()) await step()
    log.warn(`not served over IPv6: ${error.message}`, error.hint)
    return []
  }
}

function waiting(mark: string): Response {
  const page = errorPage(503, 'Service Unavailable')
  page.headers.set('Server', mark)
  return page
}

/** Tried, not guessed: with the address there and low ports free for all, nobody has to become root. */
export async function couldOpen({ log, ...options }: Pick<GateOptions, 'listen' | 'ipv6' | 'log'>): Promise<boolean> {
  try {
    const gate = await openGate({
      ...options,
      force: true,
      log: { ...log, write: () => {}, print: () => {}, warn: () => {} },
    })
    await gate.close()
    return true
  } catch (error) {
    if (isFailure(error) && error.kind === 'address') return false
    throw error
  }
}
