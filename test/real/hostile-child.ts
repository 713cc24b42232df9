/**
 * Connections that mean no good, from a process of their own: `bun hostile-child.ts KIND PORT`. Prints `ready` when the attack
 * is on, goes on until its stdin ends, then prints every byte it was ever answered, as far as it fits.
 */
import { connect, type Socket } from 'node:net'
import process from 'node:process'

const [kind = '', port = ''] = process.argv.slice(2)
const secret = '/latest/meta-data/iam/security-credentials/Read-Only-Role'
const own = `127.0.0.1:${port}`
const get = (path: string, host = own): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n`

const kept = 1_000_000
let heard = ''
const sockets = new Set<Socket>()
/** Those that are closed again are counted, too. */
let opened = 0

/** Opens one; comes back when it stands. Whatever becomes of it later is no error. */
function open(begin = ''): Promise<Socket> {
  return new Promise(resolve => {
    const socket = connect(Number(port), '127.0.0.1', () => {
      opened += 1
      resolve(socket)
    })
    sockets.add(socket)
    socket.setEncoding('latin1').on('data', (text: unknown) => {
      if (heard.length < kept) heard += String(text)
    })
    socket.on('error', () => resolve(socket))
    socket.on('close', () => sockets.delete(socket))
    if (begin !== '') socket.write(begin)
  })
}

async function crowd(count: number, begin = ''): Promise<Socket[]> {
  const all: Socket[] = []
  while (all.length < count) {
    all.push(...(await Promise.all(Array.from({ length: Math.min(500, count - all.length) }, () => open(begin)))))
  }
  return all
}

/** Again and again, on as many connections, each new when the last was closed. */
async function storm(connections: number, attack: (socket: Socket) => void): Promise<void> {
  const one = async (): Promise<void> => {
    const socket = await open()
    socket.once('close', () => setTimeout(() => void one(), 20))
    attack(socket)
  }
  await Promise.all(Array.from({ length: connections }, one))
}

/** Writes as fast as the other side takes it. */
function pour(socket: Socket, text: string): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(text));
  }
  socket.on('drain', more)
  more()
}

const attacks: Readonly<Record<string, () => Promise<unknown>>> = {
  'idle connections': () => crowd(10_000),
  'half requests': async () => {
    const all = await crowd(2000, get(secret, 'evil.example'))
    // A byte a second, for ever.
    setInterval(() => all.forEach(socket => socket.destroyed || socket.write('a')), 1000)
  },
  'slow readers': async () => {
    const all = await crowd(200)
    for (const socket of all) {
      socket.pause()
      pour(socket, `${get('/latest/meta-data')}\r\n`.repeat(50))
    }
  },
  pipelining: () => storm(20, socket => pour(socket, `${get(secret, 'evil.example')}\r\n`.repeat(50))),
  'forged hosts': () =>
    storm(50, socket => {
      socket.write(`${get(secret, 'evil.example')}Connection: close\r\n\r\n`)
    }),
  'header floods': () =>
    storm(20, socket => {
      socket.write(get(secret, 'evil.example'))
      pour(socket, 'X-Flood: 1\r\n'.repeat(500))
    }),
  'giant headers': () =>
    storm(20, socket => {
      socket.write(`${get(secret, 'evil.example')}X-Long: `)
      pour(socket, 'a'.repeat(50_000))
    }),
  'endless bodies': () =>
    storm(20, socket => {
      socket.write(`PUT /latest/api/token HTTP/1.1\r\nHost: ${own}\r\nTransfer-Encoding: chunked\r\n\r\n`)
      pour(socket, `2710\r\n${'a'.repeat(10_000)}\r\n`)
    }),
}

await attacks[kind]?.()
process.stdout.write(`ready ${sockets.size} ${opened}\n`)
process.stdin.resume().on('end', () => {
  process.stdout.write(heard, () => process.exit(0))
})
