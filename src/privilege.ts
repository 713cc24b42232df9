/**
 * Root is needed for the address and the port, and for nothing else: with both at hand the daemon becomes an ordinary
 * user for good, before it reads anything of theirs or speaks to anybody.
 */
import process from 'node:process'
import { failure, messageOf } from './errors.ts'
import { readText } from './files.ts'
import { sudoVariables } from './privilege-sudo.ts'
import { run as realRun, type Run } from './run.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

/** False on Windows, where rights are not a matter of the user's number. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0
}

interface FindUser {
  /** `--system-username`. */
  readonly systemUsername?: string | undefined
  readonly env: Env
  readonly run?: Run
  readonly platform?: NodeJS.Platform
}

/**
 * The user that root works for: `--system-username`, else the one who called sudo, doas or pkexec. `undefined` when
 * that is root itself. Rejects with kind `config` when the system does not know the user.
 */
export async function findUser(options: FindUser): Promise<User | undefined> {
  const { systemUsername, env, run = realRun, platform = process.platform } = options
  const wanted = systemUsername || env['SUDO_UID'] || env['DOAS_USER'] || env['PKEXEC_UID']
  if (!wanted) return undefined
  const user = /^[\w.@\\][\w.@$\\-]*$/.test(wanted) ? await lookUp(wanted, run, platform) : undefined
  if (!user) {
    const hint = systemUsername ? 'cloudtoken -d --system-username NAME, as listed by id NAME' : undefined
    throw failure('config', `there is no user ${JSON.stringify(wanted)} on this system`, { hint })
  }
  return user.uid === 0 ? undefined : user
}

async function lookUp(wanted: string, run: Run, platform: NodeJS.Platform): Promise<User | undefined> {
  const call = (command: string, ...args: string[]) =>
    run(command, args, { env: { PATH: '/usr/bin:/bin:/run/current-system/sw/bin', LC_ALL: 'C' }, timeoutMs: 10_000 })
  if (platform === 'darwin') {
    const name = (await call('id', '-un', wanted)).stdout.trim()
    if (!name || name.includes('/')) return undefined
    const keys = ['UniqueID', 'PrimaryGroupID', 'NFSHomeDirectory'] as const
    const { stdout } = await call('dscl', '/Search', '-read', `/Users/${name}`, ...keys)
    // A value with a space in it stands on the next line.
    const value = (key: string): string => stdout.match(new RegExp(`^${key}:\\s+(.+)$`, 'm'))?.[1] ?? ''
    return userOf(name, value(keys[0]), value(keys[1]), value(keys[2]))
  }
  // The directory services too; 2 is its word for an unknown user.
  const { code, stdout } = await call('getent', 'passwd', wanted)
  const lines = code === 0 ? stdout : code === 2 ? '' : (readText('/etc/passwd') ?? '')
  for (const line of lines.split('\n')) {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':')
    if (name === wanted || uid === wanted) return userOf(name, uid, gid, home)
  }
  return undefined
}

function userOf(name: string, uid: string, gid: string, home: string): User | undefined {
  if (!name || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return undefined
  return { name, uid: Number(uid), gid: Number(gid), home: home || '/' }
}

/** The type declarations of Node leave out the first. */
type Powers = Pick<typeof process, 'setgid' | 'setuid'> & { initgroups?: (user: string, group: number) => void }

/**
 * Becomes the user, in this process and all its threads, and proves that there is no way back. After this the process
 * has no capability, and what it starts is the user's. Rejects with kind `address` when it is not possible; the caller
 * must end then.
 */
export function dropPrivileges(user: User, env: NodeJS.ProcessEnv = process.env): void {
  const { initgroups, setgid, setuid }: Powers = process
  if (!initgroups || !setgid || !setuid) {
    // Deno has no call for the groups, and root's groups must not stay.
    throw failure('address', 'this runtime cannot give up root completely', {
      hint: 'use the cloudtoken binary, or cloudtoken -d --listen 127.0.0.1:9911',
      code: 'privilege-runtime',
    })
  }
  try {
    // In this order: without root the groups cannot be changed any more.
    initgroups(user.name, user.gid)
    setgid(user.gid)
    setuid(user.uid)
  } catch (error) {
    throw failure('address', `cannot become ${user.name}: ${messageOf(error)}`, {
      code: 'privilege-drop',
      cause: error,
    })
  }
  const ids = [process.getuid?.(), process.geteuid?.(), process.getgid?.(), process.getegid?.()]
  if (ids.join() !== [user.uid, user.uid, user.gid, user.gid].join() || canReturn()) {
    throw failure('address', `root was not given up for good on the way to ${user.name}`, { code: 'privilege-drop' })
  }
  for (const name of Object.keys(env)) if (sudoVariables.test(name)) delete env[name]
  Object.assign(env, { HOME: user.home, USER: user.name, LOGNAME: user.name })
}

function canReturn(): boolean {
  return [process.setuid, process.seteuid].some(become => {
    try {
      become?.(0)
      return become !== undefined
    } catch {
      return false
    }
  })
}
