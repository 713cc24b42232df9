/**
 * One address for the gate: looked at before and after, taken, guarded, and given back.
 */
import { failure } from './errors.ts'
import type { Listen } from './guard.ts'
import { findDiversion, findHiddenRoute } from './linklocal-check.ts'
import { detectForeignMetadata } from './linklocal-foreign.ts'
import { startGuardProcess, type GuardProcess } from './linklocal-guard.ts'
import { deviceName } from './linklocal-platform.ts'
import { addAddress, linkStatus, removeAddress, repair } from './linklocal.ts'
import type { Log } from './log.ts'
import { isRoot } from './privilege.ts'
import { formatListen } from './serve.ts'

/** While nothing is served yet: does the address lead to this process? */
export async function selfTest({ hostname, port }: Listen, mark: string, force: boolean, log: Log): Promise<void> {
  const cause = await findDiversion(hostname, port, mark)
  if (cause === undefined) return
  const message = `${formatListen({ hostname, port })} does not lead to this process: ${cause}`
  if (force) return log.warn(message)
  const hint = 'cloudtoken -d --listen 127.0.0.1:9911, or --force to serve all the same'
  throw failure('address', message, { hint, code: 'address-diverted' })
}

/** What was done is undone by the steps that it adds. */
export async function takeAddress(
  address: string,
  force: boolean,
  log: Log,
  undo: (() => Promise<void>)[],
): Promise<void> {
  const device = deviceName()
  if (isRoot())
    for (const each of await repair()) log.info(`removed ${each}, which an earlier cloudtoken had left behind`)
  const { state } = await linkStatus(address)
  const foreign = await detectForeignMetadata(address, { ours: state === 'kept' || state === 'in-use' })
  if (foreign && !force) {
    const hint = 'cloudtoken -d --listen 127.0.0.1:9911, or --force to take the address all the same'
    throw failure('address', foreign, { hint, code: 'address-foreign' })
  }
  const hidden = state === 'absent' ? await findHiddenRoute(address) : undefined
  log.write(`Configuring link-local address on ${device}...`)
  let guard: GuardProcess | undefined
  try {
    await addAddress(address, undefined, { beforeAdding: async () => (guard = await startGuardProcess(address)) })
  } catch (error) {
    log.print('failed.')
    await (guard ? guard.release() : removeAddress(address)).catch(() => {})
    throw error
  }
  if (guard) {
    undo.push(async () => {
      log.write(`Unconfiguring link-local address on ${device}...`)
      await guard?.release()
      log.print('done.')
    })
  }
  log.print('done.')
  if (hidden) log.warn(`a route to ${address} is hidden as long as cloudtoken has the address: ${hidden}`)
}
