/**
 * How an ordinary user's `cloudtoken -d` becomes root: it starts itself again with sudo, and hands its environment
 * over in a private file that the other side reads once it is that user again.
 *
 * Not in sudo's environment: sudo drops it by default, `--preserve-env` is refused without SETENV and writes every
 * value, passwords included, to the system log, and other implementations of sudo have no such thing.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { failure } from './errors.ts'
import { checkPrivate, readText, remove, writeFile } from './files.ts'
import type { OptionTable } from './option.ts'
import { coreOptions } from './options.ts'

type Env = Readonly<Record<string, string | undefined>>

interface Command {
  readonly command: string
  readonly args: readonly string[]
}

export interface SudoCommand extends Command {
  readonly env: NodeJS.ProcessEnv
  /** Whether the other side has read what was handed over. */
  began(): boolean
  /** To be called when the command has ended, however it did. */
  forget(): void
}

interface SudoOptions {
  /** For the moment of the hand-over; `$XDG_RUNTIME_DIR`, else the state folder. */
  readonly folder: string
  /** False when nobody can be asked for a password. */
  readonly interactive?: boolean
  readonly table?: OptionTable
  /** Where sudo is looked for. */
  readonly path?: readonly string[]
}

/** What sudo and its like tell about the caller; nothing that we start is to act on it. */
export const sudoVariables = /^(SUDO|DOAS|PKEXEC)_/

/** What sudo ends with when it starts nothing; a program that it has started may, too. */
export const sudoRefused = 1

const flag = '--handover='
const places = ['/run/wrappers/bin', '/usr/bin', '/bin', '/usr/local/bin']

/**
 * The command to hand the terminal to. `self` is this program without arguments; `argv` is in the form of
 * `normaliseArgv`, so that a secret among the options can be told and travels in the file as well. Rejects with kind
 * `address` when there is no sudo.
 */
export function sudoCommand(self: Command, argv: readonly string[], env: Env, options: SudoOptions): SudoCommand {
  const { folder, interactive = true, table = coreOptions, path: folders = places } = options
  const sudo = ['sudo', 'doas']
    .flatMap(name => folders.map(each => path.join(each, name)))
    .find(file => existsSync(file))
  if (!sudo) {
    const hint = 'run it as root with --system-username NAME, or cloudtoken -d --listen 127.0.0.1:9911'
    throw failure('address', 'the metadata address needs root, and there is no sudo', { hint, code: 'privilege-sudo' })
  }
  const { rest, secrets } = takeSecrets(argv, table)
  const file = path.join(folder, `handover-${process.pid}.json`)
  writeFile(file, JSON.stringify({ ...env, ...secrets }))
  return {
    command: sudo,
    args: [...(interactive ? [] : ['-n']), '--', self.command, ...self.args, `${flag}${file}`, ...rest],
    // %p is the user whose password is asked for. A variable, because not every sudo knows the option.
    env: { ...env, SUDO_PROMPT: 'cloudtoken needs root to answer at 169.254.169.254; password of %p: ' },
    began: () => !existsSync(file),
    forget: () => remove(file),
  }
}

/** The other side: tells the arguments of `main` from the hand-over. */
export function takeHandover(argv: readonly string[]): { argv: readonly string[]; handover?: string } {
  const [first, ...rest] = argv
  return first?.startsWith(flag) ? { argv: rest, handover: first.slice(flag.length) } : { argv }
}

/** After `dropPrivileges`: the environment is as if root had never been there, and the file is gone. */
export function receiveHandover(file: string, env: NodeJS.ProcessEnv = process.env): void {
  checkPrivate(file, 0o077)
  const text = readText(file) ?? '{}'
  remove(file)
  replaceEnvironment(JSON.parse(text), env)
}

/** The environment of the person, as far as it is text, and nothing of sudo's. */
export function replaceEnvironment(values: unknown, env: NodeJS.ProcessEnv = process.env): void {
  for (const name of Object.keys(env)) delete env[name]
  for (const [name, value] of Object.entries(values ?? {})) {
    if (typeof value === 'string' && !sudoVariables.test(name)) env[name] = value
  }
}

/** Options that are secret leave the arguments, which every user of the machine can read, for variables. */
export function takeSecrets(
  argv: readonly string[],
  table: OptionTable,
): { rest: string[]; secrets: Record<string, string> } {
  const end = argv.indexOf('--')
  const own = end < 0 ? argv : argv.slice(0, end)
  const rest: string[] = []
  const secrets: Record<string, string> = {}
  for (const word of own) {
    const [, name, value] = word.match(/^--([^=]+)(?:=(.*))?$/s) ?? []
    const secret = name !== undefined && table[name]?.secret === true
    if ((/^-[^-]/.test(word) && name === undefined) || (secret && value === undefined)) {
      throw failure('unexpected', 'the arguments for sudo are not in long form')
    }
    if (secret) secrets[`CLOUDTOKEN_${name.replaceAll('-', '_').toUpperCase()}`] = value ?? ''
    else rest.push(word)
  }
  return { rest: end < 0 ? rest : [...rest, ...argv.slice(end)], secrets }
}
