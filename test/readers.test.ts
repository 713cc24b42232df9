import { afterEach, describe, expect, test } from 'bun:test'
import { connect, createServer, type Server, type Socket } from 'node:net'
import process from 'node:process'
import { createReaders, type ReadersOptions } from '../src/readers.ts'

const listen = { hostname: '127.0.0.1', port: 8080 }
const header = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'

function row(local: string, remote: string, state: string, uid: number, inode: number): string {
  return `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000 ${uid}        0 ${inode} 1 0000 20 4 30 10 -1\n`
}

const allowed: ReadonlySet<number> = new Set([1000])
const readers = (text: string, more: Partial<ReadersOptions> = {}) =>
  createReaders({ listen, allowed, platform: 'linux', tables: () => Promise.resolve(header + text), ...more })
const caller = { address: '127.0.0.1', port: 0xc351 }
const ours = '0100007F:1F90'

describe('readers by the table', () => {
  test.each([
    ['our own user', row('0100007F:C351', ours, '01', 1000, 5), { uid: 1000, allowed: true }],
    ['root', row('0100007F:C351', ours, '01', 0, 5), { uid: 0, allowed: true }],
    ['another user', row('0100007F:C351', ours, '01', 1001, 5), { uid: 1001, allowed: false }],
    ['a socket that nobody holds', row('0100007F:C351', ours, '06', 0, 0), { allowed: false }],
    ['the same port to another service', row('0100007F:C351', '0100007F:1F91', '01', 1000, 5), { allowed: false }],
    ['our end of the connection', row(ours, '0100007F:C351', '01', 1000, 5), { allowed: false }],
    ['nobody', '', { allowed: false }],
    [
      'an IPv4 address in an IPv6 socket',
      row('0000000000000000FFFF00000100007F:C351', '0000000000000000FFFF00000100007F:1F90', '01', 1001, 5),
      { uid: 1001, allowed: false },
    ],
    [
      'two users at once',
      row('0100007F:C351', ours, '01', 1000, 5) +
        row('0000000000000000FFFF00000100007F:C351', '0000000000000000FFFF00000100007F:1F90', '01', 1001, 6),
      { uid: 1001, allowed: false },
    ],
    [
      'a connection that a packet filter turned',
      row('0100007F:C351', 'FEA9FEA9:0050', '01', 1000, 5),
      { allowed: true },
    ],
  ])('%s', async (_, text, expected) => {
    const read = await readers(text)(caller)
    expect(read).toMatchObject(expected)
    expect(read.uid).toBe((expected as { uid?: number }).uid ?? read.uid)
  })

  test('callers on other machines are the guard’s business, and so is everybody where the system does not tell', async () => {
    expect((await readers('')({ address: '172.17.0.2', port: 1 })).allowed).toBe(true)
    expect((await readers('', { platform: 'darwin' })(caller)).allowed).toBe(true)
    expect((await readers('')({ address: '', port: 0 })).allowed).toBe(false)
  })

  test('a table that was begun before the request came says nothing about it', async () => {
    const begun: number[] = []
    let requests = 0
    const check = readers('', {
      tables: async () => {
        begun.push(requests)
        await Bun.sleep(5)
        return header + row('0100007F:C351', ours, '01', 1000, 5)
      },
    })
    const reads: Promise<unknown>[] = []
    for (let turn = 0; turn < 20; turn += 1) {
      requests += 1
      reads.push(check(caller))
      await Bun.sleep(1)
    }
    await Promise.all(reads)
    // The last table was begun when all of them were there; together they needed far fewer than one each.
    expect(begun.at(-1)).toBe(20)
    expect(begun.length).toBeLessThan(20)
  })
})

describe.skipIf(process.platform !== 'linux')('readers by the kernel', () => {
  let server: Server | undefined
  let socket: Socket | undefined
  afterEach(() => {
    socket?.destroy()
    server?.close()
  })

  test.each([['127.0.0.1'], ['::1']])('this process at %s, with its name', async hostname => {
    server = createServer(() => {})
    await new Promise<void>(resolve => server?.listen(0, hostname, resolve))
    const address = server.address()
    const port = typeof address === 'object' && address ? address.port : 0
    socket = connect(port, hostname)
    await new Promise(resolve => socket?.once('connect', resolve))
    const own = process.geteuid?.() ?? 0
    const check = createReaders({ listen: { hostname, port }, allowed: new Set([own]) })
    const read = await check({ address: hostname, port: socket.localPort ?? 0 })
    expect(read).toMatchObject({ uid: own, allowed: true })
    expect(read.program ?? 'bun').toMatch(/bun/i)
    socket.destroy()
    await new Promise(resolve => socket?.once('close', resolve))
    expect((await check({ address: hostname, port: socket.localPort ?? 0 })).allowed).toBe(false)
  })
})
