/**
 * `simulate`: what the daemon is to make up, so that an application can be tested against it. Words are understood here,
 * strictly; the daemon gets finished values.
 */
import { Buffer } from 'node:buffer'
import type { Flags } from './command-context.ts'
import { meant, simulatedTexts } from './command-control.ts'
import { askDaemon } from './control.ts'
import type { SimulationStatus } from './daemon-simulation.ts'
import { failure } from './errors.ts'
import { readBytes } from './files.ts'
import { createLog } from './log.ts'
import { awsTime } from './tokens.ts'
import { simulationNames, type Simulated, type SimulationName, type SimulationOrder } from './metadata-simulated.ts'
import { longestUserData } from './metadata-values.ts'
import { unknownName } from './names.ts'

export async function simulateCommand(flags: Flags, words: readonly string[]): Promise<number> {
  const order = words.length === 0 ? {} : readWords(words, flags, Date.now())
  const { file } = await meant(flags)
  const simulated = (await askDaemon(file, 'simulate', JSON.stringify(order))) as SimulationStatus | null
  const log = createLog()
  if (flags['json']) log.print(JSON.stringify(simulated, undefined, 2))
  else for (const text of simulatedLines(simulated)) log.print(text)
  return 0
}

function simulatedLines(simulated: SimulationStatus | null): string[] {
  const texts = simulatedTexts(simulated, Date.now())
  return texts.length === 0 ? ['nothing is simulated'] : texts.map(text => `simulated: ${text}`)
}

/** The options that each takes. */
const ownOptions: Readonly<Partial<Record<SimulationName, readonly string[]>>> = {
  'spot-interruption': ['in', 'action'],
  maintenance: ['in', 'code'],
  expiry: ['in'],
}

/** Fails with `usage` for a word too many, too few, or unknown. `now` in milliseconds since the epoch. */
export function readWords(words: readonly string[], flags: Flags, now: number): SimulationOrder {
  const [what = '', ...rest] = words
  const name = simulationNames.find(each => each === what)
  for (const option of ['in', 'action', 'code']) {
    if (flags[option] === undefined || (name && ownOptions[name]?.includes(option))) continue
    const takers = simulationNames.filter(each => ownOptions[each]?.includes(option))
    throw failure('usage', `--${option} does not go with simulate ${what}`, {
      hint: `cloudtoken simulate ${takers[0]} --${option}`,
    })
  }
  if (what === 'off') return { end: rest.length === 0 ? simulationNames : rest.map(knownName) }
  return { begin: readers[knownName(what)](rest, flags, now) }
}

function knownName(word: string): SimulationName {
  const name = simulationNames.find(each => each === word)
  if (name) return name
  throw unknownName(`cannot simulate ${JSON.stringify(word)}`, word, [...simulationNames, 'off'], 'usage')
}

type Reader = (words: readonly string[], flags: Flags, now: number) => Simulated

const day = 86_400

const readers: Readonly<Record<SimulationName, Reader>> = {
  'spot-interruption': (words, flags, now) => {
    none('spot-interruption', words)
    return { 'spot-interruption': { action: String(flags['action'] ?? 'terminate'), time: later(now, flags, 120) } }
  },
  rebalance: (words, _, now) => {
    none('rebalance', words)
    return { rebalance: { time: time(now) } }
  },
  maintenance: (words, flags, now) => {
    none('maintenance', words)
    const from = later(now, flags, day)
    const to = time(Date.parse(from) + 1000 * 2 * 3600)
    return { maintenance: { code: String(flags['code'] ?? 'system-reboot'), from, to } }
  },
  expiry: (words, flags, now) => {
    none('expiry', words)
    return { expiry: { time: later(now, flags, 120) } }
  },
  slow: words => {
    const [text, ...more] = words
    none('slow MS', more)
    return { slow: { milliseconds: whole(text, 1, 60_000, 'cloudtoken simulate slow 1500') } }
  },
  error: (words, _, now) => {
    const example = 'cloudtoken simulate error 503 for 30'
    const [code, joint, seconds, ...more] = words
    none('error CODE for SECONDS', more)
    const status = whole(code, 400, 599, example)
    if (joint === undefined) return { error: { status } }
    if (joint !== 'for') throw failure('usage', `unexpected argument ${JSON.stringify(joint)}`, { hint: example })
    return { error: { status, until: time(now + 1000 * whole(seconds, 1, day, example)) } }
  },
  'user-data': words => {
    const [file, ...more] = words
    none('user-data FILE', more)
    if (file === undefined) throw failure('usage', 'no file is named', { hint: 'cloudtoken simulate user-data FILE' })
    const bytes = readBytes(file)
    if (!bytes) throw failure('usage', `no file ${file}`)
    if (bytes.length === 0 || bytes.length > longestUserData) {
      throw failure('usage', `${file} has ${bytes.length} bytes; user data has 1 to ${longestUserData}`)
    }
    return { 'user-data': { base64: Buffer.from(bytes).toString('base64') } }
  },
  tags: words => {
    const hint = 'cloudtoken simulate tags Name=web Stage=test'
    if (words.length === 0) throw failure('usage', 'no tag is named', { hint })
    const tags = words.map((word): [string, string] => {
      const [, key, value] = /^([^=]+)=(.+)$/s.exec(word) ?? []
      if (key === undefined || value === undefined)
        throw failure('usage', `${JSON.stringify(word)} is not KEY=VALUE`, { hint })
      // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/work-with-tags-in-IMDS.html
      if (!/^[\w+\-=.,@:]{1,128}$/.test(key) || /^(_index|\.{1,2})$/.test(key)) {
        throw failure('usage', `${JSON.stringify(key)} is no key of a tag that instance metadata shows`, { hint })
      }
      return [key, value]
    })
    return { tags: Object.fromEntries(tags) }
  },
}

function none(usage: string, words: readonly string[]): void {
  const [surplus] = words
  if (surplus === undefined) return
  throw failure('usage', `unexpected argument ${JSON.stringify(surplus)}`, { hint: `cloudtoken simulate ${usage}` })
}

function whole(text: string | undefined, least: number, most: number, hint: string): number {
  const number = /^\d{1,9}$/.test(text ?? '') ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  const what =
    text === undefined
      ? 'a number is missing'
      : `${JSON.stringify(text)} is not a whole number from ${least} to ${most}`
  throw failure('usage', what, { hint })
}

function later(now: number, flags: Flags, seconds: number): string {
  return time(now + 1000 * (typeof flags['in'] === 'number' ? flags['in'] : seconds))
}

function time(at: number): string {
  return awsTime(new Date(at))
}
