/**
 * The address on a real loopback device, in a network namespace of each test's own; needs root on Linux.
 */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { sudoCommand } from '../../src/privilege-sudo.ts'
import { openNamespace } from './namespace.ts'

const able = process.geteuid?.() === 0 && spawnSync('unshare', ['-n', 'true']).status === 0
const child = path.join(import.meta.dirname, 'linklocal-child.ts')
const address = '169.254.169.254'

let top: string
let folder: string
let namespace: ChildProcess
let started: ChildProcess[]
let strays: number[]

beforeEach(async () => {
  top = mkdtempSync(path.join(os.tmpdir(), 'linklocal-'))
  chmodSync(top, 0o755)
  folder = path.join(top, 'run')
  started = []
  strays = []
  namespace = await openNamespace(['-n'], 'ip link set lo up')
})

afterEach(() => {
  for (const each of [...started, namespace]) each.kill('SIGKILL')
  for (const pid of strays) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {}
  }
  rmSync(top, { recursive: true, force: true })
})

function inside(...command: string[]): string[] {
  return ['-t', String(namespace.pid), '-n', ...command]
}

function ip(...args: string[]): string {
  const { stdout, stderr } = spawnSync('nsenter', inside('ip', ...args), { encoding: 'utf8' })
  return stdout + stderr
}

/** The prefixes of the address that the loopback device has. */
function addresses(): string[] {
  return ip('-o', 'addr', 'show', 'to', address).match(/169\.254\.169\.254\/\d+/g) ?? []
}

interface Line {
  step: string
  result?: unknown
  failure?: { kind: string; code: string; message: string; hint: string }
}

/** Takes the steps and ends. */
function steps(...names: string[]): Line[] {
  return stepsBy([process.execPath], ...names)
}

function stepsBy(program: string[], ...names: string[]): Line[] {
  const { stdout, stderr } = spawnSync('nsenter', inside(...program, child, folder, ...names), { encoding: 'utf8' })
  expect(stderr).toBe('')
  return parse(stdout)
}

function parse(text: string): Line[] {
  return text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
}

/** Takes the steps and stays, in a process group of its own. */
async function stay(...names: string[]): Promise<{ pid: number; results: Record<string, unknown> }> {
  const args = inside(process.execPath, child, folder, ...names, 'wait')
  const holder = spawn('nsenter', args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] })
  started.push(holder)
  let text = ''
  for await (const chunk of holder.stdout) {
    text += String(chunk)
    if (text.includes('"wait"')) break
  }
  const results = Object.fromEntries(parse(text).map(line => [line.step, line.failure ?? line.result]))
  for (const name of ['guard', 'child']) if (typeof results[name] === 'number') strays.push(results[name])
  return { pid: Number(results['wait']), results }
}

async function gone(): Promise<boolean> {
  for (let tries = 0; tries < 40; tries += 1) {
    if (addresses().length === 0 && !existsSync(record())) return true
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  return false
}

function record(): string {
  return path.join(folder, `${address}.json`)
}

function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

describe.skipIf(!able)('adding and removing', () => {
  test('repeats without harm, as one host address', () => {
    expect(steps('has', 'add', 'add', 'has', 'status')).toMatchObject([
      { result: false },
      { result: { added: true, device: 'lo' } },
      { result: { added: true, device: 'lo' } },
      { result: true },
      { result: { state: 'in-use', device: 'lo' } },
    ])
    expect(addresses()).toEqual([`${address}/32`])
    expect(steps('status', 'remove', 'remove', 'status')).toMatchObject([
      { result: { state: 'left-behind' } },
      { result: { removed: true } },
      { result: { removed: false } },
      { result: { state: 'absent' } },
    ])
    expect(addresses()).toEqual([])
    expect(readdirSync(folder)).toEqual([])
  })

  test("leaves somebody else's address alone", () => {
    ip('addr', 'add', `${address}/32`, 'dev', 'lo')
    expect(steps('add', 'status', 'remove', 'repair', 'guard')).toMatchObject([
      { result: { added: false, device: 'lo' } },
      { result: { state: 'foreign' } },
      { result: { removed: false } },
      { result: [] },
      { failure: { kind: 'unexpected', message: `${address} was not added by this process` } },
    ])
    expect(addresses()).toEqual([`${address}/32`])
  })

  test('sees the address on another device', () => {
    ip('link', 'add', 'other', 'type', 'veth', 'peer', 'name', 'end')
    // A device that is down is not in the list of the runtime.
    ip('addr', 'add', `${address}/32`, 'dev', 'other')
    expect(steps('add')).toMatchObject([{ result: { added: false, device: 'other' } }])
  })

  test('does not take it from under a cloudtoken that runs', async () => {
    const { pid } = await stay('add', 'guard')
    expect(steps('add', 'status', 'remove', 'repair')).toMatchObject([
      { result: { added: false, owner: pid } },
      { result: { state: 'in-use', pid } },
      { failure: { kind: 'address', code: 'address-in-use', hint: 'cloudtoken stop' } },
      { result: [] },
    ])
    expect(addresses()).toHaveLength(1)
  })

  test('what is kept stays until it is removed', () => {
    steps('keep')
    expect(steps('repair', 'status', 'add', 'status')).toMatchObject([
      { result: [] },
      { result: { state: 'kept' } },
      { result: { added: false } },
      { result: { state: 'kept' } },
    ])
    expect(addresses()).toHaveLength(1)
    expect(steps('remove')).toMatchObject([{ result: { removed: true } }])
    expect(addresses()).toEqual([])
  })

  test('an ordinary user may look, and is told what adding needs', () => {
    steps('keep')
    const nobody = ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', process.execPath]
    expect(stepsBy(nobody, 'status', 'remove')).toMatchObject([
      { result: { state: 'kept', device: 'lo' } },
      { failure: { kind: 'address', code: 'address-privilege', hint: expect.stringContaining('sudo') } },
    ])
    steps('remove')
    expect(stepsBy(nobody, 'add')).toMatchObject([{ failure: { kind: 'address', code: 'address-privilege' } }])
    expect(addresses()).toEqual([])
  })

  test('root without the capability is told so, and nothing is left', () => {
    const bounded = ['setpriv', '--bounding-set', '-net_admin', process.execPath]
    expect(stepsBy(bounded, 'add')).toMatchObject([
      { failure: { code: 'address-privilege', hint: expect.stringContaining('--cap-add NET_ADMIN') } },
    ])
    expect(existsSync(record())).toBe(false)
  })

  test.skipIf(!existsSync(path.join(import.meta.dirname, '../../node_modules/.bin/deno')))('works on Deno', () => {
    const root = path.join(import.meta.dirname, '../..')
    const deno = [path.join(root, 'node_modules/.bin/deno'), 'run', '-A', '--config', path.join(root, 'deno.json')]
    expect(stepsBy(deno, 'add', 'has', 'guard', 'release', 'has', 'drop')).toMatchObject([
      { result: { added: true, device: 'lo' } },
      { result: true },
      { result: expect.any(Number) },
      {},
      { result: false },
      { failure: { kind: 'address', code: 'privilege-runtime' } },
    ])
  })
})

describe.skipIf(!able)('the guard process', () => {
  test('removes the address when its daemon is killed, though children of the daemon live on', async () => {
    const { pid, results } = await stay('add', 'guard', 'child')
    expect(addresses()).toHaveLength(1)
    process.kill(pid, 'SIGKILL')
    expect(await gone()).toBe(true)
    expect(isAlive(Number(results['child']))).toBe(true)
    // Its last step comes after the address is gone.
    const guard = Number(results['guard'])
    for (let turn = 0; turn < 40 && isAlive(guard); turn += 1) await new Promise(resolve => setTimeout(resolve, 50))
    expect(isAlive(guard)).toBe(false)
  })

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s to the whole process group', async signal => {
    const { pid, results } = await stay('add', 'guard')
    const guard = Number(results['guard'])
    process.kill(guard, signal)
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(isAlive(guard)).toBe(true)
    expect(addresses()).toHaveLength(1)
    process.kill(-pid, signal)
    expect(await gone()).toBe(true)
  })

  test('is small, holds nothing of the daemon, and has a session of its own', async () => {
    const { pid, results } = await stay('add', 'guard')
    const guard = Number(results['guard'])
    expect(readdirSync(`/proc/${guard}/fd`).sort()).toEqual(['0', '1', '2'])
    const session = readFileSync(`/proc/${guard}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')[3]
    expect(session).toBe(String(guard))
    expect(readFileSync(`/proc/${guard}/environ`, 'utf8').split('\0').filter(Boolean)).toEqual([
      expect.stringMatching(/^PATH=\/usr\/sbin:/),
      'LC_ALL=C',
    ])
    const memory = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${guard}/status`, 'utf8'))?.[1])
    expect(memory).toBeLessThan(4096)
    process.kill(pid, 'SIGKILL')
    expect(await gone()).toBe(true)
  })

  test('releases after the daemon became nobody', () => {
    const lines = steps('add', 'guard', 'listen', 'drop', 'remove', 'release', 'has')
    expect(lines.map(line => line.step)).toEqual(['add', 'guard', 'listen', 'drop', 'remove', 'release', 'has'])
    expect(lines[4]).toMatchObject({ failure: { code: 'address-privilege' } })
    expect(lines[5]).toEqual({ step: 'release' })
    expect(lines[6]).toEqual({ step: 'has', result: false })
    expect(existsSync(record())).toBe(false)
  })

  test('does not keep a daemon alive that has nothing else to do', async () => {
    const begin = Date.now()
    steps('add', 'guard')
    expect(Date.now() - begin).toBeLessThan(4000)
    expect(await gone()).toBe(true)
  })

  test('a release without a guard says what is left', () => {
    expect(steps('add', 'guard', 'kill-guard', 'release')[3]).toMatchObject({
      failure: { kind: 'address', code: 'address-left', hint: 'sudo cloudtoken link down' },
    })
    expect(addresses()).toHaveLength(1)
  })

  test('#92 after both were killed the next start repairs, or adopts', async () => {
    const crash = async (): Promise<void> => {
      const { results, pid } = await stay('add', 'guard')
      process.kill(Number(results['guard']), 'SIGKILL')
      process.kill(pid, 'SIGKILL')
      for (let turn = 0; turn < 40 && isAlive(pid); turn += 1) await new Promise(resolve => setTimeout(resolve, 50))
    }
    await crash()
    expect(steps('status', 'repair', 'status')).toMatchObject([
      { result: { state: 'left-behind' } },
      { result: [address] },
      { result: { state: 'absent' } },
    ])
    await crash()
    expect(steps('add', 'guard', 'release', 'has')).toMatchObject([
      { result: { added: true, device: 'lo' } },
      {},
      {},
      { result: false },
    ])
  })

  test('a successor that starts at once is not undone by the guard of its predecessor', async () => {
    const { pid } = await stay('add', 'guard')
    process.kill(pid, 'SIGKILL')
    const next = await stay('add', 'guard')
    expect(next.results['add']).toMatchObject({ added: true })
    await new Promise(resolve => setTimeout(resolve, 300))
    expect(addresses()).toEqual([`${address}/32`])
    process.kill(next.pid, 'SIGKILL')
    expect(await gone()).toBe(true)
  })

  test('a process id that is used again does not count as the owner', () => {
    steps('keep')
    const line = JSON.stringify({ address, device: 'lo', pid: process.pid, started: '1' })
    writeFileSync(record(), `${line}\n`)
    expect(steps('status', 'repair')).toMatchObject([{ result: { state: 'left-behind' } }, { result: [address] }])
  })

  test('a record that an ordinary user wrote is no record', () => {
    steps('keep')
    chownSync(record(), 65534, 65534)
    expect(steps('status', 'remove')).toMatchObject([{ result: { state: 'foreign' } }, { result: { removed: false } }])
    expect(addresses()).toHaveLength(1)
  })
})

describe.skipIf(!able)('giving up root', () => {
  test('holds for all threads, for good, and keeps the port', () => {
    const lines = steps('add', 'guard', 'listen', 'drop', 'threads', 'regain', 'release')
    expect(lines[2]).toEqual({ step: 'listen' })
    expect(lines[4]?.result).toEqual([
      'CapEff: 0000000000000000',
      'CapPrm: 0000000000000000',
      'Gid: 65534 65534 65534 65534',
      'Groups: 65534',
      'Uid: 65534 65534 65534 65534',
    ])
    expect(lines[5]?.result).toBe(0)
  })

  test("through sudo: the environment is the caller's again, and no secret was among the arguments", () => {
    // Stands for sudo as root sees it: an environment of its own and the caller's ids.
    const bin = path.join(top, 'sudo')
    writeFileSync(bin, '#!/bin/sh\nshift\nexec /usr/bin/env -i PATH=/usr/bin SUDO_UID=65534 SUDO_USER=nobody "$@"\n', {
      mode: 0o755,
    })
    const home = path.join(top, 'home')
    const env = { HOME: '/caller', PATH: '/caller/bin', AWS_REGION: 'eu-west-1', SUDO_PROMPT: 'x' }
    const argv = [folder, '--password=hunter22', 'drop-to-caller', 'env', 'threads']
    const self = { command: process.execPath, args: [child] }
    const made = sudoCommand(self, argv, env, { folder: home, path: [top] })
    expect(made.command).toBe(bin)
    expect(made.args.join(' ')).not.toContain('hunter22')
    const [file = ''] = readdirSync(home)
    chownSync(home, 65534, 65534)
    chownSync(path.join(home, file), 65534, 65534)
    const { stdout, stderr } = spawnSync(made.command, [...made.args], { env: made.env, encoding: 'utf8' })
    expect(stderr).toBe('')
    const lines = parse(stdout)
    expect(lines[1]?.result).toEqual({
      HOME: '/caller',
      PATH: '/caller/bin',
      AWS_REGION: 'eu-west-1',
      CLOUDTOKEN_PASSWORD: 'hunter22',
    })
    expect(lines[2]?.result).toContain('Uid: 65534 65534 65534 65534')
    expect(readdirSync(home)).toEqual([])
  })
})
