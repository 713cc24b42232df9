/**
 * How each system gives its loopback device one more address, and what a process with root may trust while it does so.
 * All differences between systems are in the one table here; commands are argument lists, never lines for a shell.
 */
import { existsSync, readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { failure } from './errors.ts'
import { run, start, type Run } from './run.ts'

/** What address handling needs of the machine. `linkDeps` fills in the real one. */
export interface LinkDeps {
  readonly run: Run
  readonly start: typeof start
  readonly platform: NodeJS.Platform
  /** Folder of the records; only root may write there. */
  readonly folder: string
  /** The process for which an address is added. */
  readonly pid: number
  /** Folders in which root looks for programs. */
  readonly path: readonly string[]
  readonly exists: (file: string) => boolean
  readonly sleep: (ms: number) => Promise<unknown>
}

interface Platform {
  readonly device: string
  readonly folder: string
  readonly path: readonly string[]
  /** What to do about a missing tool. */
  readonly install: string
  readonly privilege: string
  /** Repeating it changes nothing. */
  readonly add: (address: string) => readonly [string, ...string[]]
  readonly remove: (address: string) => readonly [string, ...string[]]
  /** Prints something exactly when the address is there; a second look, for what the runtime does not list. */
  readonly look?: (address: string) => readonly [string, ...string[]]
  /** Prints when a process started, and nothing when it is gone. */
  readonly started?: (pid: number) => readonly [string, ...string[]]
}

const loopback = 'Loopback Pseudo-Interface 1'
const windows = process.env['SystemRoot'] ?? 'C:\\Windows'
const withoutRoot = 'or cloudtoken -d --listen 127.0.0.1:9911, which needs no root'

/**
 * A host route of exactly one address everywhere: a wider one would swallow the name server, the time server and the
 * container endpoint, which are neighbours of 169.254.169.254.
 */
const platforms: Readonly<Partial<Record<NodeJS.Platform, Platform>>> = {
  linux: {
    device: 'lo',
    folder: '/run/cloudtoken',
    path: ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/run/current-system/sw/bin'],
    install: `install iproute2, ${withoutRoot}`,
    privilege: `sudo cloudtoken -d, ${withoutRoot}`,
    add: address => ['ip', 'addr', 'replace', hostRoute(address), 'dev', 'lo'],
    remove: address => ['ip', 'addr', 'del', hostRoute(address), 'dev', 'lo'],
    // The runtime leaves out devices that are down.
    look: address => ['ip', '-o', 'addr', 'show', 'to', hostRoute(address)],
  },
  darwin: {
    device: 'lo0',
    folder: '/var/run/cloudtoken',
    path: ['/usr/sbin', '/usr/bin', '/sbin', '/bin'],
    install: `repair the system, ${withoutRoot}`,
    privilege: `sudo cloudtoken -d, ${withoutRoot}`,
    add: address =>
      isIPv6(address)
        ? ['ifconfig', 'lo0', 'inet6', 'alias', hostRoute(address)]
        : ['ifconfig', 'lo0', 'alias', address, '255.255.255.255'],
    remove: address =>
      isIPv6(address) ? ['ifconfig', 'lo0', 'inet6', '-alias', address] : ['ifconfig', 'lo0', '-alias', address],
    started: pid => ['ps', '-o', 'lstart=', '-p', String(pid)],
  },
  win32: {
    device: loopback,
    folder: path.win32.join(process.env['ProgramData'] ?? 'C:\\ProgramData', 'cloudtoken', 'run'),
    path: [`${windows}\\System32`, `${windows}\\System32\\WindowsPowerShell\\v1.0`],
    install: `repair the system, ${withoutRoot}`,
    privilege: `run it in a window opened with "Run as administrator", ${withoutRoot}`,
    // Gone with the next boot, like the others.
    add: address =>
      isIPv6(address)
        ? [...netsh('ipv6', 'add'), hostRoute(address), 'store=active']
        : [...netsh('ipv4', 'add'), address, '255.255.255.255', 'store=active'],
    remove: address => [...netsh(isIPv6(address) ? 'ipv6' : 'ipv4', 'delete'), address, 'store=active'],
    started: pid => [
      'powershell.exe',
      '-NoProfile',
      '-NonInteractive',
      '-Command',
      `(Get-Process -Id ${pid} -ErrorAction SilentlyContinue).StartTime.ToFileTimeUtc()`,
    ],
  },
}

function netsh(family: string, verb: string): [string, ...string[]] {
  return ['netsh.exe', 'interface', family, verb, 'address', loopback]
}

function hostRoute(address: string): string {
  return `${address}/${isIPv6(address) ? 128 : 32}`
}

export function platformOf(platform: NodeJS.Platform): Platform {
  const found = platforms[platform]
  if (found) return found
  const hint = 'cloudtoken -d --listen 127.0.0.1:9911'
  throw failure('address', `cloudtoken does not know how to add an address on ${platform}`, { hint })
}

/** The loopback device as the system calls it: `lo`, `lo0`. */
export function deviceName(platform: NodeJS.Platform = process.platform): string {
  return platformOf(platform).device
}

export function linkDeps(overrides: Partial<LinkDeps> = {}): LinkDeps {
  const platform = overrides.platform ?? process.platform
  const { folder, path: folders } = platformOf(platform)
  const sleep = (ms: number): Promise<void> => delay(ms)
  return { run, start, platform, folder, path: folders, pid: process.pid, exists: existsSync, sleep, ...overrides }
}

/** Surroundings of a command run as root: nothing of the user's, and messages nobody translates. */
export function rootEnv(deps: LinkDeps): Record<string, string> {
  if (deps.platform === 'win32') return { SystemRoot: windows, PATH: deps.path.join(';') }
  return { PATH: deps.path.join(':'), LC_ALL: 'C' }
}

/** The command with its program as an absolute path out of the folders that only root can write. */
export function toolCommand(line: readonly [string, ...string[]], deps: LinkDeps): [string, ...string[]] {
  const [name, ...args] = line
  const { join } = deps.platform === 'win32' ? path.win32 : path.posix
  const file = deps.path.map(folder => join(folder, name)).find(candidate => deps.exists(candidate))
  if (file) return [file, ...args]
  const hint = platformOf(deps.platform).install
  throw failure('address', `the program ${name} is missing`, { hint, code: 'address-tool' })
}

/** Runs a line of the table; a missing tool is a failure, anything else an exit code. */
export async function runTool(line: readonly [string, ...string[]], deps: LinkDeps) {
  const [command, ...args] = toolCommand(line, deps)
  return await deps.run(command, args, { env: rootEnv(deps), timeoutMs: 10_000 })
}

/** The device that has the address now. */
export async function findDevice(address: string, deps: LinkDeps): Promise<string | undefined> {
  for (const [device, entries] of Object.entries(os.networkInterfaces())) {
    if (entries?.some(entry => entry.address === address)) return device
  }
  const { look } = platformOf(deps.platform)
  if (!look) return undefined
  const { code, stdout } = await runTool(look(address), deps)
  return code === 0 ? stdout.match(/^\d+:\s+(\S+)/)?.[1] : undefined
}

/** Whether this machine has the address, on whatever device. Found by looking, never by an error message. */
export async function hasAddress(address: string, deps: LinkDeps = linkDeps()): Promise<boolean> {
  return (await findDevice(address, deps)) !== undefined
}

/** Why the system refused, as far as rights explain it. */
export function missingPrivilege(deps: LinkDeps): { reason: string; hint: string } | undefined {
  const { privilege } = platformOf(deps.platform)
  if (deps.platform === 'win32') return { reason: 'it needs an administrator', hint: privilege }
  if (process.geteuid?.() !== 0) return { reason: 'it needs root', hint: privilege }
  if (deps.platform === 'linux' && !hasCapability(12)) {
    const hint = `start the container with --cap-add NET_ADMIN, ${withoutRoot}`
    return { reason: 'root has no CAP_NET_ADMIN here', hint }
  }
  return undefined
}

/** capabilities(7), by number; true where the kernel does not say. */
function hasCapability(bit: number): boolean {
  try {
    const mask = readFileSync('/proc/self/status', 'utf8').match(/^CapEff:\s*([0-9a-f]+)/m)?.[1]
    return mask === undefined || ((BigInt(`0x${mask}`) >> BigInt(bit)) & 1n) === 1n
  } catch {
    return true
  }
}
