/**
 * `status`, `stop`, `refresh` and `use`: a word with the daemon that is running. None of them reads the configuration.
 */
import process from 'node:process'
import { optionsOnly, type Flags } from './command-context.ts'
import { askDaemon } from './control.ts'
import { findDaemon, type DaemonStatus, type FoundDaemon } from './daemon-control.ts'
import type { SimulationStatus } from './daemon-simulation.ts'
import { failure } from './errors.ts'
import { findPaths } from './paths.ts'
import { createLog } from './log.ts'
import { parseListen } from './serve.ts'
import { localTime } from './tokens.ts'
import { placeNames } from './vault.ts'

export async function statusCommand(flags: Flags): Promise<number> {
  const log = createLog()
  const { status } = await meant(flags)
  if (flags['json']) log.print(JSON.stringify(status, undefined, 2))
  else for (const line of statusLines(status, Date.now())) log.print(line)
  return 0
}

/** Comes back when the daemon is gone, and the address with it. */
export async function stopCommand(flags: Flags): Promise<number> {
  const { file, status } = await meant(flags)
  await askDaemon(file, 'stop')
  const { pid, url } = status
  createLog().print(flags['json'] ? JSON.stringify({ pid, url }) : `stopped the cloudtoken with process id ${pid}`)
  return 0
}

export async function refreshCommand(flags: Flags): Promise<number> {
  return await change(flags, 'refresh')
}

export async function useCommand(flags: Flags, role: string | undefined): Promise<number> {
  if (!role) throw failure('usage', 'use wants the name or the ARN of a role', { hint: 'cloudtoken roles' })
  return await change(flags, 'use', role)
}

async function change(flags: Flags, command: 'refresh' | 'use', argument?: string): Promise<number> {
  const { file } = await meant(flags)
  await askDaemon(file, command, argument)
  const { status } = await meant(flags, file)
  const log = createLog()
  if (flags['json']) log.print(JSON.stringify(status, undefined, 2))
  else log.print(`Using role ${status.role}, until ${when(status.expiration, Date.now())}`)
  return 0
}

export async function meant(flags: Flags, file?: string): Promise<FoundDaemon> {
  const settings = optionsOnly(flags, process.env)
  const listen = typeof flags['listen'] === 'string' ? parseListen(flags['listen']) : undefined
  const paths = findPaths(process.env, settings.configDir)
  if (file === undefined) return await findDaemon(process.env, paths, listen)
  const status = (await askDaemon(file, 'status')) as DaemonStatus
  return { file, status }
}

/** What people read: one fact a line, times of this machine. */
function statusLines(status: DaemonStatus, now: number): string[] {
  const rows: [name: string, value: string | undefined][] = [
    ['address', status.url],
    ['state', states[status.state]],
    ['role', status.role ?? 'none yet'],
    ['credentials', status.expiration === null ? undefined : `until ${when(status.expiration, now)}`],
    ['next renewal', status.nextRenewal === null ? undefined : when(status.nextRenewal, now)],
    ['IdP session', status.idpSessionEnd === null ? undefined : `until ${when(status.idpSessionEnd, now)}`],
    ['last error', status.lastError ?? undefined],
    ['secrets', status.secretStore ? `kept ${placeNames[status.secretStore]}` : undefined],
    ...(status.container ?? []).map(({ uri, file }): [string, string] => ['container', `${uri}, token in ${file}`]),
    ['simulated', simulatedTexts(status.simulated ?? null, now).join('; ') || undefined],
    ...(status.grants ?? []).map(({ role, until, narrowed, file }): [string, string] => [
      'granted',
      `${role}${narrowed ? ', with a policy' : ''}${until === null ? '' : `, until ${when(until, now)}`}, in ${file}`,
    ]),
    ...(status.clients ?? [])
      .slice(0, 5)
      .map(({ program, uid, reads, last }): [string, string] => [
        'read by',
        `${program ?? (uid === null ? 'an unknown program' : `user id ${uid}`)}, ${reads === 1 ? 'once' : `${reads} times`}, last ${when(last, now)}`,
      ]),
    ['requests', String(status.requests)],
    ['process', `${status.pid}, since ${when(status.started, now)}, version ${status.version}`],
  ]
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [`${`${name}:`.padEnd(14)}${value}`]))
}

/** One text for each thing that is made up. */
export function simulatedTexts(simulated: SimulationStatus | null, now: number): string[] {
  const { 'spot-interruption': spot, rebalance, maintenance, expiry, slow, error, tags } = simulated ?? {}
  const userData = simulated?.['user-data']
  return [
    spot && `spot interruption, ${spot.action} at ${when(spot.time, now)}`,
    rebalance && `rebalance recommendation of ${when(rebalance.time, now)}`,
    maintenance && `maintenance event ${maintenance.code}, from ${when(maintenance.from, now)}`,
    expiry && `credentials that end at ${when(expiry.time, now)}`,
    slow && `every answer ${slow.milliseconds} ms later`,
    error && `every answer ${error.status}${error.until === undefined ? '' : `, until ${when(error.until, now)}`}`,
    userData && `user data of ${userData.bytes} bytes`,
    tags && `tags ${Object.keys(tags).join(', ')}`,
  ].filter(text => text !== undefined)
}

const states: Readonly<Record<DaemonStatus['state'], string>> = {
  'signing-in': 'waits for the sign-in',
  serving: 'serving',
  retrying: 'serving; the last renewal failed and is tried again',
  'needs-person': 'a person is needed: run cloudtoken in a terminal and sign in',
}

/** `14:05 (in 52 min)`, with the date when it is another day. */
function when(text: string | null, now: number): string {
  const date = new Date(text ?? '')
  const seconds = Math.round(Math.abs(date.getTime() - now) / 1000)
  const minutes = Math.round(seconds / 60)
  const span =
    seconds < 60
      ? `${seconds} s`
      : minutes < 100
        ? `${minutes} min`
        : minutes < 3000
          ? `${Math.round(minutes / 60)} h`
          : `${Math.round(minutes / 1440)} days`
  return `${localTime(date, now)} (${date.getTime() < now ? `${span} ago` : `in ${span}`})`
}
