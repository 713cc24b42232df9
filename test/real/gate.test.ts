/**
 * The address and whether it leads here, with the kernel's own routes and packet filters, in a namespace of each test's
 * own; needs root on Linux.
 */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { firstLine, openNamespace } from './namespace.ts'
import { present } from './present.ts'

const able = process.geteuid?.() === 0 && spawnSync('unshare', ['-n', '-m', 'true']).status === 0
const filters = able && (await present('nftables'))
const page = '/latest/meta-data/profile'
const role = '/latest/meta-data/iam/security-credentials/Read-Only-Role'

let namespace: ChildProcess
let started: ChildProcess[]

beforeEach(async () => {
  if (!able) return
  started = []
  // Records of addresses are kept under /run.
  namespace = await openNamespace(['-n', '-m'], 'mount -t tmpfs none /run && ip link set lo up')
})

afterEach(() => {
  if (able) for (const each of [...started, namespace]) each.kill('SIGKILL')
})

function run(line: string, user = 'root'): { code: number | null; text: string } {
  const as = user === 'root' ? [] : ['setpriv', '--reuid', user, '--clear-groups']
  const args = ['-t', String(namespace.pid), '-n', '-m', ...as, 'sh', '-c', line]
  const { status, stdout, stderr } = spawnSync('nsenter', args, { encoding: 'utf8' })
  return { code: status, text: stdout + stderr }
}

function set(line: string): void {
  expect([line, run(line)]).toEqual([line, { code: 0, text: '' }])
}

interface Opened {
  readonly child: ChildProcess
  readonly said: { url?: string; pid?: number; failure?: { code: string; message: string; hint: string } }
  errors(): string
}

async function openGate(options: object = {}, as: readonly string[] = []): Promise<Opened> {
  const args = [
    '-t',
    String(namespace.pid),
    '-n',
    '-m',
    ...as,
    process.execPath,
    join(import.meta.dirname, 'gate-child.ts'),
  ]
  const child = spawn('nsenter', [...args, JSON.stringify(options)], { stdio: 'pipe' })
  started.push(child)
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', text => (errors += text))
  return { child, said: JSON.parse(await firstLine(child)), errors: () => errors }
}

const curl = (url: string, more = '', user?: string): string =>
  run(`curl -g -s -m 3 -w ' %{http_code}' ${more} '${url}'`, user).text
const addresses = (): string[] =>
  run('ip -o addr show dev lo').text.match(/(169\.254\.169\.254|fd00:ec2::254)\/\d+/g) ?? []
const four = 'http://169.254.169.254'
const six = 'http://[fd00:ec2::254]'

async function gone(): Promise<boolean> {
  for (let turn = 0; turn < 60 && (addresses().length > 0 || run('ls /run/cloudtoken').text !== ''); turn += 1)
    await Bun.sleep(50)
  return addresses().length === 0 && run('ls /run/cloudtoken').text === ''
}

describe.skipIf(!able)('IPv6', () => {
  test('--ipv6 answers at both addresses, by their names alone, and a kill takes both away', async () => {
    const { child, said } = await openGate({ ipv6: true })
    expect(said.url).toBe(four)
    expect(addresses().toSorted()).toEqual(['169.254.169.254/32', 'fd00:ec2::254/128'])
    for (const base of [four, six]) expect(curl(base + page)).toBe('default-hvm 200')
    expect(curl(six + page, "-H 'Host: [FD00:EC2::254]:80'")).toBe('default-hvm 200')
    expect(curl(six + page, '-H Host:evil.example')).toBe(' 403')
    process.kill(said.pid ?? 0, 'SIGKILL')
    expect(await gone()).toBe(true)
    child.kill()
  })

  test('other users of the machine get no credentials over IPv6 either', async () => {
    await openGate({ ipv6: true })
    for (const base of [four, six]) {
      expect(curl(base + role)).toEndWith(' 200')
      expect(curl(base + role, '', 'nobody')).toMatch(/^Request denied from user id \d+ 401$/)
      expect(curl(base + page, '', 'nobody')).toBe('default-hvm 200')
    }
  })

  test('an orderly end removes both; the address alone is served, too', async () => {
    const both = await openGate({ ipv6: true })
    both.child.stdin?.end()
    expect(await gone()).toBe(true)
    const { said, child } = await openGate({ listen: '[FD00:ec2:0::254]:80' })
    expect(said.url).toBe(six)
    expect(addresses()).toEqual(['fd00:ec2::254/128'])
    expect([curl(six + page), curl(four + page)]).toEqual(['default-hvm 200', expect.stringContaining('000')])
    child.stdin?.end()
    expect(await gone()).toBe(true)
  })

  test('a machine without IPv6 is served over IPv4, and told', async () => {
    set('echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6; echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6')
    const { said, errors } = await openGate({ ipv6: true })
    expect(said.url).toBe(four)
    expect(errors()).toContain('not served over IPv6: cannot add fd00:ec2::254')
    expect(curl(four + page)).toBe('default-hvm 200')
    expect(addresses()).toEqual(['169.254.169.254/32'])
  })

  test('what a crash left behind of both is repaired at the next start', async () => {
    const { said } = await openGate({ ipv6: true })
    const guards = run('grep -l cloudtoken-guard /proc/[0-9]*/cmdline | cut -d/ -f3').text.trim().split('\n')
    const own = guards.filter(pid =>
      spawnSync('readlink', [`/proc/${pid}/ns/net`]).stdout.equals(
        spawnSync('readlink', [`/proc/${namespace.pid}/ns/net`]).stdout,
      ),
    )
    expect(own).toHaveLength(2)
    for (const pid of [...own, said.pid]) process.kill(Number(pid), 'SIGKILL')
    await Bun.sleep(100)
    expect(addresses()).toHaveLength(2)
    const { errors } = await openGate()
    expect(addresses()).toEqual(['169.254.169.254/32'])
    expect(errors()).toContain('removed fd00:ec2::254, which an earlier cloudtoken had left behind')
  })

  test('prepared once by link up, nobody has to be root', async () => {
    const link = (verb: string): string =>
      run(`${process.execPath} ${join(import.meta.dirname, '../../src/main.ts')} link ${verb} --ipv6`).text
    set('echo 80 > /proc/sys/net/ipv4/ip_unprivileged_port_start')
    expect(link('up')).toBe('169.254.169.254 is now on lo\nfd00:ec2::254 is now on lo\n')
    const { said, child } = await openGate({ ipv6: true }, ['setpriv', '--reuid', 'nobody', '--clear-groups'])
    expect(said.url).toBe(four)
    for (const base of [four, six]) expect(curl(base + page)).toBe('default-hvm 200')
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.stdin?.end()
    await ended
    expect(link('status')).toBe(
      '169.254.169.254: on lo, until cloudtoken link down\nfd00:ec2::254: on lo, until cloudtoken link down\n',
    )
    expect(link('down')).toBe('169.254.169.254 has been removed\nfd00:ec2::254 has been removed\n')
    expect(addresses()).toEqual([])
  })

  test('--ipv6 with another address is refused', async () => {
    const { said } = await openGate({ ipv6: true, listen: '127.0.0.1:9911' })
    expect(said.failure).toMatchObject({
      kind: 'usage',
      message: '--ipv6 goes with the address 169.254.169.254, not with 127.0.0.1',
    })
  })
})

describe.skipIf(!filters)('what takes the packets away is named, and the address is given back', () => {
  const nft = (chain: string, rule: string): void =>
    set(
      `nft add table inet fence && nft "add chain inet fence out { ${chain} }" && nft add rule inet fence out ${rule}`,
    )

  test.each([
    [
      'a rule of nftables',
      () => nft('type filter hook output priority 0;', 'ip daddr 169.254.0.0/16 counter drop'),
      'a firewall rule takes it: nft table inet fence, chain out: ip daddr 169.254.0.0/16 drop',
    ],
    [
      'a chain that drops all',
      () => nft('type filter hook input priority 0; policy drop;', 'ip saddr 10.0.0.1 accept'),
      'a firewall drops it: nft table inet fence, chain out, policy drop',
    ],
    [
      'a rule of iptables',
      () => set('iptables-legacy -A OUTPUT -d 169.254.169.254 -p tcp -j DROP'),
      'a firewall rule takes it: iptables -t filter -A OUTPUT -d 169.254.169.254/32 -p tcp -j DROP',
    ],
    [
      'a route of a VPN',
      () =>
        set(
          'ip link add vpn type veth peer name end && ip addr add 10.9.0.1/24 dev vpn && ip link set vpn up && ip link set end up && ' +
            'ip route add 169.254.0.0/16 dev vpn table 7 && ip rule add pref 5 lookup 7 && ip rule add pref 9 lookup local && ip rule del pref 0',
        ),
      'a route leads elsewhere: 169.254.169.254 dev vpn table 7 src 10.9.0.1',
    ],
  ] as const)('%s', async (_, provoke, cause) => {
    provoke()
    const { said } = await openGate()
    expect(said.failure).toEqual({
      kind: 'address',
      code: 'address-diverted',
      message: `169.254.169.254 does not lead to this process: ${cause}`,
      hint: 'cloudtoken -d --listen 127.0.0.1:9911, or --force to serve all the same',
    } as never)
    expect(await gone()).toBe(true)
    const forced = await openGate({ force: true })
    expect(forced.said.url).toBe(four)
    expect(forced.errors()).toContain(cause)
  })

  test('a packet filter that leads to another program', async () => {
    const other = spawn('nsenter', [
      ...['-t', String(namespace.pid), '-n', process.execPath, '-e'],
      "Bun.serve({ hostname: '127.0.0.1', port: 8080, fetch: () => new Response('', { status: 500, headers: { server: 'other' } }) }); console.log('up')",
    ])
    started.push(other)
    expect(await firstLine(other)).toBe('up')
    nft('type nat hook output priority -100;', 'ip daddr 169.254.169.254 tcp dport 80 dnat ip to 127.0.0.1:8080')
    const { said } = await openGate()
    expect(said.failure?.message).toContain(
      'nft table inet fence, chain out: ip daddr 169.254.169.254 tcp dport 80 dnat ip to 127.0.0.1:8080',
    )
  })

  test('a rule for the IPv6 address', async () => {
    nft('type filter hook output priority 0;', 'ip6 daddr fd00:ec2::254 reject')
    const { said } = await openGate({ listen: '[fd00:ec2::254]:80' })
    expect(said.failure?.message).toBe(
      '[fd00:ec2::254] does not lead to this process: a firewall rule takes it: nft table inet fence, chain out: ip6 daddr fd00:ec2::254 reject with icmpv6 port-unreachable',
    )
  })

  test('a route to just this address is hidden meanwhile, and told', async () => {
    set(
      'ip link add vpn type veth peer name end && ip addr add 10.9.0.1/24 dev vpn && ip link set vpn up && ip route add 169.254.169.254 via 10.9.0.2',
    )
    const { errors } = await openGate()
    expect(errors()).toContain(
      'a route to 169.254.169.254 is hidden as long as cloudtoken has the address: 169.254.169.254 via 10.9.0.2 dev vpn',
    )
    expect(curl(four + page)).toBe('default-hvm 200')
  })
})
