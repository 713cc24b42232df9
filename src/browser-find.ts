/**
 * Which browser this person has: one table for every system, in the order of preference.
 */
import { accessSync, constants, statSync } from 'node:fs'
import path from 'node:path'
import { failure } from './errors.ts'

export interface InstalledBrowser {
  /** As people call it. */
  readonly name: string
  readonly program: string
}

type Env = Readonly<Record<string, string | undefined>>

interface Machine {
  readonly platform: NodeJS.Platform
  readonly env: Env
  readonly isProgram: (file: string) => boolean
}

interface Known {
  readonly name: string
  /** Application and program in it, in `/Applications` or the person's own. */
  readonly darwin: string
  /** Below the folders for programs. */
  readonly win32: string
  /** Names on PATH. */
  readonly linux: readonly string[]
}

/** All of them speak the same protocol; Firefox and Safari do not. */
const known: readonly Known[] = [
  {
    name: 'Google Chrome',
    darwin: 'Google Chrome',
    win32: 'Google/Chrome/Application/chrome.exe',
    linux: ['google-chrome-stable', 'google-chrome'],
  },
  {
    name: 'Microsoft Edge',
    darwin: 'Microsoft Edge',
    win32: 'Microsoft/Edge/Application/msedge.exe',
    linux: ['microsoft-edge-stable', 'microsoft-edge'],
  },
  {
    name: 'Chromium',
    darwin: 'Chromium',
    win32: 'Chromium/Application/chrome.exe',
    linux: ['chromium', 'chromium-browser'],
  },
  {
    name: 'Brave',
    darwin: 'Brave Browser',
    win32: 'BraveSoftware/Brave-Browser/Application/brave.exe',
    linux: ['brave-browser-stable', 'brave-browser', 'brave'],
  },
]

/** Where services, whose PATH is short, find programs as well. */
const usualFolders = ['/usr/local/bin', '/usr/bin', '/snap/bin']

/** Every place to look at, best first. Relative entries of PATH are left out: nothing is started from where we stand. */
export function browserPlaces(platform: NodeJS.Platform, env: Env): InstalledBrowser[] {
  return known.flatMap(({ name, darwin, win32, linux }) => {
    const places = (): string[] => {
      if (platform === 'darwin') {
        const program = `${darwin}.app/Contents/MacOS/${darwin}`
        return ['/Applications', ...(env['HOME'] ? [`${env['HOME']}/Applications`] : [])].map(at => `${at}/${program}`)
      }
      if (platform === 'win32') {
        const roots = ['ProgramFiles', 'ProgramFiles(x86)', 'LOCALAPPDATA'].flatMap(variable => env[variable] || [])
        return roots.map(root => path.win32.join(root, win32))
      }
      const folders = (env['PATH'] ?? '').split(':').filter(folder => folder.startsWith('/'))
      return [...new Set([...folders, ...usualFolders])].flatMap(folder => linux.map(file => `${folder}/${file}`))
    }
    return places().map(program => ({ name, program }))
  })
}

/** The one that `--browser-path` names, else the first there is; fails with `config` and code `browser-missing`. */
export function findBrowser(wish: string | undefined, { platform, env, isProgram }: Machine): InstalledBrowser {
  if (wish !== undefined) {
    const program = path.resolve(wish)
    if (isProgram(program)) return { name: path.basename(program), program }
    throw failure('config', `there is no browser at ${program}`, {
      code: 'browser-missing',
      hint: 'give the program itself: --browser-path FILE',
    })
  }
  const found = browserPlaces(platform, env).find(({ program }) => isProgram(program))
  if (found) return found
  throw failure('config', `no browser was found: ${known.map(({ name }) => name).join(', ')}`, {
    code: 'browser-missing',
    hint: 'install one of them, or say where it is: --browser-path FILE',
  })
}

export function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
