/**
 * `plugins test NAME`: what every plugin has to keep, tried on this one with made-up values in a folder that goes away.
 * Under `--debug` every line of its conversations is shown.
 */
import { readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { systemClock } from './command-context.ts'
import { resolveSettings } from './config.ts'
import { exitCodes, failure, isFailure, messageOf } from './errors.ts'
import { ensureFolder, remove, temporaryFolder } from './files.ts'
import type { Log } from './log.ts'
import { coreOptions } from './options.ts'
import type { Description, ForgetContext, Plugin } from './plugin.ts'
import { converse, type Conversation } from './plugin-exchange.ts'
import { conversationOf, describeExecutable, executablePlugin, helloOf, type Running } from './plugin-executable.ts'
import { checkSafe, type Found } from './plugin-find.ts'
import { loadModule } from './plugin-module.ts'
import { addedOptions, type Plugins } from './plugins.ts'
import { createHttp } from './http.ts'
import { openNetwork } from './http-network.ts'
import type { Ask } from './provider.ts'
import { folderStore } from './store.ts'
import { toTokens } from './tokens.ts'
import type { Credentials } from './types.ts'
import { memorySecrets } from './vault.ts'

/** Long enough for an interpreter on a busy machine. */
const patienceMs = 20_000

interface Subject {
  readonly found: Found
  readonly description: Description
  readonly plugin: Plugin
  readonly running: Running
  /** Everything it may touch. */
  readonly home: string
  readonly log: Log
  readonly trace: NonNullable<Conversation['trace']>
}

interface Check {
  readonly name: string
  readonly of: (subject: Subject) => boolean
  run(subject: Subject): Promise<void>
}

const isExecutable = ({ found }: Subject): boolean => found.form === 'executable'
const is =
  (kind: Plugin['kind']) =>
  (subject: Subject): boolean =>
    subject.plugin.kind === kind

const checks: readonly Check[] = [
  {
    name: 'its options clash with none of cloudtoken',
    of: () => true,
    run: async ({ description }) => void addedOptions(coreOptions, [description]),
  },
  {
    name: 'a protocol that it does not know is an error, not a result',
    of: isExecutable,
    async run(subject) {
      const error = await talk(subject, { protocol: 999 }).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      if (error === undefined) throw new Error('it gave a result under protocol 999')
      if (isFailure(error) && error.code === 'plugin-broken') throw error
    },
  },
  {
    name: 'where nobody can be asked it comes to an end',
    of: is('provider'),
    run: async subject => answersOrFails(subject, 'refresh'),
  },
  {
    name: 'at the sign-in it comes to an end, whatever it is told',
    of: is('provider'),
    run: async subject => answersOrFails(subject, 'login'),
  },
  {
    name: 'it comes to an end, with a result or a named failure',
    of: is('stage'),
    run: async subject => answersOrFails(subject, 'login'),
  },
  {
    name: 'messages and fields that it does not know are ignored',
    of: subject => isExecutable(subject) && subject.plugin.kind !== 'provider',
    run: async subject => await talk(subject, { 'grease-field': { later: true } }, [{ type: 'grease' }]).catch(named),
  },
  {
    name: 'it takes credentials twice, and keeps no file that others can read',
    of: is('exporter'),
    async run(subject) {
      for (const turn of ['first', 'second']) {
        await handle(subject, `secret-of-the-${turn}-turn`)
        for (const file of filesBelow(subject.home)) {
          if (statSync(file).mode & 0o077) throw new Error(`others can read ${path.relative(subject.home, file)}`)
        }
      }
    },
  },
  {
    name: 'it forgets, and forgetting twice is no failure',
    of: ({ plugin }) => plugin.plugin.forget !== undefined,
    async run(subject) {
      for (let turn = 0; turn < 2; turn += 1) await subject.plugin.plugin.forget?.(contextOf(subject, 'login'))
      const left = filesBelow(subject.home)
      if (left.length > 0) throw new Error(`${path.relative(subject.home, left[0] ?? '')} is still there`)
    },
  },
]

export async function testCommand(plugins: Plugins, found: Found, log: Log): Promise<number> {
  let failed = 0
  const verdict = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work()
      log.print(`ok      ${name}`)
    } catch (error) {
      failed += 1
      log.print(`failed  ${name}: ${messageOf(error)}`)
    }
  }
  const home = temporaryFolder()
  const env = { ...plugins.running.env, HOME: home, USERPROFILE: home }
  const running: Running = { ...plugins.running, env, timeoutMs: Math.min(plugins.running.timeoutMs, patienceMs) }
  const trace: Subject['trace'] = (from, line) => log.debug(`${from === 'host' ? '>' : '<'} ${line}`)
  let subject: Subject | undefined
  try {
    await verdict('nobody else can change it', async () => checkSafe(found))
    // What others may have changed is not run, not even for a test.
    if (failed > 0) return exitCodes.plugin
    await plugins.trust.check(found, { ...nobody, confirm: () => Promise.resolve(false) })
    await verdict('it describes itself', async () => {
      subject = { ...(await open(found, running)), found, running, home, log, trace }
    })
    for (const check of checks) {
      const tested = subject
      if (tested && check.of(tested)) await verdict(check.name, () => check.run(tested))
    }
  } finally {
    remove(home)
  }
  return failed > 0 ? exitCodes.plugin : 0
}

async function open(found: Found, running: Running): Promise<Pick<Subject, 'description' | 'plugin'>> {
  if (found.form === 'module') return await loadModule(found, running)
  const description = await describeExecutable(found, running.env)
  return { description, plugin: executablePlugin(found, description, running) }
}

const nobody: Ask = {
  text: () => Promise.reject(failure('person', 'nobody is there')),
  secret: () => Promise.reject(failure('person', 'nobody is there')),
  choose: () => Promise.reject(failure('person', 'nobody is there')),
  confirm: () => Promise.reject(failure('person', 'nobody is there')),
  tell: () => {},
}

/** Somebody who answers anything. */
const anybody: Ask = {
  text: () => Promise.resolve('made up'),
  secret: () => Promise.resolve('made up'),
  choose: (_, [first]) => (first ? Promise.resolve(first.value) : Promise.reject(failure('person', 'no choice'))),
  confirm: () => Promise.resolve(true),
  tell: () => {},
}

function contextOf({ description, running, home, log }: Subject, mode: 'login' | 'refresh'): ForgetContext {
  const stage = ({ provider: 'auth', exporter: 'post_auth', stage: 'pre_auth' } as const)[description.kind]
  const folder = path.join(home, 'private')
  ensureFolder(folder)
  return {
    settings: resolveSettings(coreOptions, description.options, { flags: { url: 'https://127.0.0.1:9/none' } }),
    username: 'charlie',
    stage,
    data: [{ plugin: 'before', data: { a: 1 } }],
    flags: mode === 'refresh' ? { daemon_mode: true } : {},
    mode,
    ask: mode === 'refresh' ? nobody : anybody,
    store: folderStore(folder),
    folder,
    signal: new AbortController().signal,
    log,
    paths: { home, config: path.join(home, 'config'), state: path.join(home, 'state') },
    env: running.env,
    daemon: false,
    http: createHttp({ network: openNetwork({}, running.env), timeoutMs: 5000, log }),
    clock: systemClock,
  }
}

async function answersOrFails(subject: Subject, mode: 'login' | 'refresh'): Promise<void> {
  const { plugin } = subject
  const context = contextOf(subject, mode)
  const password = (): Promise<string> => (mode === 'refresh' ? nobody.secret('') : Promise.resolve('made up'))
  const work = (): Promise<unknown> => {
    if (isExecutable(subject)) return talk(subject, {}, [], mode)
    if (plugin.kind === 'provider') {
      return plugin.plugin.authenticate({ ...context, password, secrets: memorySecrets() })
    }
    return plugin.kind === 'stage' ? plugin.plugin.run(context) : Promise.resolve()
  }
  await work().catch(named)
}

/** A failure that the plugin means is as good as a result. */
function named(error: unknown): void {
  if (!isFailure(error) || error.code === 'plugin-broken') throw error
}

async function talk(
  subject: Subject,
  more: Readonly<Record<string, unknown>>,
  after: readonly object[] = [],
  mode: 'login' | 'refresh' = 'login',
): Promise<void> {
  const { found, description, running, trace } = subject
  const context = { ...contextOf(subject, mode), password: () => contextOf(subject, mode).ask.secret('') }
  const credentials = description.kind === 'exporter' ? { credentials: toTokens(sample('secret-of-no-turn')) } : {}
  const hello = { ...helloOf(context, description, {}), ...credentials, ...more }
  const conversation = conversationOf(found, hello, context, running)
  const { assertion } = await converse({ ...conversation, opening: [hello, ...after], trace })
  if (description.kind === 'provider' && !assertion && more['protocol'] === undefined)
    throw new Error('it gave a result without an assertion')
}

async function handle(subject: Subject, secret: string): Promise<void> {
  const { plugin } = subject
  if (plugin.kind === 'exporter')
    await plugin.plugin.write({ ...contextOf(subject, 'login'), credentials: sample(secret) })
}

function sample(secret: string): Credentials {
  const issued = new Date()
  return {
    accessKeyId: 'ASIAEXAMPLEEXAMPLE12',
    secretAccessKey: secret,
    sessionToken: `${secret}/token`,
    expiration: new Date(issued.getTime() + 3_600_000),
    issued,
    roleArn: 'arn:aws:iam::123456789012:role/Example',
    accountId: '123456789012',
    samlProvider: 'arn:aws:iam::123456789012:saml-provider/example',
    issuer: 'https://idp.example',
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile())
    .map(entry => path.join(entry.parentPath, entry.name))
}
