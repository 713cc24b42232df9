/**
 * Identity provider and STS for the soak, in a process of their own, behind a network with weather: for some seconds
 * nobody answers, or the line is cut, or every byte takes its time. Says on its first line where they are; on stdin comes
 * `storm` or `calm`; its last line has what it counted.
 */
import { Buffer } from 'node:buffer'
import { connect, createServer, type Socket } from 'node:net'
import process from 'node:process'
import { startDemoIdp } from './demo-idp.ts'
import { startDemoSts } from './demo-sts.ts'
import { say } from './tools.ts'

type Weather = 'fair' | 'refuse' | 'silent' | 'cut' | 'slow'

const rough: readonly Weather[] = ['refuse', 'silent', 'cut', 'slow']
/** Shorter than what is left of a session when it is renewed. */
const longestStorm = 6000
const sessionSeconds = 120

export const roles: readonly string[] = Array.from({ length: 20 }, (_, index) => {
  return `arn:aws:iam::123456789012:role/soak-${index}`
})

/** Passes bytes on to `port` as the weather allows; answers with a port of its own. */
function weatherAt(port: number, weather: () => Weather): Promise<number> {
  const server = createServer(from => {
    const now = weather()
    from.on('error', () => {})
    if (now === 'refuse') return void from.destroy()
    if (now === 'silent') return
    const to = connect(port, '127.0.0.1')
    to.on('error', () => from.destroy())
    to.on('close', () => from.destroy())
    from.on('close', () => to.destroy())
    from.pipe(to)
    if (now === 'fair') to.pipe(from)
    else to.on('data', chunk => disturb(from, Buffer.from(chunk), now))
  })
  return new Promise(resolve =>
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : 0)
    }),
  )
}

function disturb(to: Socket, chunk: Uint8Array, weather: 'cut' | 'slow'): void {
  if (weather === 'slow') setTimeout(() => to.writable && to.write(chunk), 500 + Math.random() * 1500)
  else to.write(chunk.subarray(0, chunk.length / 2), () => to.destroy())
}

if (import.meta.main) {
  const idp = await startDemoIdp({ alice: { password: 'secret', roles } })
  const sts = await startDemoSts({ seconds: sessionSeconds })
  let weather: Weather = 'fair'
  let storms = 0
  let stormy = false
  const turn = (): void => {
    weather = weather === 'fair' && stormy ? (rough[Math.floor(Math.random() * rough.length)] ?? 'fair') : 'fair'
    if (weather !== 'fair') storms += 1
    // Now and then the session at the identity provider ends as well; the password is at hand.
    if (weather !== 'fair' && Math.random() < 0.2) idp.endSessions()
    setTimeout(turn, weather === 'fair' ? 2000 + Math.random() * 6000 : 500 + Math.random() * (longestStorm - 500))
  }
  turn()
  const through = async (origin: string): Promise<string> => {
    const port = await weatherAt(Number(new URL(origin).port), () => weather)
    return `http://127.0.0.1:${port}`
  }
  const url = idp.url.replace(idp.origin, await through(idp.origin))
  say(JSON.stringify({ url, sts: await through(sts.origin) }))
  process.stdin.setEncoding('utf8').on('data', text => (stormy = String(text).includes('storm')))
  process.stdin.on('end', () => {
    say(JSON.stringify({ renewals: sts.assumed().length, storms, passwords: idp.passwords() }))
    process.exit(0)
  })
}
