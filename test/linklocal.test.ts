import { afterEach, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { addAddress, linkStatus, metadataAddress6, removeAddress, repair } from '../src/linklocal.ts'
import { findNftRule, findTablesRule } from '../src/linklocal-check.ts'
import { detectForeignMetadata, probeMetadata } from '../src/linklocal-foreign.ts'
import { guardCommand } from '../src/linklocal-guard.ts'
import { deviceName, hasAddress, linkDeps, platformOf, rootEnv, type LinkDeps } from '../src/linklocal-platform.ts'
import { readRecord, recordFile } from '../src/linklocal-record.ts'
import type { Run, RunOptions } from '../src/run.ts'
import { failureOf } from './failure.ts'

const address = '169.254.169.254'
const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

function temporary(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'linklocal-'))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

interface Call {
  command: string
  args: readonly string[]
  options: RunOptions | undefined
}

const folders: Partial<Record<NodeJS.Platform, string>> = { win32: String.raw`C:\Windows\System32` }

/** A machine of that kind whose tools all exist, do nothing, and end with `code`. */
function machine(platform: NodeJS.Platform, code = 0): { deps: LinkDeps; calls: Call[]; tools: string } {
  const tools = folders[platform] ?? '/sbin'
  const calls: Call[] = []
  const run: Run = (command, args, options) => {
    calls.push({ command, args, options })
    const stdout = /ps$|powershell/.test(command) ? 'Sat Nov 22 10:00:00 2025' : ''
    return Promise.resolve({ code, stdout, stderr: 'Nein.\nMehr' })
  }
  const folder = path.join(temporary(), 'run')
  const sleep = () => Promise.resolve()
  return { deps: linkDeps({ platform, run, folder, path: [tools], exists: () => true, sleep }), calls, tools }
}

describe('the table', () => {
  test('names the loopback device', () => {
    expect(['linux', 'darwin', 'win32'].map(name => deviceName(name as NodeJS.Platform))).toEqual([
      'lo',
      'lo0',
      'Loopback Pseudo-Interface 1',
    ])
  })

  test('says so where it has no line', () => {
    expect(() => deviceName('aix')).toThrow('does not know how to add an address on aix')
  })

  test.each([
    ['linux', 'ip', ['addr', 'replace', '169.254.169.254/32', 'dev', 'lo']],
    ['darwin', 'ifconfig', ['lo0', 'alias', address, '255.255.255.255']],
    [
      'win32',
      'netsh.exe',
      [
        'interface',
        'ipv4',
        'add',
        'address',
        'Loopback Pseudo-Interface 1',
        address,
        '255.255.255.255',
        'store=active',
      ],
    ],
  ] as const)('adds on %s', async (platform, tool, args) => {
    const { deps, calls, tools } = machine(platform)
    // The address never appears, since nothing really happened.
    await failureOf(addAddress(address, deps))
    const separator = platform === 'win32' ? '\\' : '/'
    expect(calls.find(each => each.args.some(arg => ['replace', 'alias', 'add'].includes(arg)))).toMatchObject({
      command: `${tools}${separator}${tool}`,
      args,
    })
  })

  test.each([
    ['linux', ['ip', 'addr', 'del', '169.254.169.254/32', 'dev', 'lo']],
    ['darwin', ['ifconfig', 'lo0', '-alias', address]],
  ] as const)('removes on %s', (platform, line) => {
    const { deps, tools } = machine(platform)
    const { command, args, env } = guardCommand(address, '{}', deps)
    expect(command).toBe('/bin/sh')
    const [tool, ...rest] = line
    expect(args.slice(2)).toEqual([
      'cloudtoken-guard',
      path.join(deps.folder, `${address}.json`),
      '{}',
      path.join(tools, tool),
      ...rest,
    ])
    expect(env).toEqual({ PATH: tools, LC_ALL: 'C' })
  })

  test('removes on win32', () => {
    const { deps } = machine('win32')
    const { command, args, env } = guardCommand(address, '{"a":"\'; evil"}', deps)
    expect(command).toBe(String.raw`C:\Windows\System32\powershell.exe`)
    expect(args.slice(0, 3)).toEqual(['-NoProfile', '-NonInteractive', '-Command'])
    expect(args).toHaveLength(4)
    expect(args[3]).not.toContain('evil')
    expect(env['CLOUDTOKEN_LINE']).toBe('{"a":"\'; evil"}')
    const line: unknown = JSON.parse(env['CLOUDTOKEN_COMMAND'] ?? '')
    expect(line).toEqual([
      String.raw`C:\Windows\System32\netsh.exe`,
      'interface',
      'ipv4',
      'delete',
      'address',
      'Loopback Pseudo-Interface 1',
      address,
      'store=active',
    ])
  })

  test.each([
    [
      'linux',
      ['ip', 'addr', 'replace', 'fd00:ec2::254/128', 'dev', 'lo'],
      ['ip', 'addr', 'del', 'fd00:ec2::254/128', 'dev', 'lo'],
    ],
    [
      'darwin',
      ['ifconfig', 'lo0', 'inet6', 'alias', 'fd00:ec2::254/128'],
      ['ifconfig', 'lo0', 'inet6', '-alias', 'fd00:ec2::254'],
    ],
    [
      'win32',
      [
        'netsh.exe',
        'interface',
        'ipv6',
        'add',
        'address',
        'Loopback Pseudo-Interface 1',
        'fd00:ec2::254/128',
        'store=active',
      ],
      [
        'netsh.exe',
        'interface',
        'ipv6',
        'delete',
        'address',
        'Loopback Pseudo-Interface 1',
        'fd00:ec2::254',
        'store=active',
      ],
    ],
  ] as const)('the IPv6 address on %s', (platform, add, remove) => {
    expect(platformOf(platform).add(metadataAddress6)).toEqual([...add])
    expect(platformOf(platform).remove(metadataAddress6)).toEqual([...remove])
    const { deps } = machine(platform)
    expect(recordFile(metadataAddress6, deps)).toBe(path.join(deps.folder, 'fd00-ec2--254.json'))
  })

  test("root's commands see nothing of the user's environment", async () => {
    const { deps, calls, tools } = machine('linux')
    await failureOf(addAddress(address, deps))
    expect(calls.length).toBeGreaterThan(0)
    for (const { command, options } of calls) {
      expect(path.isAbsolute(command)).toBe(true)
      expect(options?.env).toEqual({ PATH: tools, LC_ALL: 'C' })
    }
    expect(rootEnv(linkDeps({ platform: 'linux' }))['PATH']).toStartWith('/usr/sbin:/usr/bin')
  })
})

describe('what can go wrong', () => {
  test('a system that says no is quoted, and leaves no record', async () => {
    const { deps } = machine('linux', 2)
    const error = await failureOf(addAddress(address, deps))
    expect(error.kind).toBe('address')
    expect(error.message).toStartWith('cannot add 169.254.169.254 to lo')
    expect(error.message).not.toContain('Mehr')
    expect(readdirSync(deps.folder)).toEqual([])
  })

  test('a missing tool is named with what to install', async () => {
    const { deps } = machine('linux')
    const error = await failureOf(addAddress(address, { ...deps, exists: () => false }))
    expect(error).toMatchObject({ kind: 'address', code: 'address-tool', message: 'the program ip is missing' })
    expect(error.hint).toStartWith('install iproute2')
  })

  test.each(['169.254.169.254; reboot', '-alias', 'fd00:ec2::254%lo', '', '169.254.169.254/16'])(
    'refuses %p',
    async value => {
      const { deps, calls } = machine('linux')
      expect((await failureOf(addAddress(value, deps))).kind).toBe('address')
      expect(calls).toEqual([])
    },
  )

  test.skipIf(process.geteuid?.() === 0 || process.platform === 'win32')('without root it says sudo', async () => {
    const { deps } = machine('linux')
    const error = await failureOf(addAddress(address, { ...deps, folder: '/run/cloudtoken-test' }))
    expect(error).toMatchObject({ kind: 'address', code: 'address-privilege' })
  })

  test('an address of the machine is found, another is not', async () => {
    const { deps } = machine('linux')
    expect(await hasAddress('127.0.0.1', deps)).toBe(true)
    expect(await hasAddress('203.0.113.7', deps)).toBe(false)
  })

  test("somebody else's address is neither recorded nor removed", async () => {
    const { deps, calls } = machine('linux')
    expect(await addAddress('127.0.0.1', deps)).toMatchObject({ added: false })
    expect(await removeAddress('127.0.0.1', deps)).toEqual({ removed: false })
    expect(await linkStatus('127.0.0.1', deps)).toMatchObject({ state: 'foreign' })
    expect(await repair(deps)).toEqual([])
    expect(calls).toEqual([])
  })

  test('a pipe in the place of a record keeps nobody waiting', async () => {
    const { deps } = machine('linux')
    mkdirSync(deps.folder)
    spawnSync('mkfifo', [recordFile(address, deps)])
    expect(readRecord(address, deps)).toBeUndefined()
  })

  test.each(['', 'null', '7', '[]', '{', '{"address":"169.254.169.253"}'])('a damaged record %p is none', text => {
    const { deps } = machine('linux')
    mkdirSync(deps.folder)
    writeFileSync(path.join(deps.folder, `${address}.json`), text)
    expect(readRecord(address, deps)).toBeUndefined()
  })

  test('a stale record of an absent address is dropped', async () => {
    const { deps } = machine('linux')
    mkdirSync(deps.folder)
    const text = JSON.stringify({ address, device: 'lo', pid: 2 ** 22 + 7, started: '1' })
    writeFileSync(path.join(deps.folder, `${address}.json`), text)
    expect(await repair(deps)).toEqual([])
    expect(readdirSync(deps.folder)).toEqual([])
  })
})

describe('a metadata service of somebody else', () => {
  const nothing = { read: () => undefined, probe: () => Promise.resolve(undefined) }
  const file = (name: string, text: string) => ({
    ...nothing,
    read: (asked: string) => (asked === name ? text : undefined),
  })

  test.each([
    ['/sys/class/dmi/id/sys_vendor', 'Amazon EC2\n'],
    ['/sys/class/dmi/id/board_asset_tag', 'i-0123456789abcdef0\n'],
    ['/sys/hypervisor/uuid', 'ec2f1a2b-0000-0000-0000-000000000000\n'],
  ])('is there when %s says so', async (name, text) => {
    expect(await detectForeignMetadata(address, file(name, text))).toContain('EC2 instance')
  })

  test.each([
    ['/sys/class/dmi/id/sys_vendor', 'QEMU\n'],
    ['/sys/class/dmi/id/board_asset_tag', 'i-am-a-laptop\n'],
    ['/sys/hypervisor/uuid', '00000000-0000-0000-0000-000000000000\n'],
  ])('is not there for %s %p', async (name, text) => {
    expect(await detectForeignMetadata(address, file(name, text))).toBeUndefined()
  })

  test.each([200, 401, 403, 404, 405])('is there when something answers %i', async status => {
    const probe = () => Promise.resolve({ status, server: 'EC2ws' })
    expect(await detectForeignMetadata(address, { ...nothing, probe })).toBe(
      'something already answers at http://169.254.169.254 (EC2ws)',
    )
    expect(await detectForeignMetadata(address, { ...nothing, probe, ours: true })).toBeUndefined()
  })

  test.each([302, 307, 407, 502, 503, 511])('is not what a captive portal or proxy answers: %i', async status => {
    const probe = () => Promise.resolve({ status })
    expect(await detectForeignMetadata(address, { ...nothing, probe })).toBeUndefined()
  })
})

describe('the probe', () => {
  async function serve(answer: string | undefined): Promise<{ port: number; asked: () => string }> {
    let text = ''
    const server: Server = createServer(socket => {
      cleanups.push(() => socket.destroy())
      socket.on('error', () => {})
      socket.on('data', chunk => {
        text += String(chunk)
        if (answer !== undefined) socket.write(answer)
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    cleanups.push(() => server.close())
    const bound = server.address()
    if (typeof bound !== 'object' || !bound) throw new Error('not listening')
    return { port: bound.port, asked: () => text }
  }

  test('asks for a token and reads the first lines', async () => {
    const { port, asked } = await serve('HTTP/1.1 200 OK\r\nserver:  EC2ws \r\nContent-Length: 3\r\n\r\nabc')
    expect(await probeMetadata('127.0.0.1', 2000, port)).toEqual({ status: 200, server: 'EC2ws' })
    expect(asked()).toStartWith(`PUT /latest/api/token HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`)
  })

  test.each(['SSH-2.0-OpenSSH\r\n\r\n', 'x'.repeat(100_000)])('takes nothing else for an answer', async text => {
    const { port } = await serve(text)
    expect(await probeMetadata('127.0.0.1', 2000, port)).toBeUndefined()
  })

  test('control characters of a hostile server do not reach the terminal', async () => {
    const { port } = await serve('HTTP/1.0 404 No\r\nServer: a\u001b[31mb\r\n\r\n')
    expect(await probeMetadata('127.0.0.1', 2000, port)).toEqual({ status: 404, server: 'a' })
  })

  test('gives up in time on silence, and at once on a closed port', async () => {
    const { port } = await serve(undefined)
    expect(await probeMetadata('127.0.0.1', 100, port)).toBeUndefined()
    const closed = createServer()
    await new Promise<void>(resolve => closed.listen(0, '127.0.0.1', resolve))
    const bound = closed.address()
    await new Promise(resolve => closed.close(resolve))
    if (typeof bound !== 'object' || !bound) throw new Error('not listening')
    expect(await probeMetadata('127.0.0.1', 60_000, bound.port)).toBeUndefined()
  })
})

describe('rules of packet filters', () => {
  const nft = (rule: string, chain = 'type filter hook output priority filter; policy accept;'): string =>
    `table ip other {\n\tchain a {\n\t}\n}\ntable inet fence {\n\tchain out {\n\t\t${chain}\n\t\t${rule}\n\t}\n}\n`

  test.each([
    'ip daddr 169.254.169.254 drop',
    'ip daddr 169.254.0.0/16 tcp dport 80 reject with tcp reset',
    'ip daddr { 10.0.0.0/8, 169.254.169.0/24 } counter packets 3 bytes 180 drop',
    'ip daddr 169.254.169.254 tcp dport 80 dnat to 10.0.0.1:8080',
    'ip daddr 169.254.169.254 redirect to :8080',
  ])('%s is found', rule => {
    const shown = rule.replace(' counter packets 3 bytes 180', '')
    expect(findNftRule(nft(rule), address)).toBe(`a firewall rule takes it: nft table inet fence, chain out: ${shown}`)
  })

  test.each([
    'ip daddr 169.254.169.254 accept',
    'ip daddr 169.254.169.253 drop',
    'ip daddr 0.0.0.0/0 ct state invalid drop',
    'ip6 daddr fd00:ec2::254 drop',
    'tcp dport 80 drop',
  ])('%s is not', rule => {
    expect(findNftRule(nft(rule), address)).toBeUndefined()
  })

  test('a chain that drops what no rule lets pass, and the IPv6 address', () => {
    const closed = nft('tcp dport 22 accept', 'type filter hook input priority filter; policy drop;')
    expect(findNftRule(closed, address)).toBe('a firewall drops it: nft table inet fence, chain out, policy drop')
    expect(findNftRule(nft('ip6 daddr fd00::/8 drop'), metadataAddress6)).toContain('ip6 daddr fd00::/8 drop')
  })

  test('iptables-save', () => {
    const text =
      '*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -d 169.254.169.253/32 -j DROP\n-A OUTPUT -d 169.254.169.254/32 -p tcp -j DNAT --to-destination 10.0.0.1\nCOMMIT\n'
    expect(findTablesRule(text, address)).toBe(
      'a firewall rule takes it: iptables -t nat -A OUTPUT -d 169.254.169.254/32 -p tcp -j DNAT --to-destination 10.0.0.1',
    )
    expect(findTablesRule('', address)).toBeUndefined()
  })
})
