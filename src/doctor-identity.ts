/**
 * A sign-in that ends where a person would be asked: what is wrong with an identity shows before a password is typed.
 * Nothing of it is kept.
 */
import path from 'node:path'
import process from 'node:process'
import { findBrowser, isProgram } from './browser-find.ts'
import { ok, problem, type Finding } from './doctor.ts'
import { failure } from './errors.ts'
import { openNetwork, type Network } from './http-network.ts'
import { createHttp } from './http.ts'
import { identityFolder } from './identity.ts'
import { openPipeline, type PipelineOptions } from './pipeline.ts'
import type { ProviderPlugin } from './plugin.ts'
import type { Ask, Store } from './provider.ts'
import { providerNames } from './providers.ts'
import { sessionFiles, type SessionFiles } from './session-files.ts'
import { sealedStore, type Vault } from './vault.ts'

const check = 'identity'
/** Somebody waits for the answer. */
const patience = 20_000

export interface JudgedSignIn extends PipelineOptions {
  readonly vault: Vault
}

/** What stands in the way of the sign-in of these settings; asks nobody and writes nothing. */
export async function judgeIdentity(options: JudgedSignIn): Promise<Finding[]> {
  const { settings, username, paths, env } = options
  try {
    const { provider } = await openPipeline(options)
    const { name } = provider
    const entry = provider.entry?.(settings)
    if (entry === undefined || !providerNames().includes(name)) return [ok(check, `${name} has no page to look at`)]
    const network = openNetwork(settings, env)
    await createHttp({ network, timeoutMs: patience, log: options.log }).request({ url: entry })
    if (settings.browser || provider.inBrowser) {
      const browser = findBrowser(settings.browserPath, { platform: process.platform, env, isProgram })
      return [ok(check, `${new URL(entry).host} answers, and ${browser.name} will show its pages`)]
    }
    const files = sessionFiles(path.join(paths.state, 'identities', identityFolder(name, settings, username)))
    return [ok(check, await tryOut(provider, files, network, options))]
  } catch (error) {
    return [problem(check, error)]
  }
}

/** How far it came without a person; fails as a sign-in would. */
async function tryOut(
  provider: ProviderPlugin,
  files: SessionFiles,
  open: Network,
  options: JudgedSignIn,
): Promise<string> {
  const { settings, username, log, clock } = options
  const signal = AbortSignal.timeout(patience)
  let reached: string | undefined
  const stop = (what: string): Promise<never> => {
    reached ??= what
    return Promise.reject(failure('person', what))
  }
  const ask: Ask = {
    text: question => stop(`it asks “${question}”`),
    secret: question => stop(`it asks “${question}”`),
    choose: question => stop(`it lets you choose: “${question}”`),
    confirm: question => stop(`it asks “${question}”`),
    tell: message => log.debug(message),
  }
  const store = shadow(files.store)
  // What is sealed is read where that takes no question.
  const closed = { ...ask, secret: () => Promise.reject(failure('person', 'nobody is asked')) }
  // It opens by the place that it has, which nothing else of a trial is told.
  const { pathOf } = files.store
  const placed = { ...store, ...(pathOf && { pathOf }) }
  const secrets = sealedStore(placed, { ...options.vault, seal: async () => undefined }, () => closed)
  const plugin = { stage: 'auth', data: [], flags: {}, folder: '', store, secrets } as const
  const base = { settings, username, ask, mode: 'login', signal, clock, log } as const
  const password = (): Promise<string> => stop(`its pages are understood; it wants the password of ${username}`)
  try {
    const network = await open.withCertificate(ask.secret)
    const http = createHttp({ network, cookies: await files.cookies(secrets), signal, log })
    await provider.authenticate({ ...base, ...plugin, http, password })
    return 'its session still lives: no password will be asked'
  } catch (error) {
    if (reached === undefined) throw error
    return reached
  }
}

/** Reads what is there, and keeps what is written to itself. */
function shadow(store: Store): Store {
  const written = new Map<string, string | undefined>()
  return {
    read: name => (written.has(name) ? written.get(name) : store.read(name)),
    write: (name, text) => void written.set(name, text),
    remove: name => void written.set(name, undefined),
  }
}
