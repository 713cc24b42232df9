/**
 * What every command stands on: settings, paths, terminal, log; and the session of the chosen identity.
 */
import { userInfo } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { checkNames, emptyConfig, loadConfig, resolveSettings, variableOf, type Config } from './config.ts'
import { failure } from './errors.ts'
import { findPaths, readText, type Paths } from './files.ts'
import { findIdentity, planOf } from './identity.ts'
import { createKeyring } from './keyring.ts'
import { createLog, keepSecret, redact, type Log, type LogOutput } from './log.ts'
import { nearest } from './names.ts'
import { coreOptions, type OptionValue, type Settings } from './options.ts'
import { run } from './run.ts'
import { openSession, type Session } from './session.ts'
import { createTerminal, type Terminal } from './term.ts'
import type { Clock } from './types.ts'

export type Flags = Readonly<Record<string, OptionValue>>
type Env = Readonly<Record<string, string | undefined>>

export interface Context {
  readonly flags: Flags
  readonly env: Env
  readonly settings: Settings
  readonly config: Config
  readonly paths: Paths
  readonly log: Log
  readonly terminal: Terminal
  readonly clock: Clock
  readonly username: string
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  random: () => Math.random(),
  async sleep(ms, signal) {
    await delay(ms, undefined, signal ? { signal } : {}).catch(() => {})
  },
}

/** Reads config.yaml and resolves every option. */
export async function createContext(flags: Flags, env: Env = process.env, output: LogOutput = {}): Promise<Context> {
  const early = resolveSettings(coreOptions, {}, { flags, env })
  const paths = findPaths(env, early.configDir)
  const file = early.configFile ?? path.join(paths.config, 'config.yaml')
  if (early.configFile !== undefined && readText(file) === undefined) {
    throw failure('config', `Unable to load config file: ${file}`)
  }
  const config = await loadConfig(file)
  checkNames(config, coreOptions)
  const identity = findIdentity(config, early.identity)
  const plugins = ['saml', ...Object.values(config.stages).flatMap(names => names ?? [])]
  const settings = resolveSettings(coreOptions, {}, { flags, env, config, identity: identity.values, plugins })
  if (settings.password !== undefined) keepSecret(settings.password)
  const log = createLog({ ...output, quiet: settings.quiet, debug: settings.debug || settings.debugWithSecrets })
  warnAbout(settings, flags, env, log)
  // What a person is to do now is said to them, quiet or not.
  const tell = (message: string): void =>
    settings.quiet ? log.access(`cloudtoken: ${redact(message)}\n`) : log.info(message)
  const terminal = createTerminal({ noInput: settings.noInput, tell })
  return {
    flags,
    env,
    settings,
    config,
    paths,
    log,
    terminal,
    clock: systemClock,
    username: settings.username ?? userInfo().username,
  }
}

/** Options only, for what must not read the configuration: root before it has become somebody, and help. */
export function optionsOnly(flags: Flags, env: Env): Settings {
  return resolveSettings(coreOptions, {}, { flags, env, config: emptyConfig })
}

export async function sessionOf(context: Context): Promise<Session> {
  const plan = planOf(context.config, context.settings)
  const keyring = createKeyring({
    platform: process.platform,
    run,
    env: context.env,
    note: reason => context.log.debug(`keyring: ${reason}`),
  })
  return await openSession({ ...context, plan, ask: context.terminal, keyring })
}

function warnAbout(settings: Settings, flags: Flags, env: Env, log: Log): void {
  if (flags['password'] !== undefined) {
    log.warn(
      'a password on the command line can be read by other users of this machine',
      'cloudtoken --password-file FILE',
    )
  }
  if (settings.debugWithSecrets) log.warn('--debug-with-secrets shows no secrets any more; it is the same as --debug')
  const known = Object.entries(coreOptions).flatMap(([name, option]) => [
    name,
    ...('alias' in option ? option.alias : []),
  ])
  const variables = known.map(variableOf)
  for (const name of Object.keys(env)) {
    if (!name.startsWith('CLOUDTOKEN_') || variables.includes(name) || name === 'CLOUDTOKEN_BIN') continue
    const near = nearest(name, variables)
    log.warn(`the variable ${name} means nothing to cloudtoken`, near && `did you mean ${near}?`)
  }
}
