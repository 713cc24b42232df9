/**
 * Who may ask. Runs first, on the request as it came in: the caller's address as the kernel reports it, then the
 * exact Host, then the headers that only browsers and forwarding proxies send. A web page can reach this port, by
 * its address or by DNS rebinding; it can neither choose its Host nor hide that it is a page.
 */
import ipaddr from 'ipaddr.js'
import { failure } from './errors.ts'

/** `undefined` lets the request pass. */
export type Guard = (request: Request, peer: string) => Response | undefined

export interface Listen {
  /** IPv6 without brackets. */
  readonly hostname: string
  readonly port: number
}

export interface GuardOptions {
  /** Where the service listens: that address may ask, and its Host is good. */
  readonly listen: Listen
  /** `--allow-from`: addresses and CIDR ranges, IPv4 and IPv6. */
  readonly allowFrom?: readonly string[]
  /** `--allow-host`: `NAME` (then with the port of the service as well) or `NAME:PORT`. */
  readonly allowHosts?: readonly string[]
  /** Not the metadata service: its link-local addresses are no names of this one. */
  readonly ownNamesOnly?: boolean
  /** Told once for each different reason. */
  onRefuse?(reason: string, hint?: string): void
}

type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

/** Fails with `config` for a range or a name that is none. */
export function createGuard(options: GuardOptions): Guard {
  const isAllowedPeer = createPeerCheck(options.listen, (options.allowFrom ?? []).map(parseRange))
  const hosts = allowedHosts(options.listen, options.allowHosts ?? [], options.ownNamesOnly ? [] : metadataHosts)
  const report = once(options.onRefuse)
  return (request, peer) => {
    if (!isAllowedPeer(peer)) {
      const address = plainAddress(peer)
      report(`request from ${address} refused`, `--allow-from ${address}`)
      return refuse(401, `Request denied from IP address ${address}`)
    }
    const { headers, method } = request
    // One look at the few names that came is cheaper than a question for each. Present is enough: the value may be empty.
    let host = ''
    let foreign: string | undefined
    headers.forEach((value, name) => {
      if (name === 'host') host = value
      else if (foreignHeaders.has(name)) foreign ??= name
    })
    if (!hosts.has(host) && !hosts.has(host.toLowerCase())) {
      const name = /^[\w.:[\]-]{1,253}$/.test(host) ? host : undefined
      report(`request for host ${name ?? 'that is no host name'} refused`, name && `--allow-host ${name}`)
      return refuse(403)
    }
    if (foreign !== undefined) {
      report(`request with header ${foreign} refused: it comes from a web page or through a proxy`)
      return refuse(403)
    }
    return method === 'CONNECT' || method === 'TRACE' ? refuse(405) : undefined
  }
}

/** No AWS client sends any of these. */
const foreignHeaders: ReadonlySet<string> = new Set([
  'origin',
  'referer',
  'sec-fetch-site',
  'sec-fetch-mode',
  'sec-fetch-dest',
  'sec-fetch-user',
  'sec-fetch-storage-access',
  'x-forwarded-for',
  'forwarded',
  'via',
])

/** Loopback, the address listened on (whence local callers of it come, on Linux), and the ranges allowed. */
function createPeerCheck(listen: Listen, ranges: readonly Range[]): (peer: string) => boolean {
  const own = ipaddr.isValid(listen.hostname) ? ipaddr.process(listen.hostname) : undefined
  const check = (peer: string): boolean => {
    if (!ipaddr.isValid(peer)) return false
    const address = ipaddr.process(peer)
    if (address.range() === 'loopback' || address.toString() === own?.toString()) return true
    return ranges.some(range => address.kind() === range[0].kind() && address.match(range[0], range[1]))
  }
  // Few callers, many requests.
  const known = new Map<string, boolean>()
  return peer => {
    let allowed = known.get(peer)
    if (allowed === undefined) {
      allowed = check(peer)
      if (known.size >= 1024) known.clear()
      known.set(peer, allowed)
    }
    return allowed
  }
}

function parseRange(text: string): Range {
  const [address = '', bits, rest] = text.trim().split('/')
  const strict = ipaddr.IPv4.isValidFourPartDecimal(address) || ipaddr.IPv6.isValid(address)
  if (strict && rest === undefined && (bits === undefined || /^\d{1,3}$/.test(bits))) {
    const parsed = ipaddr.parse(address)
    const size = parsed.kind() === 'ipv4' ? 32 : 128
    const length = bits === undefined ? size : Number(bits)
    const mapped = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress()
    if (length <= size && mapped && length >= 96) return [parsed.toIPv4Address(), length - 96]
    if (length <= size) return [parsed, length]
  }
  const hint = '--allow-from 172.17.0.0/16'
  throw failure('config', `${JSON.stringify(text)} is not a range of addresses`, { hint })
}

/** Addresses cannot be rebound, so both link-local ones are good on every port: a packet filter may have sent their port here. */
const metadataHosts = ['169.254.169.254', '169.254.169.254:80', '[fd00:ec2::254]', '[fd00:ec2::254]:80'] as const

/** The names of the service, literally. */
function allowedHosts(
  { hostname, port }: Listen,
  more: readonly string[],
  known: readonly string[],
): ReadonlySet<string> {
  const hosts = new Set(known)
  const add = (name: string): void => {
    hosts.add(`${name}:${port}`)
    if (port === 80) hosts.add(name)
  }
  for (const name of ['127.0.0.1', 'localhost', '[::1]']) add(name)
  // A wildcard is no name, and pages reach `0.0.0.0` by it.
  if (!['0.0.0.0', '::'].includes(hostname)) add((hostname.includes(':') ? `[${hostname}]` : hostname).toLowerCase())
  for (const text of more) {
    const host = text.trim().toLowerCase()
    if (!/^(?:[a-z0-9](?:[\w.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/.test(host)) {
      const hint = '--allow-host host.docker.internal'
      throw failure('config', `${JSON.stringify(text)} is not a host name`, { hint })
    }
    hosts.add(host)
    if (!/:\d+$/.test(host)) hosts.add(`${host}:${port}`)
  }
  return hosts
}

/** IPv4 callers of an IPv6 socket are shown as what they are. */
function plainAddress(peer: string): string {
  return ipaddr.isValid(peer) ? ipaddr.process(peer).toString() : 'unknown'
}

/** Nothing of ours, and no `Access-Control-*`, ever. */
function refuse(status: number, text = ''): Response {
  const headers = { 'Content-Type': 'text/plain', 'Content-Length': String(text.length), Connection: 'close' }
  return new Response(text, { status, headers })
}

/** The first hundred different ones, each once. */
export function once(report: GuardOptions['onRefuse']): (reason: string, hint?: string) => void {
  const seen = new Set<string>()
  return (reason, hint) => {
    if (!report || seen.has(reason) || seen.size >= 100) return
    seen.add(reason)
    report(reason, hint)
  }
}
