/**
 * What the daemon does in the foreground and in the background alike.
 */
import process from 'node:process'
import { sessionOf, type Context } from './command-context.ts'
import { takeRole } from './command-sign-in.ts'
import { openControl } from './daemon-control.ts'
import { createService, createServing } from './daemon.ts'
import type { Gate } from './gate.ts'
import { metadataAddress } from './linklocal.ts'
import type { Session } from './session.ts'

/** Everything that has to be right before a person is asked to sign in. */
export async function prepare(context: Context, gate: Gate, ending: AbortController) {
  const service = await createService(context)
  const session = await sessionOf(context)
  const serving = createServing(session, service, context)
  gate.open(service.handler, context.settings)
  const control = await openControl({ ...context, gate, service, serving, end: () => ending.abort() })
  return { service, session, serving, control }
}

export async function signInFor(context: Context, session: Session, signal: AbortSignal) {
  const taken = await takeRole(context, session, signal)
  await session.export(taken.credentials, true)
  return taken
}

export function announce({ settings, log }: Context, url: string): void {
  log.print(`Metadata proxy now available on ${url}`)
  log.print('-'.repeat(54))
  if (!settings.listen.startsWith(metadataAddress)) {
    log.info(`for clients: AWS_EC2_METADATA_SERVICE_ENDPOINT=${url}/`)
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
