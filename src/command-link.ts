/**
 * `link up|down|status`: the link-local addresses alone, to be set up once for daemons that then need no root.
 */
import process from 'node:process'
import type { Flags } from './command-context.ts'
import { failure, isFailure } from './errors.ts'
import {
  addAddress,
  linkStatus,
  metadataAddress,
  metadataAddress6,
  removeAddress,
  repair,
  type LinkStatus,
} from './linklocal.ts'
import { createLog } from './log.ts'

export async function linkCommand(verb: string | undefined, flags: Flags): Promise<number> {
  const work = verb !== undefined && Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
  if (!work) throw failure('usage', 'link wants up, down or status', { hint: 'cloudtoken link status' })
  const log = createLog()
  const repaired = verb === 'down' ? await repair() : []
  const done: Done[] = []
  for (const address of flags['ipv6'] ? [metadataAddress, metadataAddress6] : [metadataAddress]) {
    const each = await work(address, repaired).catch((error: unknown) => {
      if (!isFailure(error) || error.code !== 'address-privilege' || process.geteuid?.() === 0) throw error
      throw failure('address', error.message, { hint: `sudo cloudtoken link ${verb}`, code: error.code })
    })
    done.push(each)
    if (!flags['json']) log.print(each.words)
  }
  if (flags['json']) log.print(JSON.stringify(done.map(({ result }) => result)))
  return 0
}

/** The same for programs and for people. */
interface Done {
  readonly result: object
  readonly words: string
}

const verbs: Readonly<Record<string, (address: string, repaired: readonly string[]) => Promise<Done>>> = {
  async up(address) {
    const { added, device } = await addAddress(address, undefined, { keep: true })
    const words = added ? `${address} is now on ${device}` : `${address} was on ${device} already`
    return { result: { address, device, added }, words }
  },
  async down(address, repaired) {
    const { removed } = await removeAddress(address)
    const gone = removed || repaired.includes(address)
    const words = gone ? `${address} has been removed` : `${address} is not ours to remove, or not there`
    return { result: { address, removed: gone }, words }
  },
  async status(address) {
    const result = await linkStatus(address)
    return { result, words: describe(result) }
  },
}

function describe({ address, device, state, pid }: LinkStatus): string {
  const words: Readonly<Record<LinkStatus['state'], string>> = {
    absent: 'not on this machine',
    kept: `on ${device}, until cloudtoken link down`,
    'in-use': `on ${device}, for the cloudtoken with process id ${pid}`,
    'left-behind': `on ${device}, left behind by a cloudtoken that is gone; cloudtoken link down removes it`,
    foreign: `on ${device}, and not put there by cloudtoken`,
  }
  return `${address}: ${words[state]}`
}
