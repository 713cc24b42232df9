/**
 * Whether this machine has an instance metadata service of its own. Taking its address would cut the whole machine off
 * from it: agents, cloud-init, the role of the instance.
 */
import { connect } from 'node:net'
import { readText } from './files.ts'

export interface ForeignDeps {
  /** The text of a file, `undefined` when it is not there or not for us. */
  readonly read: (file: string) => string | undefined
  /** Asks `address:80` for an IMDSv2 token. */
  readonly probe: (address: string, timeoutMs: number) => Promise<ProbeAnswer | undefined>
  /** True while a cloudtoken is known to have the address: then the one who answers is no stranger. */
  readonly ours: boolean
}

export interface ProbeAnswer {
  readonly status: number
  /** The `Server` header. */
  readonly server?: string
}

/**
 * A sentence fragment that says what was found, or `undefined`. The caller refuses, unless `--force`.
 *
 * EC2 names itself in the firmware tables (Nitro) or the hypervisor's (Xen): "Identify EC2 Linux instances" in the EC2
 * user guide. Other clouds, and instances without those tables, answer at the address.
 */
export async function detectForeignMetadata(
  address: string,
  overrides: Partial<ForeignDeps> = {},
): Promise<string | undefined> {
  const { read, probe, ours }: ForeignDeps = { read: readOrNothing, probe: probeMetadata, ours: false, ...overrides }
  const says = (file: string, pattern: RegExp): boolean => pattern.test(read(file)?.trim() ?? '')
  if (
    says('/sys/class/dmi/id/sys_vendor', /^Amazon EC2$/) ||
    says('/sys/class/dmi/id/board_asset_tag', /^i-[0-9a-f]{8,}$/) ||
    says('/sys/hypervisor/uuid', /^ec2/i)
  ) {
    return 'this machine is an EC2 instance, which has its own instance metadata'
  }
  if (ours) return undefined
  const answer = await probe(address, 300)
  if (!answer || !isService(answer.status)) return undefined
  return `something already answers at http://${address}${answer.server ? ` (${answer.server})` : ''}`
}

/** A captive portal redirects and a transparent proxy reports a bad gateway; neither is a metadata service. */
function isService(status: number): boolean {
  return (status >= 200 && status < 300) || (status >= 400 && status < 500 && status !== 407)
}

/** One PUT by hand: no proxy, no redirect, and no more than 4 KiB of whatever is there. */
export function probeMetadata(address: string, timeoutMs: number, port = 80): Promise<ProbeAnswer | undefined> {
  return new Promise(resolve => {
    const name = address.includes(':') ? `[${address}]` : address
    const host = port === 80 ? name : `${name}:${port}`
    const socket = connect({ host: address, port })
    const timer = setTimeout(finish, timeoutMs)
    let text = ''
    function finish(): void {
      clearTimeout(timer)
      socket.destroy()
      resolve(parseAnswer(text))
    }
    socket.setEncoding('latin1')
    socket.on('connect', () => {
      socket.write(
        `PUT /latest/api/token HTTP/1.1\r\nHost: ${host}\r\nX-aws-ec2-metadata-token-ttl-seconds: 1\r\n` +
          'Content-Length: 0\r\nConnection: close\r\n\r\n',
      )
    })
    socket.on('data', chunk => {
      text += chunk
      if (text.includes('\r\n\r\n') || text.length > 4096) finish()
    })
    socket.on('error', finish)
    socket.on('close', finish)
  })
}

function parseAnswer(text: string): ProbeAnswer | undefined {
  const status = text.match(/^HTTP\/1\.[01] (\d{3})/)?.[1]
  if (status === undefined) return undefined
  const server = text.match(/^server:[ \t]*([\w ./-]{1,60})/im)?.[1]?.trim()
  return { status: Number(status), ...(server && { server }) }
}

function readOrNothing(file: string): string | undefined {
  try {
    return readText(file)
  } catch {
    return undefined
  }
}
