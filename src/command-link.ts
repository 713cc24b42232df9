/**
 * `link up|down|status`: the link-local address alone, to be set up once for daemons that then need no root.
 */
import type { Flags } from './command-context.ts'
import { failure } from './errors.ts'
import { addAddress, linkStatus, metadataAddress, removeAddress, repair, type LinkStatus } from './linklocal.ts'
import { createLog } from './log.ts'

export async function linkCommand(flags: Flags, verb: string | undefined): Promise<number> {
  const log = createLog()
  const say = (result: object, words: string): void => log.print(flags['json'] ? JSON.stringify(result) : words)
  if (verb === 'up') {
    const { added, device } = await addAddress(metadataAddress, undefined, { keep: true })
    const words = added ? `${metadataAddress} is now on ${device}` : `${metadataAddress} was on ${device} already`
    say({ address: metadataAddress, device, added }, words)
    return 0
  }
  if (verb === 'down') {
    const repaired = await repair()
    const { removed } = await removeAddress(metadataAddress)
    const gone = removed || repaired.includes(metadataAddress)
    const words = gone
      ? `${metadataAddress} has been removed`
      : `${metadataAddress} is not ours to remove, or not there`
    say({ address: metadataAddress, removed: gone }, words)
    return 0
  }
  if (verb === 'status') {
    const status = await linkStatus(metadataAddress)
    say(status, describe(status))
    return 0
  }
  throw failure('usage', 'link wants up, down or status', { hint: 'cloudtoken link status' })
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
