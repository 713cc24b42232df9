/**
 * What runs in which order: `pre_auth` once, then the sign-in with the stages around it, then all that is given the
 * credentials. Each leaves its result to those after it; a renewal replaces it in its place.
 */
import path from 'node:path'
import type { Stage } from './config.ts'
import { failure, isFailure, messageOf } from './errors.ts'
import { findExporter, isExporter } from './exporters.ts'
import type { Paths } from './paths.ts'
import { createHttp } from './http.ts'
import { openNetwork } from './http-network.ts'
import type { Plan } from './identity.ts'
import type { Log } from './log.ts'
import { unknownName } from './names.ts'
import type { Settings } from './options.ts'
import type { DataEntry, ExporterPlugin, Plugin, PluginContext, ProviderPlugin, StagePlugin } from './plugin.ts'
import { notLoadable, type Plugins } from './plugins.ts'
import type { Ask, Store } from './provider.ts'
import { findProvider, providerNames } from './providers.ts'
import { folderStore } from './store.ts'
import { toTokens } from './tokens.ts'
import type { Assertion, Clock, Credentials } from './types.ts'

export interface PipelineOptions {
  readonly settings: Settings
  readonly plan: Plan
  readonly username: string
  readonly paths: Paths
  readonly env: Readonly<Record<string, string | undefined>>
  readonly plugins: Plugins
  readonly clock: Clock
  readonly log: Log
  readonly carried?: PipelineState | undefined
}

/** What a pipeline knows, for the process that goes on with it; JSON. */
export interface PipelineState {
  readonly data: readonly DataEntry[]
  /** `pre_auth` has run. */
  readonly checked: boolean
}

/** One attempt to sign in, or to renew. */
export interface Attempt {
  readonly mode: 'login' | 'refresh'
  readonly ask: Ask
  readonly signal: AbortSignal
}

export interface Pipeline {
  readonly provider: ProviderPlugin
  /** What a plugin is given beyond what its kind is given; `folder` is that of the identity. */
  contextOf(name: string, stage: Stage, attempt: Attempt, folder: string): PluginContext
  /** `pre_auth`, on the first call only, and the stages before the provider. */
  beforeSignIn(attempt: Attempt, folder: string): Promise<void>
  /** Keeps the assertion for the stages between provider and role, and runs them. */
  afterSignIn(assertion: Assertion, attempt: Attempt, folder: string): Promise<void>
  handOn(credentials: Credentials, daemon: boolean, attempt: Attempt, folder: string): Promise<void>
  state(): PipelineState
  /** Asks each to take back what it left; one that cannot is told and does not stop the others. */
  forget(attempt: Attempt, folder: string, identityStore: Store): Promise<void>
}

/** The first of those that get the credentials which is nowhere to be found. */
export function unknownExporter({ exporters }: Plan, plugins: Pick<Plugins, 'find'>): string | undefined {
  return exporters.find(name => !isExporter(name) && !plugins.find(name))
}

export async function openPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { settings, plan, username, paths, env, plugins, clock, log } = options
  const loaded = new Map<string, Plugin>()
  const data: DataEntry[] = [...(options.carried?.data ?? [])]
  let checked = options.carried?.checked ?? false
  const { before, provider, after } = await signInSteps()

  const pipeline: Pipeline = {
    provider,
    contextOf(name, stage, { mode, ask, signal }, folder) {
      const own = path.join(folder, `plugin-${name}`)
      // An assertion is for the sign-in; those after it have the credentials.
      const shown = stage === 'post_auth' ? data.filter(entry => !entry.contains_samlresponse) : [...data]
      const flags = mode === 'refresh' ? { daemon_mode: true as const } : {}
      const context = { settings, username, stage, data: shown, flags, mode, ask, signal, log }
      return { ...context, store: folderStore(own), folder: own }
    },
    async beforeSignIn(attempt, folder) {
      // A renewal gets new credentials all the same.
      const unknown = attempt.mode === 'login' ? unknownExporter(plan, plugins) : undefined
      if (unknown !== undefined) await handler(unknown)
      if (!checked)
        for (const name of plan.preAuth) await runStage(await stage(name, 'pre_auth'), 'pre_auth', attempt, folder)
      checked = true
      for (const step of before) await runStage(step, 'auth', attempt, folder)
    },
    async afterSignIn(assertion, attempt, folder) {
      if (assertion.kind === 'saml')
        put({ plugin: provider.name, data: assertion.response, contains_samlresponse: true })
      if (assertion.kind === 'credentials') checkCredentials(assertion.credentials)
      for (const step of after) await runStage(step, 'auth', attempt, folder)
    },
    async handOn(credentials, daemon, attempt, folder) {
      put({ plugin: 'saml', data: toTokens(credentials) })
      for (const name of plan.exporters) {
        const { kind, plugin } = await handler(name)
        if (settings.dryRun && !(kind === 'exporter' && plugin.previews)) continue
        log.debug(`running ${plugin.name}`)
        const context = { ...pipeline.contextOf(plugin.name, 'post_auth', attempt, folder), credentials }
        put({
          plugin: plugin.name,
          data: kind === 'stage' ? await plugin.run(context) : await plugin.write({ ...context, paths, env, daemon }),
        })
      }
    },
    state: () => ({ data, checked }),
    async forget(attempt, folder, identityStore) {
      const steps: (readonly [stage: Stage, load: () => Promise<Plugin['plugin']>])[] = [
        ...plan.preAuth.map(name => ['pre_auth', () => stage(name, 'pre_auth')] as const),
        ...[...before, provider, ...after].map(plugin => ['auth', () => Promise.resolve(plugin)] as const),
        ...plan.exporters.map(name => ['post_auth', async () => (await handler(name)).plugin] as const),
      ]
      // Whoever ends a session elsewhere does so without the cookies of its pages.
      const http = createHttp({
        network: openNetwork(settings, env, () => clock.now()),
        timeoutMs: 15_000,
        signal: attempt.signal,
        log,
      })
      for (const [stage, load] of steps) {
        try {
          const plugin = await load()
          const plain = pipeline.contextOf(plugin.name, stage, attempt, folder)
          const context = { ...plain, paths, env, daemon: false, http, clock }
          await plugin.forget?.(plugin === provider ? { ...context, store: identityStore } : context)
        } catch (error) {
          if (isFailure(error) && error.kind === 'cancelled') throw error
          log.warn(messageOf(error), isFailure(error) ? error.hint : undefined)
        }
      }
    },
  }
  return pipeline

  function put(entry: DataEntry): void {
    if (entry.data === undefined) return
    const at = data.findIndex(each => each.plugin === entry.plugin)
    if (at < 0) data.push(entry)
    else data[at] = entry
  }

  async function runStage(step: StagePlugin, stage: Stage, attempt: Attempt, folder: string): Promise<void> {
    log.debug(`running ${step.name}`)
    put({ plugin: step.name, data: await step.run(pipeline.contextOf(step.name, stage, attempt, folder)) })
  }

  /** A file in `plugins/` comes before what is built in, and that before what is on PATH. */
  async function third(name: string, where?: 'folder'): Promise<Plugin | undefined> {
    const known = loaded.get(name)
    if (known) return known
    const found = plugins.find(name, where)
    const plugin = found && (await plugins.load(found))
    if (plugin) loaded.set(name, plugin)
    return plugin
  }

  async function stage(name: string, place: Stage): Promise<StagePlugin> {
    const plugin = await third(name)
    if (!plugin) throw notLoadable(name)
    if (plugin.kind !== 'stage') throw misplaced(name, plugin.kind, place)
    return plugin.plugin
  }

  async function handler(name: string): Promise<Exclude<Plugin, { kind: 'provider' }>> {
    const plugin = await third(name, isExporter(name) ? 'folder' : undefined)
    if (plugin?.kind === 'provider') throw misplaced(name, 'provider', 'post_auth')
    if (plugin) return plugin
    const builtIn: ExporterPlugin = await findExporter(name).catch(error => {
      throw error instanceof Error && isFailure(error) && /did you mean/.test(error.hint ?? '')
        ? error
        : notLoadable(name)
    })
    return { kind: 'exporter', plugin: builtIn }
  }

  /** Not only who signs in, but also that nothing else is wrong with the stage, before anything is asked. */
  async function signInSteps(): Promise<{ before: StagePlugin[]; provider: ProviderPlugin; after: StagePlugin[] }> {
    const before: StagePlugin[] = []
    const after: StagePlugin[] = []
    let provider: ProviderPlugin | undefined
    for (const name of plan.auth) {
      const plugin = await signer(name)
      if (plugin.kind === 'exporter') throw misplaced(name, 'exporter', 'auth')
      if (plugin.kind === 'stage') (provider ? after : before).push(plugin.plugin)
      else if (plan.provider === undefined && provider) {
        const message = `plugins.auth names two sign-ins: ${provider.name} and ${name}`
        throw failure('config', message, { hint: `cloudtoken --provider ${name}` })
      } else if (plan.provider === undefined) provider = plugin.plugin
    }
    const name = plan.provider ?? (provider ? undefined : plan.guess)
    if (name !== undefined) {
      const plugin = await signer(name)
      if (plugin.kind !== 'provider') throw misplaced(name, plugin.kind, 'auth')
      provider = plugin.plugin
    }
    if (!provider) {
      const hint = 'cloudtoken --url URL; to keep it: cloudtoken init --url URL, or url: in config.yaml'
      throw failure('config', 'no identity provider is configured', { hint, code: 'provider-none' })
    }
    return { before, provider: settings.browser ? await shown(provider) : provider, after }
  }

  /** Its pages in the person's own browser, in the place of its own walk. */
  async function shown(provider: ProviderPlugin): Promise<ProviderPlugin> {
    const { browser, throughBrowser } = await import('./provider-browser.ts')
    const { name, summary, entry } = provider
    if (provider.inBrowser) return provider
    const { authenticate, forget } = throughBrowser({
      name,
      summary,
      authenticate: browser.authenticate,
      ...(entry && { entry }),
    })
    return {
      ...provider,
      authenticate,
      async forget(context) {
        await forget?.(context)
        await provider.forget?.(context)
      },
    }
  }

  async function signer(name: string): Promise<Plugin> {
    const inFolder = await third(name, 'folder')
    if (inFolder) return inFolder
    try {
      return { kind: 'provider', plugin: await findProvider(name) }
    } catch (error) {
      if (!isFailure(error) || error.code !== 'provider-unknown') throw error
      const onPath = await third(name)
      if (onPath) return onPath
      throw unknownName(error.message, name, providerNames())
    }
  }

  function checkCredentials({ expiration }: Credentials): void {
    if (expiration.getTime() > clock.now()) return
    const message = `${provider.name} brought credentials that ended at ${expiration.toISOString()}`
    throw failure('plugin', `plugin ${message}`, { code: 'plugin-expired' })
  }
}

function misplaced(name: string, kind: Plugin['kind'], stage: Stage): Error {
  const right = { provider: 'auth', exporter: 'post_auth', stage: 'pre_auth' }[kind]
  const article = kind === 'exporter' ? 'an' : 'a'
  return failure('config', `plugin ${name} is ${article} ${kind} and cannot run in ${stage}`, {
    hint: `put it under plugins.${right} in config.yaml`,
  })
}
