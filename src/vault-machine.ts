/**
 * What tells this machine and this user from others: the id that the system made for itself when it was installed. Not a
 * secret, but nothing that lies in a home folder or in its backup.
 */
import { userInfo } from 'node:os'
import process from 'node:process'
import { readText } from './files.ts'
import type { Run } from './run.ts'

type Find = (run: Run) => Promise<string | undefined>

const systems: Readonly<Partial<Record<NodeJS.Platform, Find>>> = {
  // machine-id(5)
  linux: async () => (readText('/etc/machine-id') ?? readText('/var/lib/dbus/machine-id'))?.trim(),
  darwin: async run => {
    const { stdout } = await run('/usr/sbin/ioreg', ['-rd1', '-c', 'IOPlatformExpertDevice'])
    return /"IOPlatformUUID" = "([^"]+)"/.exec(stdout)?.[1]
  },
  win32: async run => {
    const { stdout } = await run('reg', ['query', 'HKLM\\SOFTWARE\\Microsoft\\Cryptography', '/v', 'MachineGuid'])
    return /MachineGuid\s+REG_SZ\s+(\S+)/.exec(stdout)?.[1]
  },
}

/** Without an id of the machine, as in many containers, it is the user alone. */
export async function machineIdentity(platform: NodeJS.Platform, run: Run): Promise<string> {
  // The name comes from the environment in some runtimes, and a service has another one than a shell.
  const user = process.geteuid?.() ?? userInfo().username
  return `${(await systems[platform]?.(run)) ?? ''} ${user}`
}
