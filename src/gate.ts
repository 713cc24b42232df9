/**
 * The address and the port: what the metadata service needs root for, and the way back, on which the machine is left as
 * it was found.
 */
import type { AccessLog } from './access-log.ts'
import { failure } from './errors.ts'
import type { Listen } from './guard.ts'
import { detectForeignMetadata } from './linklocal-foreign.ts'
import { startGuardProcess } from './linklocal-guard.ts'
import { deviceName } from './linklocal-platform.ts'
import { addAddress, linkStatus, metadataAddress, removeAddress, repair } from './linklocal.ts'
import type { Log } from './log.ts'
import { errorPage, type Handler } from './metadata.ts'
import type { Settings } from './options.ts'
import { isRoot } from './privilege.ts'
import { serveMetadata } from './serve.ts'

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
  readonly force: boolean
  readonly log: Log
  /** Absent: requests are not logged. */
  readonly accessLog?: AccessLog | undefined
}

/** Does what needs root, and no more. Rejects with kind `address`, having undone what it did. */
export async function openGate({ listen, force, log, accessLog }: GateOptions): Promise<Gate> {
  const undo: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step()
  }
  let handler: Handler = () => errorPage(503, 'Service Unavailable')
  try {
    if (listen.hostname === metadataAddress) await takeAddress(force, log, undo)
    const server = await serveMetadata({
      listen,
      handler: (request, target, caller) => handler(request, target, caller),
      ...(accessLog && { onAccess: accessLog.note }),
    })
    undo.push(async () => {
      await server.stop()
      accessLog?.flush()
    })
    return {
      url: server.url,
      listen: { hostname: server.hostname, port: server.port },
      open(next, { allowFrom, allowHost }) {
        server.restrict({ allowFrom, allowHosts: allowHost, onRefuse: (reason, hint) => log.warn(reason, hint) })
        handler = next
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function takeAddress(force: boolean, log: Log, undo: (() => Promise<void>)[]): Promise<void> {
  const device = deviceName()
  if (isRoot())
    for (const address of await repair()) log.info(`removed ${address}, which an earlier cloudtoken had left behind`)
  const { state } = await linkStatus(metadataAddress)
  const foreign = await detectForeignMetadata(metadataAddress, { ours: state === 'kept' || state === 'in-use' })
  if (foreign && !force) {
    const hint = 'cloudtoken -d --listen 127.0.0.1:9911, or --force to take the address all the same'
    throw failure('address', foreign, { hint, code: 'address-foreign' })
  }
  log.write(`Configuring link-local address on ${device}...`)
  try {
    const { added } = await addAddress(metadataAddress)
    if (added) {
      undo.push(() => removeAddress(metadataAddress).then(() => {}))
      const guard = await startGuardProcess(metadataAddress)
      undo.splice(-1, 1, async () => {
        log.write(`Unconfiguring link-local address on ${device}...`)
        await guard.release()
        log.print('done.')
      })
    }
    log.print('done.')
  } catch (error) {
    log.print('failed.')
    throw error
  }
}
