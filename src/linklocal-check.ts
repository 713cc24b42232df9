/**
 * Whether packets to the metadata address arrive at this process; and where they do not, what takes them away: a route of
 * a VPN, a packet filter, another program.
 */
import ipaddr from 'ipaddr.js'
import { probeMetadata, type ProbeAnswer } from './linklocal-foreign.ts'
import { linkDeps, runTool, type LinkDeps } from './linklocal-platform.ts'

/** Nothing where they arrive, else a sentence fragment that names the cause. `mark` is the `Server` of our own answers. */
export async function findDiversion(
  address: string,
  port: number,
  mark: string,
  deps: LinkDeps = linkDeps(),
): Promise<string | undefined> {
  const answer = await probeMetadata(address, 1000, port)
  return answer?.server === mark ? undefined : await findCause(address, answer, deps)
}

/** What takes packets to the address away from this process, when this is the answer that came; a sentence fragment. */
export async function findCause(
  address: string,
  answer: ProbeAnswer | undefined,
  deps: LinkDeps = linkDeps(),
): Promise<string> {
  const cause = (await routeAway(address, deps)) ?? (await filterRule(address, deps))
  if (cause) return cause
  if (!answer) return 'no answer comes back, as if a firewall stood in between'
  return `another program answers${answer.server ? ` (${answer.server})` : ''}, as if a packet filter led there`
}

/** A route to just this address that ours will hide while it is here. */
export async function findHiddenRoute(address: string, deps: LinkDeps = linkDeps()): Promise<string | undefined> {
  const family = address.includes(':') ? ['-6'] : []
  const text = await said(['ip', ...family, '-o', 'route', 'show', 'table', 'all', 'exact', address], deps)
  return lines(text).find(line => !/^(local|broadcast) |\bdev lo\b/.test(line))
}

async function routeAway(address: string, deps: LinkDeps): Promise<string | undefined> {
  const [line] = lines(await said(['ip', '-o', 'route', 'get', address], deps))
  if (line === undefined || line.startsWith('local ')) return undefined
  return `a route leads elsewhere: ${line.replace(/ (uid|cache)\b.*/, '')}`
}

/** Only root is shown the rules. */
async function filterRule(address: string, deps: LinkDeps): Promise<string | undefined> {
  const rule = findNftRule(await said(['nft', 'list', 'ruleset'], deps), address)
  const tables = address.includes(':') ? 'ip6tables' : 'iptables'
  const saved = await Promise.all([said([`${tables}-save`], deps), said([`${tables}-legacy-save`], deps)])
  return rule ?? findTablesRule(saved.join('\n'), address)
}

/** In the output of `nft list ruleset`: a rule that names the address, or a chain that drops what no rule lets pass. */
export function findNftRule(text: string, address: string): string | undefined {
  let [table, chain] = ['', '']
  let closed: string | undefined
  for (const line of lines(text)) {
    const [, kind, name = ''] = /^(table|chain) (.*) \{$/.exec(line) ?? []
    if (kind === 'table') table = name
    else if (kind === 'chain') chain = name
    else if (/hook (input|output|prerouting)\b.* policy drop/.test(line)) closed ??= `table ${table}, chain ${chain}`
    else if (/\b(drop|reject|dnat|redirect|tproxy)\b/.test(line) && names(line, address)) {
      const rule = line.replace(/ ?counter( packets \d+ bytes \d+)?/, '')
      return `a firewall rule takes it: nft table ${table}, chain ${chain}: ${rule}`
    }
  }
  return closed === undefined ? undefined : `a firewall drops it: nft ${closed}, policy drop`
}

/** The same for `iptables-save`. */
export function findTablesRule(text: string, address: string): string | undefined {
  let table = ''
  for (const line of lines(text)) {
    if (line.startsWith('*')) table = line.slice(1)
    if (/^-A .* -j (DROP|REJECT|DNAT|REDIRECT|TPROXY)/.test(line) && names(line, address)) {
      return `a firewall rule takes it: iptables -t ${table} ${line}`
    }
  }
  return undefined
}

/** Whether an address or a range of the line is, or holds, this one. */
function names(line: string, address: string): boolean {
  const wanted = ipaddr.parse(address)
  const words = line.match(/[0-9a-f]*[.:][0-9a-f.:]+(\/\d+)?/gi) ?? []
  return words.some(word => {
    const [text = '', bits] = word.split('/')
    if (!ipaddr.isValid(text) || bits === '0') return false
    const range = ipaddr.parse(text)
    if (range.kind() !== wanted.kind()) return false
    return wanted.match(range, bits === undefined ? (range.kind() === 'ipv4' ? 32 : 128) : Number(bits))
  })
}

/** Nothing where the tool is not there, or says no. */
async function said(line: readonly [string, ...string[]], deps: LinkDeps): Promise<string> {
  if (deps.platform !== 'linux') return ''
  const { code, stdout } = await runTool(line, deps).catch(() => ({ code: 1, stdout: '' }))
  return code === 0 ? stdout : ''
}

function lines(text: string): string[] {
  return text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
}
