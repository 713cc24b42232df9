/**
 * Where the files of a person are.
 */
import { homedir } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { failure } from './errors.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface Paths {
  readonly home: string
  /** config.yaml, proxy.yaml, plugins/, and where the original wrote them: tokens.json, tokens.shell, tokens.tmp. */
  readonly config: string
  /** Cookies, last role, token key. */
  readonly state: string
}

/** Where things live: `--config-dir`, XDG, `%APPDATA%`. A chosen configuration folder keeps its state inside. */
export function findPaths(env: Env, configDir?: string, platform: NodeJS.Platform = process.platform): Paths {
  const home = env['HOME'] || env['USERPROFILE'] || systemHome()
  const windows = platform === 'win32'
  // By its specification a relative one does not count; it would be another folder in each working directory.
  const base = (variable: string, fallback: string): string => {
    const chosen = env[variable] ?? ''
    return path.isAbsolute(chosen) ? chosen : path.join(home, fallback)
  }
  const config = windows ? base('APPDATA', 'AppData/Roaming') : base('XDG_CONFIG_HOME', '.config')
  const state = windows ? base('LOCALAPPDATA', 'AppData/Local') : base('XDG_STATE_HOME', '.local/state')
  if (!configDir) return { home, config: path.join(config, 'cloudtoken'), state: path.join(state, 'cloudtoken') }
  const chosen = path.resolve(configDir.replace(/^~(?=$|\/)/, home))
  return { home, config: chosen, state: path.join(chosen, 'state') }
}

/** A container may run as a user whom its system does not know. */
function systemHome(): string {
  try {
    return homedir()
  } catch (error) {
    throw failure('config', 'this user has no home folder', { hint: 'set HOME to a folder of your own', cause: error })
  }
}
