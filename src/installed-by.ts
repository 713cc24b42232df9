/**
 * Who put this program where it is. What a package manager owns, only the package manager may replace.
 */
import process from 'node:process'
import type { Run } from './run.ts'

export interface Manager {
  readonly name: string
  /** What replaces the program there. */
  readonly upgrade: string
}

interface Row extends Manager {
  /** The folders of one that keeps its programs to itself. */
  readonly path?: RegExp
  /** The question to one that knows its files: exit code 0 is yes. */
  readonly asks?: readonly [command: string, ...args: string[]]
}

const managers: readonly Row[] = [
  { name: 'Homebrew', upgrade: 'brew upgrade cloudtoken', path: /\/Cellar\/|\/homebrew\// },
  { name: 'Nix', upgrade: 'nix profile upgrade cloudtoken', path: /^\/nix\/store\// },
  { name: 'Scoop', upgrade: 'scoop update cloudtoken', path: /[\\/]scoop[\\/]apps[\\/]/i },
  { name: 'winget', upgrade: 'winget upgrade cloudtoken', path: /[\\/]WinGet[\\/]Packages[\\/]/i },
  // Only an image made from nothing has a program at the very top.
  {
    name: 'the container image',
    upgrade: 'docker pull the new image, or build it from the new release',
    path: /^\/cloudtoken$/,
  },
  { name: 'dpkg', upgrade: 'apt-get install cloudtoken', asks: ['dpkg-query', '-S'] },
  { name: 'rpm', upgrade: 'dnf upgrade cloudtoken', asks: ['rpm', '-qf'] },
  { name: 'apk', upgrade: 'apk upgrade cloudtoken', asks: ['apk', 'info', '-q', '--who-owns'] },
  { name: 'pacman', upgrade: 'pacman -Syu cloudtoken', asks: ['pacman', '-Qqo'] },
]

/** The owner of a program, by its real path; `undefined` for one that was put there by hand or by install.sh. */
export async function managerOf(program: string, run: Run): Promise<Manager | undefined> {
  for (const { name, upgrade, path, asks } of managers) {
    if (path?.test(program)) return { name, upgrade }
    const [command, ...args] = asks ?? []
    if (command === undefined) continue
    // Where rpm is not the manager of the system it would begin a database in HOME.
    const env = { ...process.env, HOME: '/dev/null' }
    const { code } = await run(command, [...args, program], { env, timeoutMs: 10_000 })
    if (code === 0) return { name, upgrade }
  }
  return undefined
}
