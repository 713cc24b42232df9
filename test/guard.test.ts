/** Who may ask, over real sockets. Numbers are those of the conformance list. */
import { afterAll, afterEach, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { createGuard } from '../src/guard.ts'
import { start as startProcess } from '../src/run.ts'
import { startMetadata } from './metadata-server.ts'
import { openRaw, raw, requestText } from './raw.ts'

const refusals: string[] = []
const service = await startMetadata({
  onRefuse: (reason, hint) => refusals.push(hint ? `${reason} · ${hint}` : reason),
})
const page = '/latest/meta-data/instance-id'
const secretPage = '/latest/meta-data/iam/security-credentials/Read-Only-Role'

afterEach(() => {
  refusals.length = 0
})

afterAll(() => service.stop())

describe('host', () => {
  test.each([
    ...[
      'evil.example',
      'evil.example:PORT',
      '169.254.169.254.evil.example',
      '169.254.169.254@evil',
      'evil@169.254.169.254',
    ],
    ...['127.0.0.1', 'localhost', '127.0.0.1:1', 'localhost:80', '0.0.0.0:PORT', '127.1:PORT', '2130706433:PORT'],
    ...[
      'localhost.:PORT',
      '169.254.169.254.',
      '169.254.169.254:8080',
      'x.localhost:PORT',
      '[::ffff:127.0.0.1]:PORT',
      '',
    ],
    ...['127.0.0.1:PORT, evil.example', '127.0.0.1:PORT/', 'http://127.0.0.1:PORT', '169.254.169.254 evil'],
  ])('#81 #82 Host: %s → refused, nothing said', async name => {
    const { status, text, headers } = await service.get(secretPage, {
      host: name.replace('PORT', String(service.port)),
    })
    expect(status).toBe(403)
    expect(text).toBe('')
    expect(headers).not.toHaveProperty('server')
  })

  test('#82 two Host headers → 4xx, in either order', async () => {
    for (const [first, second] of [
      ['169.254.169.254', 'evil.example'],
      ['evil.example', '169.254.169.254'],
      ['169.254.169.254', '169.254.169.254'],
    ]) {
      const { status, text } = await raw(
        service,
        `GET ${secretPage} HTTP/1.1\r\nHost: ${first}\r\nHost: ${second}\r\n\r\n`,
      )
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(500)
      expect(text).not.toContain('ASIA')
    }
  })

  test.each([
    ...['169.254.169.254', '169.254.169.254:80', '[fd00:ec2::254]', '[FD00:EC2::254]:80'],
    ...['127.0.0.1:PORT', 'localhost:PORT', 'LOCALHOST:PORT', '[::1]:PORT'],
  ])('#83 Host: %s → good', async name => {
    const { status } = await service.get(page, { host: name.replace('PORT', String(service.port)) })
    expect(status).toBe(200)
  })

  test('#81 the Host counts, not the target in absolute form', async () => {
    const { port } = service
    const foreign = await raw(service, `GET http://127.0.0.1:${port}${page} HTTP/1.1\r\nHost: evil.example\r\n\r\n`)
    expect(foreign.status).toBe(403)
  })

  test('--allow-host lets a name in, with the port of the service or its own', async () => {
    const other = await startMetadata({ allowHosts: ['host.docker.internal', 'Proxy.example:8080', '[fd00::1]:81'] })
    const status = async (host: string): Promise<number> => (await other.get(page, { host })).status
    try {
      expect(await status('host.docker.internal')).toBe(200)
      expect(await status(`host.docker.internal:${other.port}`)).toBe(200)
      expect(await status('host.docker.internal:1')).toBe(403)
      expect(await status('proxy.example:8080')).toBe(200)
      expect(await status('proxy.example')).toBe(403)
      expect(await status('[fd00::1]:81')).toBe(200)
      expect(await status('docker.internal')).toBe(403)
    } finally {
      await other.stop()
    }
  })

  test('a refusal is told once, with what would allow it', async () => {
    for (let turn = 0; turn < 3; turn += 1) await service.get(page, { host: 'told.example:9' })
    expect(refusals).toEqual(['request for host told.example:9 refused · --allow-host told.example:9'])
  })
})

describe('headers of pages and proxies', () => {
  test.each([
    ...['Origin: http://x', 'Origin: null', 'Origin:', 'Referer: http://127.0.0.1/', 'referer:'],
    ...[
      'Sec-Fetch-Site: cross-site',
      'Sec-Fetch-Site: same-origin',
      'Sec-Fetch-Mode: no-cors',
      'Sec-Fetch-Dest: image',
    ],
    ...[
      'Sec-Fetch-User: ?1',
      'X-Forwarded-For: 127.0.0.1',
      'X-Forwarded-For:',
      'Forwarded: for=127.0.0.1',
      'Via: 1.1 x',
    ],
    ...['Via:', 'X-FORWARDED-FOR: 1.2.3.4'],
  ])('#84 #85 #86 %s → refused on every path and method', async header => {
    for (const path of [page, secretPage, '/latest/meta-data', '/nothing']) {
      const { status, text } = await service.get(path, { headers: [header] })
      expect(status).toBe(403)
      expect(text).toBe('')
    }
    const headers = ['X-aws-ec2-metadata-token-ttl-seconds: 60', header]
    expect((await service.get('/latest/api/token', { method: 'PUT', headers })).status).toBe(403)
  })

  test('#79 the user agent of a browser alone is none of our business', async () => {
    const headers = ['User-Agent: Mozilla/5.0 (Windows NT; Windows NT 10.0) WindowsPowerShell/5.1', 'Accept: */*']
    expect((await service.get(page, { headers })).status).toBe(200)
  })

  test('#87 no answer grants anything to another origin', async () => {
    const preflight = ['Origin: http://x', 'Access-Control-Request-Method: PUT', 'Access-Control-Request-Headers: x']
    const answers = [
      await service.get('/latest/api/token', { method: 'OPTIONS', headers: preflight }),
      await service.get(page, { method: 'OPTIONS', headers: preflight.slice(1) }),
      await service.get(page, { headers: preflight.slice(0, 1) }),
      await service.get(page),
      await service.get('/nothing'),
      await service.get('/latest/api/token'),
      await service.get(page, { host: 'evil.example' }),
    ]
    for (const { headers, status } of answers) {
      expect(Object.keys(headers).filter(name => name.startsWith('access-control'))).toEqual([])
      expect([200, 403, 404, 405]).toContain(status)
    }
    expect(answers.slice(0, 3).map(answer => answer.status)).toEqual([403, 405, 403])
  })
})

describe('peer', () => {
  const guard = createGuard({
    listen: { hostname: '169.254.169.254', port: 80 },
    allowFrom: ['172.17.0.0/16', '10.1.2.3', 'fd12::/16', '::ffff:192.168.5.0/120'],
  })
  const request = new Request('http://169.254.169.254/', { headers: { host: '169.254.169.254' } })

  test.each([
    ...['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '169.254.169.254', '::ffff:169.254.169.254', '172.17.0.2'],
    ...['::ffff:172.17.255.255', '10.1.2.3', 'fd12:3::4', '192.168.5.77', '::ffff:192.168.5.1'],
  ])('%s may ask', peer => {
    expect(guard(request, peer)).toBeUndefined()
  })

  test.each([
    ...[
      '172.18.0.1',
      '10.1.2.4',
      '169.254.169.253',
      '169.254.169.255',
      '192.168.6.1',
      '::',
      '0.0.0.0',
      'fd13::1',
      'fe80::1',
    ],
    ...['8.8.8.8', '128.0.0.1', '', 'garbage', '::ffff:128.0.0.1'],
  ])('#88 %p may not', async peer => {
    const response = guard(request, peer)
    expect(response?.status).toBe(401)
    expect(await response?.text()).toStartWith('Request denied from IP address ')
  })

  test('an IPv4 caller of an IPv6 socket is named as what it is', async () => {
    expect(await guard(request, '::ffff:8.8.8.8')?.text()).toBe('Request denied from IP address 8.8.8.8')
  })

  test.each([
    ...[
      '',
      'x',
      '300.0.0.0/8',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      '10/8',
      '0x7f.1',
      '010.0.0.1/8',
    ],
    ...['fd00::/129', '10.0.0.0/8,11.0.0.0/8', '*', '::ffff:10.0.0.0/129'],
  ])('--allow-from %p fails at the start', text => {
    expect(() => createGuard({ listen: service, allowFrom: [text] })).toThrow(
      expect.objectContaining({ kind: 'config', message: `${JSON.stringify(text)} is not a range of addresses` }),
    )
  })

  test.each(['', '*', 'a b', 'http://x', 'x/y', 'x@y', '*.example', 'x:y', 'x:123456', '-x'])(
    '--allow-host %p fails',
    text => {
      expect(() => createGuard({ listen: service, allowHosts: [text] })).toThrow(
        expect.objectContaining({ kind: 'config' }),
      )
    },
  )

  const own = Object.values(networkInterfaces())
    .flat()
    .find(info => info?.family === 'IPv4' && !info.internal)?.address
  test.skipIf(own === undefined)('a wildcard does not open the door to the addresses of this machine', async () => {
    const open = await startMetadata({ listen: '0.0.0.0:0' })
    try {
      const target = { hostname: own ?? '', port: open.port }
      const { status, text } = await raw(target, requestText(target, page, { host: '169.254.169.254' }))
      expect([status, text]).toEqual([401, `Request denied from IP address ${own}`])
      const near = { hostname: '127.0.0.1', port: open.port }
      expect((await raw(near, requestText(near, page))).status).toBe(200)
    } finally {
      await open.stop()
    }
  })

  test('IPv6: one listener, named in brackets', async () => {
    const six = await startMetadata({ listen: '[::1]:0' })
    try {
      expect(six.url).toBe(`http://[::1]:${six.port}`)
      expect((await six.get(page)).status).toBe(200)
    } finally {
      await six.stop()
    }
  })
})

describe('abuse', () => {
  test('#90 a header block of more than 16 KiB → 4xx, and the service lives', async () => {
    for (const size of [17_000, 200_000]) {
      const { status } = await service.get(page, { headers: [`X-Long: ${'a'.repeat(size)}`] })
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(500)
    }
    expect((await service.get(page)).status).toBe(200)
  })

  test('#90 a thousand idle connections, and the service lives', async () => {
    const idle = await Promise.all(
      Array.from({ length: 1000 }, () => {
        return new Promise<Socket>((resolve, reject) => {
          const socket = connect(service.port, '127.0.0.1', () => resolve(socket))
          socket.on('error', reject)
        })
      }),
    )
    // Half of them stop in the middle of a request.
    for (const [index, socket] of idle.entries()) if (index % 2) socket.write('GET / HTTP/1.1\r\nHost: ')
    expect((await service.get(page)).status).toBe(200)
    for (const socket of idle) socket.destroy()
    expect((await service.get(page)).status).toBe(200)
  })

  test('bytes that are no HTTP end in a 4xx or a closed connection', async () => {
    for (const bytes of [
      '\r\n\r\n\r\n',
      'garbage\r\n\r\n',
      'GET\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n',
    ]) {
      const connection = await openRaw(service)
      const answer = await Promise.race([
        connection.send(bytes).then(
          response => response.status,
          () => 'closed',
        ),
        // Still waiting for the rest of a request is an answer, too.
        new Promise<string>(resolve => setTimeout(() => resolve('waits'), 200)),
      ])
      connection.end()
      expect(answer === 'closed' || answer === 'waits' || (Number(answer) >= 400 && Number(answer) < 500)).toBeTrue()
    }
    expect((await service.get(page)).status).toBe(200)
  })
})

const ipTool = spawnSync('ip', ['netns', 'list']).status === 0
const isRoot = process.getuid?.() === 0

if (!ipTool || !isRoot) console.error('guard.test.ts: #88 #89 skipped: they need root and iproute2')

describe.skipIf(!ipTool || !isRoot)('another machine', () => {
  const here = `ctg${process.pid}a`
  const there = `ctg${process.pid}b`

  function ip(...args: string[]): void {
    const { status, stderr } = spawnSync('ip', args)
    if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${String(stderr)}`)
  }

  function within(space: string, command: string, ...args: string[]): string {
    return spawnSync('ip', ['netns', 'exec', space, command, ...args], { encoding: 'utf8' }).stdout
  }

  /** Runs the service in one network namespace and asks from the other, over a veth pair. */
  async function askFromAfar(allowFrom: readonly string[]): Promise<{ near: string; far: string }> {
    const options = JSON.stringify({ listen: '169.254.169.254:80', allowFrom })
    const server = fileURLToPath(new URL('metadata-server.ts', import.meta.url))
    const child = startProcess('ip', ['netns', 'exec', here, process.execPath, server, options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await new Promise((resolve, reject) => {
        child.stdout?.once('data', resolve)
        child.once('close', () => reject(new Error('the service did not start')))
      })
      const curl = ['-s', '-m', '5', '-w', ' %{http_code}', 'http://169.254.169.254/latest/meta-data/profile']
      return { near: within(here, 'curl', ...curl), far: within(there, 'curl', ...curl) }
    } finally {
      const closed = new Promise(resolve => child.once('close', resolve))
      child.kill('SIGKILL')
      await closed
    }
  }

  function cleanUp(): void {
    for (const space of [here, there]) spawnSync('ip', ['netns', 'del', space])
  }

  test('#88 #89 a peer from another network namespace is refused, and let in by --allow-from', async () => {
    try {
      for (const space of [here, there]) {
        ip('netns', 'add', space)
        ip('-n', space, 'link', 'set', 'lo', 'up')
      }
      ip('link', 'add', 'veth0', 'netns', here, 'type', 'veth', 'peer', 'name', 'veth0', 'netns', there)
      ip('-n', here, 'addr', 'add', '10.99.0.1/24', 'dev', 'veth0')
      ip('-n', there, 'addr', 'add', '10.99.0.2/24', 'dev', 'veth0')
      for (const space of [here, there]) ip('-n', space, 'link', 'set', 'veth0', 'up')
      ip('-n', here, 'addr', 'add', '169.254.169.254/32', 'dev', 'lo')
      ip('-n', there, 'route', 'add', '169.254.169.254/32', 'via', '10.99.0.1')
      expect(await askFromAfar([])).toEqual({
        near: 'default-hvm 200',
        far: 'Request denied from IP address 10.99.0.2 401',
      })
      expect(await askFromAfar(['10.99.0.0/24'])).toEqual({ near: 'default-hvm 200', far: 'default-hvm 200' })
    } finally {
      cleanUp()
    }
  }, 15_000)
})
