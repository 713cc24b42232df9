/**
 * Where the control sockets of a person's daemons are, one for each address that is listened on.
 */
import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import type { Paths } from './paths.ts'

type Env = Readonly<Record<string, string | undefined>>

interface Address {
  /** IPv6 without brackets. */
  readonly hostname: string
  readonly port: number
}

interface Place {
  /** The first is for new sockets; a daemon that was started with other variables may be in another. */
  readonly folders: readonly string[]
  readonly prefix: string
  readonly suffix: string
}

function placeOf(env: Env, paths: Paths): Place {
  if (process.platform === 'win32') {
    // Named pipes have one folder for all users; only their owner may write to them.
    return { folders: ['\\\\.\\pipe\\'], prefix: `cloudtoken-${env['USERNAME'] ?? 'user'}-`, suffix: '' }
  }
  const runtime = env['XDG_RUNTIME_DIR']
  const folders = [path.join(paths.state, 'run')]
  // `su` leaves the variable of somebody else.
  if (runtime && isOwn(runtime)) folders.unshift(path.join(runtime, 'cloudtoken'))
  return { folders, prefix: '', suffix: '.sock' }
}

function isOwn(folder: string): boolean {
  try {
    return path.isAbsolute(folder) && statSync(folder).uid === process.geteuid?.()
  } catch {
    return false
  }
}

/** `127.0.0.1_9911`: a name for files of the daemon that listens there. */
export function addressName({ hostname, port }: Address): string {
  return `${hostname.toLowerCase().replaceAll(/[^\w.-]/g, '_')}_${port}`
}

/** The socket of a new daemon. */
export function controlFile(env: Env, paths: Paths, address: Address): string {
  const { folders, prefix, suffix } = placeOf(env, paths)
  return path.join(folders[0] ?? '', `${prefix}${addressName(address)}${suffix}`)
}

/** All there are, stale ones included; only those of one address where it is given. */
export function controlFiles(env: Env, paths: Paths, address?: Address): string[] {
  const { folders, prefix, suffix } = placeOf(env, paths)
  const wanted = address && `${prefix}${addressName(address)}${suffix}`
  return folders.flatMap(folder =>
    namesIn(folder)
      .filter(name => (wanted ? name === wanted : name.startsWith(prefix) && name.endsWith(suffix)))
      .map(name => path.join(folder, name)),
  )
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}
