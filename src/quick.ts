/**
 * The answer of `credential-process` from the last time, found with nothing but a file read. A consumer starts that
 * command for every client it makes, so a cached answer may not cost more than starting the program.
 */
import { readFileSync, statSync } from 'node:fs'

type Env = Readonly<Record<string, string | undefined>>

export interface QuickAnswer {
  /** The words and variables it was the answer to. */
  readonly key: string
  /** From here on it is no longer given, ms since the epoch. */
  readonly until: number
  /** Files it depended on with their modification time in ms; 0 for a file that was not there. */
  readonly files: readonly (readonly [file: string, modified: number])[]
  readonly output: string
}

/** Of the options that are secret; a test compares with their table, which is too much to load here. */
export const secretVariable = /^CLOUDTOKEN_(PASSWORD|CLIENT_SECRET|SECRET_PASSPHRASE|MFA_CODE|MFA_PASSCODE)$/i
const secretWord = /^(-[A-Za-z]*p|--(password|client-secret|secret-passphrase|mfa-code|mfa-passcode)(=|$))/

/** Where the answer to these words lies; `undefined` for words with a secret, or where a folder was chosen: that takes real parsing. */
export function quickFile(argv: readonly string[], env: Env): { file: string; key: string } | undefined {
  // As `findPaths` has it: a relative one would be in whatever folder this is.
  const chosen = env['XDG_STATE_HOME']?.startsWith('/') ? env['XDG_STATE_HOME'] : undefined
  const state = chosen ?? (env['HOME'] && `${env['HOME']}/.local/state`)
  if (
    !state ||
    !/^(?:\/|[a-z]:)/i.test(state) ||
    argv.some(word => /^--(config|cloudtoken)-/.test(word) || secretWord.test(word))
  )
    return undefined
  const words = [...argv]
  for (const name of Object.keys(env).sort()) {
    if (/^CLOUDTOKEN_(CONFIG|CLOUDTOKEN)_/.test(name)) return undefined
    // The key lies in the file as it is, and no secret says whose credentials are wanted.
    if (secretVariable.test(name)) continue
    if (/^(CLOUDTOKEN_|XDG_CONFIG_HOME$|USER$|LOGNAME$)/.test(name)) words.push(`${name}=${env[name]}`)
  }
  const key = JSON.stringify(words)
  return { file: `${state}/cloudtoken/quick/${hash(key)}.json`, key }
}

export function quickAnswer(argv: readonly string[], env: Env, now: number): string | undefined {
  const place = quickFile(argv, env)
  if (!place) return undefined
  try {
    const answer = JSON.parse(readFileSync(place.file, 'utf8')) as QuickAnswer
    const good =
      answer.key === place.key && now < answer.until && answer.files.every(([file, time]) => modified(file) === time)
    return good && typeof answer.output === 'string' ? answer.output : undefined
  } catch {
    return undefined
  }
}

/** Milliseconds since the epoch; 0 when there is no such file. */
export function modified(file: string): number {
  try {
    return statSync(file).mtimeMs
  } catch {
    return 0
  }
}

/** FNV-1a, 53 bits: only a file name; the key inside decides. */
function hash(text: string): string {
  let value = 0xcb_f2_9c_e4
  let more = 0x84_22_23_25
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01_00_01_93) >>> 0
    more = Math.imul(more ^ value, 0x85_eb_ca_6b) >>> 0
  }
  return value.toString(16).padStart(8, '0') + more.toString(16).padStart(8, '0')
}
