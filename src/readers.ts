/**
 * Who may read the credentials: on Linux the kernel tells whose socket is at the other end of a connection on this
 * machine. Other users of it get nothing, and every read leaves a line.
 */
import { readdir, readFile, readlink } from 'node:fs/promises'
import process from 'node:process'
import ipaddr from 'ipaddr.js'
import type { Listen } from './guard.ts'

export interface Caller {
  readonly address: string
  readonly port: number
}

export interface Read {
  readonly caller: Caller
  /** Unknown for callers on other machines, and where the system does not tell. */
  readonly uid?: number
  readonly program?: string
  readonly allowed: boolean
}

export interface ReadersOptions {
  readonly listen: Listen
  /** User ids beside root's. */
  readonly allowed: ReadonlySet<number>
  readonly platform?: NodeJS.Platform
  /** False where nobody wants to know which program it is: that costs more than all else. */
  readonly named?: boolean
  /** The tables of TCP sockets, IPv4 and IPv6, as one text. */
  readonly tables?: () => Promise<string>
}

/** Says who asks and whether they may; never cached, since the same port may be another's a moment later. */
export type Readers = (caller: Caller) => Promise<Read>

export function createReaders(options: ReadersOptions): Readers {
  const { listen, allowed, platform = process.platform, named = true } = options
  const rows = rowsTo(listen)
  const read = options.tables ?? readTables
  const tables = shared(async () => parseTables(await read(), rows))
  /** By the inode of their socket: a kept connection is looked up once. */
  const programs = new Map<string, string | undefined>()
  let lookFrom = 0

  async function owner(caller: Caller): Promise<Socket | undefined> {
    const table = await tables()
    const sockets = hexForms(caller.address, caller.port).flatMap(local => table.get(local) ?? [])
    return sockets.find(({ uid }) => !isAllowed(uid)) ?? sockets[0]
  }

  function isAllowed(uid: number): boolean {
    return uid === 0 || allowed.has(uid)
  }

  /** Best effort: one at a time, not for longer than nobody would notice, and for a tenth of the time at most. */
  async function program(inode: string): Promise<string | undefined> {
    const start = performance.now()
    if (programs.has(inode) || start < lookFrom) return programs.get(inode)
    lookFrom = Number.POSITIVE_INFINITY
    if (programs.size >= 1000) programs.clear()
    const search = programOf(inode).then(name => {
      programs.set(inode, name)
      lookFrom = performance.now() + 10 * (performance.now() - start)
      return name
    })
    return await Promise.race([search, new Promise<undefined>(resolve => setTimeout(resolve, 25, undefined))])
  }

  return async caller => {
    if (platform !== 'linux') return { caller, allowed: true }
    // The table is no snapshot: a row can be missed while others come and go.
    const socket = (await owner(caller)) ?? (await owner(caller)) ?? (await owner(caller))
    if (!socket) return { caller, allowed: !isLocal(caller.address, listen) }
    const name = named && isAllowed(socket.uid) ? await program(socket.inode) : undefined
    return { caller, uid: socket.uid, allowed: isAllowed(socket.uid), ...(name && { program: name }) }
  }
}

interface Socket {
  readonly uid: number
  readonly inode: string
}

/** One reading for all who wait, begun after the last of them came: what it shows is then true for all. */
function shared<T>(read: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> = Promise.resolve()
  let next: Promise<T> | undefined
  return () => {
    next ??= running.then(() => {
      next = undefined
      const reading = read()
      running = reading.catch(() => {})
      return reading
    })
    return next
  }
}

async function readTables(): Promise<string> {
  const [four, six] = await Promise.all([
    readFile('/proc/net/tcp', 'latin1'),
    readFile('/proc/net/tcp6', 'latin1').catch(() => ''),
  ])
  return four + six
}

type Sockets = ReadonlyMap<string, readonly Socket[]>

/**
 * The rows whose remote end is ours, by their local end: proc_net(5). Sockets that nobody holds any more have no inode,
 * and the user id of root.
 */
function parseTables(table: string, ends: RegExp): Sockets {
  const sockets = new Map<string, Socket[]>()
  for (const [, local = '', uid = '', inode = '0'] of table.matchAll(ends)) {
    if (inode !== '0') sockets.set(local, [...(sockets.get(local) ?? []), { uid: Number(uid), inode }])
  }
  return sockets
}

const metadataAddresses = ['169.254.169.254', 'fd00:ec2::254']

/** Rows of local callers, by where they think they are connected to; a packet filter may have sent 169.254.169.254 here. */
function rowsTo({ hostname, port }: Listen): RegExp {
  const anywhere = !ipaddr.isValid(hostname) || ipaddr.process(hostname).range() === 'unspecified'
  const own = anywhere ? [`[0-9A-F]+:${portHex(port)}`] : hexForms(hostname, port)
  const known = metadataAddresses.flatMap(address => [...hexForms(address, 80), ...hexForms(address, port)])
  const ends = [...own, ...known].join('|')
  // sl: local remote st tx:rx tr:when retransmits uid timeout inode
  return new RegExp(String.raw`: ([0-9A-F]+:[0-9A-F]{4}) (?:${ends}) \S+ \S+ \S+ \S+ +(\d+) +\d+ (\d+)`, 'g')
}

/** `0100007F:1F90`: words of four bytes, the last first. An IPv4 address may be that of an IPv6 socket. */
function hexForms(address: string, port: number): string[] {
  if (!ipaddr.isValid(address)) return []
  const plain = ipaddr.process(address)
  const six = plain.kind() === 'ipv4' ? ipaddr.parse(`::ffff:${plain.toString()}`) : plain
  const forms = plain.kind() === 'ipv4' ? [plain, six] : [six]
  return forms.map(form => `${wordsHex(form.toByteArray())}:${portHex(port)}`)
}

function wordsHex(bytes: readonly number[]): string {
  let text = ''
  for (let word = 0; word < bytes.length; word += 4) {
    for (const byte of bytes.slice(word, word + 4).reverse()) text += byte.toString(16).padStart(2, '0')
  }
  return text.toUpperCase()
}

function portHex(port: number): string {
  return port.toString(16).toUpperCase().padStart(4, '0')
}

function isLocal(address: string, { hostname }: Listen): boolean {
  if (!ipaddr.isValid(address)) return true
  const caller = ipaddr.process(address)
  return caller.range() === 'loopback' || [hostname, ...metadataAddresses].includes(caller.toString())
}

/** Newest first: who has just started is most often who asks. Only processes of our own user can be looked into. */
async function programOf(inode: string): Promise<string | undefined> {
  const wanted = `socket:[${inode}]`
  const pids = (await readdir('/proc').catch(() => [])).filter(name => /^\d+$/.test(name)).map(Number)
  for (const pid of pids.toSorted((a, b) => b - a)) {
    const folder = `/proc/${pid}/fd`
    const names = await readdir(folder).catch(() => [])
    const links = await Promise.all(names.map(name => readlink(`${folder}/${name}`).catch(() => '')))
    if (!links.includes(wanted)) continue
    const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
    return name.trim().replaceAll(/[^\w.+:@-]/g, '?') || undefined
  }
  return undefined
}
