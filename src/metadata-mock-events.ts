/**
 * The events that a configuration of amazon-ec2-metadata-mock describes, as simulations.
 */
import { toTimestamp } from './metadata-document.ts'
import { maintenanceCodes, spotActions, type Simulated } from './metadata-simulated.ts'

export type Entries = Readonly<Record<string, unknown>>

export interface MockReader {
  wrong(message: string): Error
  /** Fails for anything else. */
  object(value: unknown, name: string): Entries
}

/** Seconds after the start. */
export function readDelay(top: Entries, { wrong }: MockReader, now: Date): number {
  const trigger = top['mock-trigger-time']
  if (trigger !== undefined && trigger !== '') {
    const at = Date.parse(String(trigger))
    if (Number.isNaN(at)) throw wrong('mock-trigger-time is no time')
    return Math.max(0, Math.ceil((at - now.getTime()) / 1000))
  }
  const delay = Number(top['mock-delay-sec'] ?? 0)
  if (!Number.isSafeInteger(delay) || delay < 0) throw wrong('mock-delay-sec is no number of seconds')
  return delay
}

/** `begin` is when they begin, `id` the name of the maintenance event. */
export function readEvents(top: Entries, reader: MockReader, begin: Date, id: string | undefined): Simulated {
  const { object, wrong } = reader
  const time = (section: Entries, name: string, days: number): string => {
    const given = section[name]
    const at = given === undefined || given === '' ? begin.getTime() + 86_400_000 * days : Date.parse(String(given))
    if (Number.isNaN(at)) throw wrong(`${name} is no time`)
    return toTimestamp(new Date(at))
  }
  const word = (section: Entries, name: string, values: readonly string[]): string => {
    const given = String(section[name] ?? values[0])
    if (!values.includes(given)) throw wrong(`${name} is not one of ${values.join(', ')}`)
    return given
  }
  const known = (section: string, names: readonly string[]): Entries | undefined => {
    if (top[section] === undefined) return undefined
    const entries = object(top[section], section)
    const odd = Object.keys(entries).find(name => !names.includes(name))
    if (odd !== undefined) throw wrong(`unknown key ${section}.${odd}`)
    return entries
  }
  // The older name, and its older key.
  const spot = known('spot', ['action', 'time', 'rebalance-rec-time']) ?? known('spot-itn', ['instance-action', 'time'])
  const events = known('events', ['code', 'state', 'not-before', 'not-after', 'not-before-deadline'])
  return {
    ...(spot && {
      'spot-interruption': {
        action: word(spot, 'action' in spot ? 'action' : 'instance-action', spotActions),
        time: time(spot, 'time', 2 / 1440),
      },
      rebalance: { time: time(spot, 'rebalance-rec-time', 0) },
    }),
    ...(events && {
      maintenance: {
        code: word(events, 'code', maintenanceCodes),
        state: word(events, 'state', ['active', 'completed', 'canceled']),
        from: time(events, 'not-before', 0),
        to: time(events, 'not-after', 7),
        deadline: time(events, 'not-before-deadline', 9),
        ...(id !== undefined && { id }),
      },
    }),
  }
}
