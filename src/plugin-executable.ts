/**
 * An executable plugin as a plain object of its kind: what it says about itself, and its conversations.
 */
import process from 'node:process'
import { failure, messageOf } from './errors.ts'
import { makePrivate, remove, temporaryFolder } from './files.ts'
import { keepSecret, type Log } from './log.ts'
import { camelCase, type OptionTable, type OptionValue } from './option.ts'
import { coreOptions, type Settings } from './options.ts'
import type { Description, Plugin, PluginContext } from './plugin.ts'
import { converse, type Conversation, type Result } from './plugin-exchange.ts'
import { rootWorksFor, type Found } from './plugin-find.ts'
import { protocol, readDescription, type AskMessage, type Hello } from './plugin-protocol.ts'
import type { ProviderContext } from './provider.ts'
import { run } from './run.ts'
import { toTokens } from './tokens.ts'
import type { Credentials } from './types.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface Running {
  readonly env: Env
  readonly log: Log
  readonly debug: boolean
  readonly timeoutMs: number
}

const describeMs = 10_000

/** Runs it with `--describe`. Rejects with kind `plugin`. */
export async function describeExecutable(found: Found, env: Env): Promise<Description> {
  const { name, path } = found
  const broken = (what: string): Error =>
    failure('plugin', `plugin ${name} ${what}`, { hint: `${path} --describe`, code: 'plugin-broken' })
  const owner = rootWorksFor(env)
  const cwd = temporaryFolder(owner)
  const options = { env: childEnv(env), cwd, timeoutMs: describeMs, ...owner }
  const { code, stdout, stderr } = await run(path, ['--describe'], options)
    .catch(() => {
      throw broken(`does not describe itself within ${describeMs / 1000} s`)
    })
    .finally(() => remove(cwd))
  if (code === 127 && stdout === '') throw broken(`cannot be started: ${stderr.split('\n')[0] ?? ''}`)
  if (code !== 0) throw broken(`ended with exit code ${code} when it was to describe itself`)
  try {
    return readDescription(stdout, name)
  } catch (error) {
    throw broken(`wrote ${messageOf(error)} to describe itself`)
  }
}

export function executablePlugin(found: Found, description: Description, running: Running): Plugin {
  const { name, kind, summary, options } = description
  const about = { name, summary, options }
  const talk = (context: PluginContext, more: Partial<Hello>): Promise<Result> => {
    const owner = rootWorksFor(running.env)
    if (!owner) makePrivate(context.folder)
    return converse({ ...conversationOf(found, helloOf(context, description, more), context, running), owner })
  }
  const forget = async (context: PluginContext): Promise<void> => {
    await talk(context, { action: 'forget' })
  }
  switch (kind) {
    case 'provider': {
      const authenticate = async (context: ProviderContext & PluginContext) => {
        const { assertion } = await talk(context, {})
        if (!assertion) throw failure('plugin', `plugin ${name} gave a result without an assertion`)
        return assertion
      }
      return { kind, plugin: { ...about, authenticate, forget } }
    }
    case 'exporter':
      return {
        kind,
        plugin: {
          ...about,
          write: async ({ credentials, daemon, ...context }) =>
            (await talk(context, { daemon, ...handedOver(credentials) })).data,
          forget,
        },
      }
    case 'stage':
      return {
        kind,
        plugin: {
          ...about,
          run: async ({ credentials, ...context }) =>
            (await talk(context, credentials ? handedOver(credentials) : {})).data,
          forget,
        },
      }
  }
}

/** The parts of a conversation that do not depend on the kind. */
export function conversationOf(found: Found, hello: Hello, context: PluginContext, running: Running): Conversation {
  return {
    name: found.name,
    path: found.path,
    env: childEnv(running.env),
    opening: [hello],
    answer: ask => answerOf(ask, context),
    tell: message => context.ask.tell(message),
    log: running.log,
    debug: running.debug,
    timeoutMs: running.timeoutMs,
    signal: context.signal,
  }
}

export function helloOf(context: PluginContext, { name, options }: Description, more: Partial<Hello>): Hello {
  const { stage, mode, flags, username, folder, data } = context
  const settings = settingsOf(context.settings, options)
  const hello = {
    type: 'hello',
    protocol,
    plugin: name,
    stage,
    action: 'run',
    mode,
    flags,
    username,
    settings,
  } as const
  return { ...hello, folder, data, ...more }
}

function settingsOf(settings: Settings, options: OptionTable): Hello['settings'] {
  const all: Readonly<Record<string, unknown>> = { ...settings, ...settings.extra }
  const values: Record<string, OptionValue> = {}
  for (const name of new Set(['url', 'region', ...Object.keys(options)])) {
    const value = all[camelCase(name)]
    const secret = name in coreOptions && options[name]?.secret
    if (isValue(value) && !secret) values[name] = value
  }
  return values
}

function isValue(value: unknown): value is OptionValue {
  return ['string', 'number', 'boolean'].includes(typeof value) || Array.isArray(value)
}

/** Over the pipe only: in no argument, no variable, no file, and in no log from here on. */
function handedOver(credentials: Credentials): Partial<Hello> {
  keepSecret(credentials.secretAccessKey)
  keepSecret(credentials.sessionToken)
  return { credentials: toTokens(credentials) }
}

async function answerOf(ask: AskMessage, context: PluginContext & Partial<ProviderContext>): Promise<unknown> {
  const { kind, message, choices, initial } = ask
  switch (kind) {
    case 'text':
      return await context.ask.text(message, typeof initial === 'string' ? initial : undefined)
    case 'secret':
      return await context.ask.secret(message)
    case 'confirm':
      return await context.ask.confirm(message, typeof initial === 'boolean' ? initial : undefined)
    case 'choose':
      return await context.ask.choose(message, choices)
    case 'password':
      if (!context.password) throw failure('plugin', 'only a provider may have the password', { code: 'invalid' })
      return await context.password(ask.refused ? { refused: true } : {})
  }
}

/** No secret of ours is in the environment of a child: not the password, nor keys of another session. */
function childEnv(env: Env): Env {
  const kept = Object.entries(env).filter(
    ([name]) =>
      !/^CLOUDTOKEN_|^AWS_(ACCESS_KEY|SECRET|SESSION_TOKEN|SECURITY_TOKEN|CONTAINER_AUTHORIZATION)/.test(name),
  )
  return { ...Object.fromEntries(kept), PATH: env['PATH'] ?? (process.platform === 'win32' ? '' : '/usr/bin:/bin') }
}
