/**
 * From cookies or a password to what the provider brings home, with the stages of the pipeline around it.
 */
import path from 'node:path'
import { checkStatus, readAssertion, type SamlResponse } from './assertion.ts'
import { codeOf, failure, isFailure } from './errors.ts'
import { withLock } from './lock.ts'
import { createHttp, type OnWait } from './http.ts'
import type { Network } from './http-network.ts'
import { keepSecret, type Log } from './log.ts'
import { createPasswordSource, type PasswordOptions, type PasswordSource } from './password.ts'
import { openRefusals } from './password-refused.ts'
import type { Attempt, Pipeline } from './pipeline.ts'
import type { ProviderPlugin } from './plugin.ts'
import type { Ask, Secrets } from './provider.ts'
import type { SessionFiles } from './session-files.ts'
import type { Assertion, Clock } from './types.ts'
import { passwordPlace, sealedStore, type Vault } from './vault.ts'

export interface SignInOptions extends Omit<PasswordOptions, 'refusals'> {
  readonly pipeline: Pipeline
  /** Of the identity. */
  readonly folder: string
  readonly files: SessionFiles
  readonly vault: Vault
  /** Secrets that no file may hold. */
  readonly memory: Map<string, string>
  readonly network: Network
  readonly ask: Ask
  readonly onWait?: OnWait | undefined
  readonly clock: Clock
  readonly log: Log
}

/** What the provider brought; a SAML response is read, and says success. */
export type Brought =
  | { readonly kind: 'saml'; readonly assertion: SamlResponse }
  | Exclude<Assertion, { readonly kind: 'saml' }>

export interface Entrance {
  enter(mode: 'login' | 'refresh', signal: AbortSignal): Promise<Brought>
  /** The last attempt; before the first, one that a person made. */
  last(): Attempt
  readonly secrets: Secrets
  /** How far the identity provider's clock is ahead of ours, ms: its assertions are judged by its own time. */
  skew(): number
}

export function openEntrance(options: SignInOptions): Entrance {
  const { pipeline, folder, files, clock, log } = options
  const { provider } = pipeline
  let skew = 0
  let last: Attempt = { mode: 'login', ask: options.ask, signal: new AbortController().signal }
  const secrets = sealedStore(files.store, options.vault, () => last.ask, options.memory)
  const keyring = passwordPlace(options.settings, options.keyring, secrets)
  return {
    async enter(mode, signal) {
      const ask = mode === 'refresh' ? silent(options.ask) : options.ask
      const work = (): Promise<Brought> => signIn(mode, ask, signal)
      // A renewal asks nobody, so that it has no reason to wait for a person.
      return mode === 'refresh' || provider.ephemeral ? work() : oneAtATime(folder, ask, work)
    },
    last: () => last,
    secrets,
    skew: () => skew,
  }

  async function signIn(mode: 'login' | 'refresh', ask: Ask, signal: AbortSignal): Promise<Brought> {
    const refusals = openRefusals(files.store, () => clock.now())
    const password = createPasswordSource({ ...options, keyring, ask, refusals })
    last = { mode, ask, signal }
    await pipeline.beforeSignIn(last, folder)
    const network = await options.network.withCertificate(question => ask.secret(question))
    const onWait = mode === 'login' ? options.onWait : undefined
    const http = createHttp({ network, cookies: await files.cookies(secrets), signal, log, ...(onWait && { onWait }) })
    const plugin = pipeline.contextOf(provider.name, 'auth', last, folder)
    const context = { ...plugin, password: password.get, http, store: files.store, secrets, clock }
    // Also after a failure: what the identity provider set so far, such as a remembered device, is worth keeping.
    const answer = await authenticate(provider, context, password).finally(() => files.keepCookies(http, secrets))
    await password.accepted()
    await pipeline.afterSignIn(answer, last, folder)
    skew = http.skewMs() ?? 0
    if (mode === 'login') files.keepSignedIn(new Date(clock.now()))
    if (answer.kind === 'roles') files.keepIdpSessionEnd(answer.sessionEnd)
    if (answer.kind !== 'saml') return answer
    const assertion = readAssertion(answer.response)
    keepSecret(assertion.response)
    checkStatus(assertion)
    files.keepIdpSessionEnd(assertion.sessionNotOnOrAfter)
    return { kind: 'saml', assertion }
  }
}

/** How long the person in front of the other process may take, ms. */
const patience = 180_000

/** One password and one second factor for however many start at once: the others find its cookies. */
async function oneAtATime<T>(folder: string, ask: Ask, work: () => Promise<T>): Promise<T> {
  const file = path.join(folder, 'sign-in')
  let begun = false
  const begin = (): Promise<T> => {
    begun = true
    return work()
  }
  return await withLock(file, begin, 0).catch((error: unknown) => {
    if (begun || !isFailure(error) || codeOf(error.cause) !== 'ELOCKED') throw error
    ask.tell('another cloudtoken is signing in with this account; waiting for it')
    return withLock(file, begin, patience)
  })
}

/** A password that the keyring kept may be an old one: say so, and ask the person once. */
async function authenticate(
  provider: ProviderPlugin,
  context: Parameters<ProviderPlugin['authenticate']>[0],
  password: PasswordSource,
): Promise<Assertion> {
  try {
    return await provider.authenticate(context)
  } catch (error) {
    if (isFailure(error) && /^(?:password-refused|account-locked)$/.test(error.code ?? '')) password.refused()
    const stale =
      isFailure(error) && error.code === 'password-refused' && password.wasStored() && context.mode === 'login'
    if (!stale) throw error
    const fresh = await password.get({ refused: true })
    return await provider.authenticate({ ...context, password: () => Promise.resolve(fresh) })
  }
}

/** In the background nothing asks, and what would be told goes to the log. */
function silent(ask: Ask): Ask {
  const refuse = (): Promise<never> =>
    Promise.reject(
      failure('person', 'the identity provider wants a person to sign in again', { code: 'idp-session-ended' }),
    )
  return { text: refuse, secret: refuse, choose: refuse, confirm: refuse, tell: ask.tell }
}
