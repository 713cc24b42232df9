/**
 * A plugin in a file of TypeScript or JavaScript: its default export is a plugin, or makes one of the host's tools.
 */
import { pathToFileURL } from 'node:url'
import { failure, isFailure, messageOf, type FailureKind } from './errors.ts'
import { keepSecret } from './log.ts'
import type {
  Description,
  ExporterPlugin,
  ForgetContext,
  Plugin,
  PluginContext,
  ProviderPlugin,
  StagePlugin,
} from './plugin.ts'
import { rootWorksFor, type Found } from './plugin-find.ts'
import { createLimit } from './plugin-limit.ts'
import type { Running } from './plugin-executable.ts'
import { readAssertion, readOptions } from './plugin-protocol.ts'
import type { Ask } from './provider.ts'
import { run } from './run.ts'
import { toTokens } from './tokens.ts'
import type { Assertion } from './types.ts'

/** What a factory is given; `cloudtoken plugins types` prints these as a declaration file. */
export async function hostApi() {
  const { formProvider } = await import('./form-login.ts')
  return {
    /** An error that a person is meant to read, with the exit code of its kind. */
    failure: (kind: FailureKind, message: string, detail: { hint?: string; code?: string } = {}) =>
      failure(kind, message, detail),
    /** A provider that walks the pages of an identity provider. */
    formProvider,
    /** Runs a program to its end, without a shell. */
    run,
    /** From here on every log shows stars for this text. */
    keepSecret,
  }
}

export interface LoadedModule {
  readonly description: Description
  readonly plugin: Plugin
}

/** Rejects with kind `plugin`, and with `config` where modules are not run. */
export async function loadModule(found: Found, running: Running): Promise<LoadedModule> {
  const { name } = found
  if (rootWorksFor(running.env)) {
    throw failure('config', `plugin ${name} is a module, and modules do not run as root for somebody else`, {
      hint: 'run cloudtoken without sudo',
      code: 'plugin-root',
    })
  }
  const broken = (what: string, cause?: unknown): Error =>
    failure('plugin', `plugin ${name} ${what}`, { hint: `look at ${found.path}`, code: 'plugin-broken', cause })
  let value: unknown
  try {
    const module: { default?: unknown } = await import(pathToFileURL(found.path).href)
    value = module.default
    if (typeof value === 'function') value = await value(await hostApi())
  } catch (error) {
    throw broken(`cannot be loaded: ${messageOf(error).split('\n')[0]}`, error)
  }
  const plugin = kindOf(value)
  if (!plugin) throw broken('has no default export with a name, a summary, and authenticate, write or run')
  const { summary, options } = plugin.plugin
  try {
    const description = { name, summary, kind: plugin.kind, options: readOptions(options) }
    return { description, plugin: guarded(name, plugin, running) }
  } catch (error) {
    throw broken(`declares ${messageOf(error)}`)
  }
}

function kindOf(value: unknown): Plugin | undefined {
  if (typeof value !== 'object' || value === null || !('summary' in value) || typeof value.summary !== 'string')
    return undefined
  const has = (method: string): boolean => typeof Reflect.get(value, method) === 'function'
  // What the methods take and give is checked when they are used.
  if (has('authenticate')) return { kind: 'provider', plugin: value as Extract<Plugin, { kind: 'provider' }>['plugin'] }
  if (has('write')) return { kind: 'exporter', plugin: value as Extract<Plugin, { kind: 'exporter' }>['plugin'] }
  if (has('run')) return { kind: 'stage', plugin: value as Extract<Plugin, { kind: 'stage' }>['plugin'] }
  return undefined
}

/** The same with its failures named and its time limited. */
function guarded(name: string, loaded: Plugin, running: Running): Plugin {
  const limited =
    <C extends PluginContext, T>(work: (context: C) => Promise<T>): ((context: C) => Promise<T>) =>
    context =>
      withinLimit(name, running, context, work)
  const forgetting = limited(async (context: ForgetContext) => await loaded.plugin.forget?.(context))
  const forget = loaded.plugin.forget ? { forget: forgetting } : {}
  switch (loaded.kind) {
    case 'provider': {
      const { kind, plugin } = loaded
      type Context = Parameters<ProviderPlugin['authenticate']>[0]
      const authenticate = limited(async (context: Context) => checked(await plugin.authenticate(context)))
      return { kind, plugin: { ...plugin, name, authenticate, ...forget } }
    }
    case 'exporter': {
      const { kind, plugin } = loaded
      type Context = Parameters<ExporterPlugin['write']>[0]
      return {
        kind,
        plugin: { ...plugin, name, write: limited(async (context: Context) => await plugin.write(context)), ...forget },
      }
    }
    case 'stage': {
      const { kind, plugin } = loaded
      type Context = Parameters<StagePlugin['run']>[0]
      return {
        kind,
        plugin: { ...plugin, name, run: limited(async (context: Context) => await plugin.run(context)), ...forget },
      }
    }
  }
}

/** A module is not held to its types: what it brought is read as if it came over a pipe. */
function checked(assertion: Assertion): Assertion {
  if (assertion?.kind !== 'credentials') return readAssertion(assertion)
  const { credentials } = readAssertion({
    kind: 'credentials',
    credentials: toTokens(assertion.credentials),
  }) as Extract<Assertion, { kind: 'credentials' }>
  return { kind: 'credentials', credentials }
}

async function withinLimit<C extends PluginContext, T>(
  name: string,
  { timeoutMs, log }: Running,
  context: C,
  work: (context: C) => Promise<T>,
): Promise<T> {
  const { promise: late, reject: expire } = Promise.withResolvers<never>()
  late.catch(() => {})
  const limit = createLimit({
    ms: timeoutMs,
    onSilence: () => log.info(`waiting for the plugin ${name}`),
    onExpire: () =>
      expire(
        failure('plugin', `plugin ${name} gave no result within ${timeoutMs / 1000} s`, { code: 'plugin-broken' }),
      ),
  })
  const paused = async <A>(question: Promise<A>): Promise<A> => {
    limit.pause()
    try {
      return await question
    } finally {
      limit.resume()
    }
  }
  const { ask } = context
  const patient: Ask = {
    text: (message, initial) => paused(ask.text(message, initial)),
    secret: message => paused(ask.secret(message)),
    choose: (message, choices) => paused(ask.choose(message, choices)),
    confirm: (message, initial) => paused(ask.confirm(message, initial)),
    tell: ask.tell,
  }
  try {
    return await Promise.race([work({ ...context, ask: patient }), late])
  } catch (error) {
    if (context.signal.aborted) throw error
    if (!isFailure(error))
      throw failure('plugin', `plugin ${name}: ${messageOf(error)}`, { code: 'plugin-broken', cause: error })
    if (error.message.startsWith(`plugin ${name} `)) throw error
    throw failure(error.kind, `plugin ${name}: ${error.message}`, error)
  } finally {
    limit.stop()
  }
}
