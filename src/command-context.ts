/**
 * What every command stands on: settings, paths, terminal, log; and the session of the chosen identity.
 */
import { userInfo } from 'node:os'
import path from 'node:path'
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { checkNames, emptyConfig, loadConfig, resolveSettings, variableOf, type Config } from './config.ts'
import { failure, messageOf } from './errors.ts'
import { isExporter } from './exporters.ts'
import { findPaths, type Paths } from './paths.ts'
import { readText } from './files.ts'
import type { OnWait } from './http.ts'
import { findIdentity, namesIn, planOf } from './identity.ts'
import { createKeyring, type Keyring } from './keyring.ts'
import { createLog, keepSecret, type Log, type LogOutput } from './log.ts'
import { nearest } from './names.ts'
import { camelCase, type OptionTable, type OptionValue } from './option.ts'
import { coreOptions, type Settings } from './options.ts'
import { addedOptions, describeAll, openPlugins, type InUse, type Plugins } from './plugins.ts'
import type { Ask } from './provider.ts'
import { findProvider, providerNames } from './providers.ts'
import { run } from './run.ts'
import { openSession, type Carried, type Session } from './session.ts'
import { canShowWait, showWait } from './term-wait.ts'
import { createTerminal, type Terminal } from './term.ts'
import type { Clock } from './types.ts'
import { createVault, type Vault } from './vault.ts'

export type Flags = Readonly<Record<string, OptionValue>>
type Env = Readonly<Record<string, string | undefined>>

export interface Context {
  readonly flags: Flags
  readonly env: Env
  readonly settings: Settings
  /** Options that plugins added to those of the core. */
  readonly extra: OptionTable
  readonly config: Config
  readonly paths: Paths
  readonly plugins: Plugins
  readonly log: Log
  readonly terminal: Terminal
  readonly keyring: Keyring
  /** One for the run, so that it is unlocked once. */
  readonly vault: Vault
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

/** In a CI job nobody ever comes to a terminal. */
export function isJob(env: Env): boolean {
  return /^(true|1)$/i.test(env['CI'] ?? '')
}

interface Configuration {
  readonly config: Config
  readonly paths: Paths
  /** Without the options of plugins. */
  readonly settings: Settings
  /** The options of the core, and those that plugins add. */
  resolve(extra: OptionTable): Settings
}

/** Reads config.yaml; which plugins are in use follows from it. */
async function readConfiguration(flags: Flags, env: Env): Promise<Configuration> {
  const early = resolveSettings(coreOptions, {}, { flags, env })
  const paths = findPaths(env, early.configDir)
  const file = early.configFile ?? path.join(paths.config, 'config.yaml')
  if (early.configFile !== undefined && readText(file) === undefined) {
    throw failure('config', `Unable to load config file: ${file}`)
  }
  const config = await loadConfig(file)
  const identity = findIdentity(config, early.identity)
  const listed = Object.values(config.stages).flatMap(names => names ?? [])
  const plugins = ['saml', ...(early.provider === undefined ? [] : [early.provider]), ...listed]
  const resolve = (extra: OptionTable): Settings => {
    const given = resolveSettings(coreOptions, extra, { flags, env, config, identity: identity.values, plugins })
    // In a CI job nobody sits at the terminal, even where there is one.
    return { ...given, noInput: given.noInput || isJob(env) }
  }
  return { config, paths, settings: resolve({}), resolve }
}

function pluginsOf(
  { paths, settings }: Pick<Configuration, 'paths' | 'settings'>,
  env: Env,
  ask: Ask,
  log: Log,
): Plugins {
  const debug = settings.debug || settings.debugWithSecrets
  return openPlugins({ paths, env, ask, log, debug, timeoutSeconds: settings.pluginTimeout })
}

function inUse({ config, settings }: Configuration, plugins: Plugins): Promise<InUse> {
  return describeAll(plugins, namesIn(planOf(config, settings)), isBuiltIn)
}

async function isBuiltIn(name: string): Promise<boolean> {
  if (isExporter(name) || providerNames().includes(name)) return true
  return await findProvider(name).then(
    () => true,
    () => false,
  )
}

/** What the plugins in use say of themselves, for `--help` and for words that the core does not know; nobody is asked. */
export async function describePlugins(flags: Flags, env: Env = process.env): Promise<InUse> {
  const configuration = await readConfiguration(flags, env)
  const log = createLog({ quiet: true })
  return await inUse(
    configuration,
    pluginsOf(configuration, env, createTerminal({ noInput: true, tell: () => {} }), log),
  )
}

/** Reads config.yaml and resolves every option. */
export async function createContext(flags: Flags, env: Env = process.env, output: LogOutput = {}): Promise<Context> {
  const configuration = await readConfiguration(flags, env)
  const { config, paths, settings: core } = configuration
  const log = createLog({ ...output, quiet: core.quiet, debug: core.debug || core.debugWithSecrets })
  const terminal = createTerminal({ noInput: core.noInput, tell: log.tell })
  const plugins = pluginsOf({ paths, settings: core }, env, terminal, log)
  const { described, problems } = await inUse(configuration, plugins)
  for (const error of problems.values()) {
    // What a broken plugin left cannot be taken back by it, but all else can.
    if (!flags['unset']) throw error
    log.warn(messageOf(error))
  }
  const extra = addedOptions(coreOptions, described)
  if (problems.size === 0) checkNames(config, { ...coreOptions, ...extra })
  const settings = configuration.resolve(extra)
  for (const [name, option] of Object.entries(extra)) {
    const value = settings.extra[camelCase(name)]
    if (option.secret && typeof value === 'string') keepSecret(value)
  }
  if (settings.password !== undefined) keepSecret(settings.password)
  if (settings.secretPassphrase !== undefined) keepSecret(settings.secretPassphrase)
  warnAbout({ ...coreOptions, ...extra }, settings, flags, env, log)
  const { platform } = process
  const keyring = createKeyring({ platform, run, env, note: reason => log.debug(`keyring: ${reason}`) })
  return {
    flags,
    env,
    settings,
    extra,
    config,
    paths,
    plugins,
    log,
    terminal,
    keyring,
    vault: createVault({ settings, paths, keyring, platform, run, log }),
    clock: systemClock,
    username: settings.username ?? ownName(env),
  }
}

/** Options only, for what must not read the configuration: root before it has become somebody, and help. */
export function optionsOnly(flags: Flags, env: Env): Settings {
  return resolveSettings(coreOptions, {}, { flags, env, config: emptyConfig })
}

interface SessionChoices {
  /** Takes the place of all that signs in, for a session that only takes back. */
  readonly signer?: string
  readonly carried?: Carried | undefined
}

export async function sessionOf(context: Context, { signer, carried }: SessionChoices = {}): Promise<Session> {
  const planned = planOf(context.config, context.settings)
  const plan = signer === undefined ? planned : { ...planned, auth: [], provider: signer }
  return await openSession({ ...context, plan, ask: context.terminal, onWait: onWaitOf(context), carried })
}

/** Under `--debug` every request has lines of its own. */
function onWaitOf({ settings, env, log, clock }: Context): OnWait | undefined {
  if (settings.quiet || settings.debug || settings.noInput || !canShowWait(env)) return undefined
  const { columns } = process.stderr
  const elapsed = (): number => clock.elapsed()
  return (host, waitedMs) => showWait(host, { write: log.access, columns, elapsed, waitedMs })
}

function warnAbout(table: OptionTable, settings: Settings, flags: Flags, env: Env, log: Log): void {
  if (flags['secret-passphrase'] !== undefined) {
    log.warn(
      'a passphrase on the command line can be read by other users of this machine',
      'CLOUDTOKEN_SECRET_PASSPHRASE',
    )
  }
  if (flags['password'] !== undefined) {
    log.warn(
      'a password on the command line can be read by other users of this machine',
      'cloudtoken --password-file FILE',
    )
  }
  if (settings.debugWithSecrets) log.warn('--debug-with-secrets shows no secrets any more; it is the same as --debug')
  const known = Object.entries(table).flatMap(([name, option]) => [name, ...(option.alias ?? [])])
  const variables = known.map(variableOf)
  for (const name of Object.keys(env)) {
    if (!name.startsWith('CLOUDTOKEN_') || variables.includes(name) || name === 'CLOUDTOKEN_BIN') continue
    const near = nearest(name, variables)
    log.warn(`the variable ${name} means nothing to cloudtoken`, near && `did you mean ${near}?`)
  }
}

function ownName(env: Env): string {
  try {
    return userInfo().username
  } catch (error) {
    const name = env['USER'] || env['LOGNAME']
    if (name) return name
    throw failure('config', 'the system does not know the name of this user', { hint: '--username NAME', cause: error })
  }
}
