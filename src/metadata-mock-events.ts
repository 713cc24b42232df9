/**
 * The events that a configuration of amazon-ec2-metadata-mock describes, as simulations.
 */
import { awsTime } from './tokens.ts'
import { maintenanceCodes, spotActions, type Simulated } from './metadata-simulated.ts'

export type Entries = Readonly<Record<string, unknown>>

export interface MockReader {
  wrong(message: string): Error
  /** Fails for anything else. */
  object(value: unknown, name: string): Entries
}

/** What is to be simulated, and how long after the start. */
export interface Wanted {
  readonly simulated: Simulated
  readonly delaySeconds: number
}

/** `id` is the name of the maintenance event. The recommendation to rebalance has a delay of its own. */
export function readEvents(top: Entries, reader: MockReader, now: Date, id: string | undefined): Wanted[] {
  // The older name, and its older key.
  const spot = section(top, 'spot', ['action', 'time', 'rebalance-rec-time'], reader)
  const older = section(top, 'spot-itn', ['instance-action', 'time'], reader)
  const notice = spot ?? (older && { ...older, action: older['instance-action'] })
  const names = ['code', 'state', 'not-before', 'not-after', 'not-before-deadline']
  const events = section(top, 'events', names, reader)
  const delaySeconds = readDelay(top, 'mock', reader, now)
  const begin = new Date(now.getTime() + 1000 * delaySeconds)
  const rebalanceDelay = readDelay(top, 'rebalance', reader, now)
  const rebalanceBegin = new Date(now.getTime() + 1000 * rebalanceDelay)
  const simulated: Simulated = {
    ...(notice && {
      'spot-interruption': {
        action: readWord(notice, 'action', spotActions, reader),
        time: readTime(notice, 'time', begin, 120, reader),
      },
    }),
    ...(events && {
      maintenance: {
        code: readWord(events, 'code', maintenanceCodes, reader),
        state: readWord(events, 'state', ['active', 'completed', 'canceled'], reader),
        from: readTime(events, 'not-before', begin, 0, reader),
        to: readTime(events, 'not-after', begin, 7 * day, reader),
        deadline: readTime(events, 'not-before-deadline', begin, 9 * day, reader),
        ...(id !== undefined && { id }),
      },
    }),
  }
  const rebalance = notice && { time: readTime(notice, 'rebalance-rec-time', rebalanceBegin, 0, reader) }
  return [
    ...(Object.keys(simulated).length > 0 ? [{ simulated, delaySeconds }] : []),
    ...(rebalance ? [{ simulated: { rebalance }, delaySeconds: rebalanceDelay }] : []),
  ]
}

const day = 86_400

function section(
  top: Entries,
  name: string,
  known: readonly string[],
  { object, wrong }: MockReader,
): Entries | undefined {
  if (top[name] === undefined) return undefined
  const entries = object(top[name], name)
  const odd = Object.keys(entries).find(key => !known.includes(key))
  if (odd !== undefined) throw wrong(`unknown key ${name}.${odd}`)
  return entries
}

/** Seconds; a time that is given goes before. */
function readDelay(top: Entries, prefix: 'mock' | 'rebalance', { wrong }: MockReader, now: Date): number {
  const trigger = top[`${prefix}-trigger-time`]
  if (trigger !== undefined && trigger !== '') {
    const at = Date.parse(String(trigger))
    if (Number.isNaN(at)) throw wrong(`${prefix}-trigger-time is no time`)
    return Math.max(0, Math.ceil((at - now.getTime()) / 1000))
  }
  const delay = Number(top[`${prefix}-delay-sec`] ?? 0)
  if (!Number.isSafeInteger(delay) || delay < 0) throw wrong(`${prefix}-delay-sec is no number of seconds`)
  return delay
}

function readTime(entries: Entries, name: string, begin: Date, seconds: number, { wrong }: MockReader): string {
  const given = entries[name]
  const at = given === undefined || given === '' ? begin.getTime() + 1000 * seconds : Date.parse(String(given))
  if (Number.isNaN(at)) throw wrong(`${name} is no time`)
  return awsTime(new Date(at))
}

/** The first is meant where nothing is said. */
function readWord(entries: Entries, name: string, words: readonly string[], { wrong }: MockReader): string {
  const given = String(entries[name] ?? words[0])
  if (!words.includes(given)) throw wrong(`${name} is not one of ${words.join(', ')}`)
  return given
}
