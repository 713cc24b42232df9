/**
 * One login: a provider, its cookies, the assertion, a role, and the credentials that came of them.
 */
import path from 'node:path'
import { fetchAccountNames } from './account-names.ts'
import { accountOf, partitionOf } from './arn.ts'
import { checkFresh, checkStatus, readAssertion, type SamlResponse } from './assertion.ts'
import { failure, isFailure } from './errors.ts'
import { findExporter } from './exporters.ts'
import { remove, type Paths } from './files.ts'
import { createHttp, type HttpClient } from './http.ts'
import { identityFolder, type Plan } from './identity.ts'
import type { Keyring } from './keyring.ts'
import { keepSecret, type Log } from './log.ts'
import { unknownName } from './names.ts'
import type { Settings } from './options.ts'
import { createPasswordSource, type PasswordSource } from './password.ts'
import type { Ask, Provider, ProviderContext, Store } from './provider.ts'
import { findProvider, providerNames } from './providers.ts'
import { chooseRole, offeredRoles } from './roles.ts'
import { folderStore } from './store.ts'
import { assumeRoleWithSaml, isExpiredAssertion } from './sts.ts'
import type { Clock, Credentials, Role } from './types.ts'

export interface SessionOptions {
  readonly settings: Settings
  readonly plan: Plan
  readonly username: string
  readonly paths: Paths
  readonly env: Readonly<Record<string, string | undefined>>
  readonly ask: Ask
  readonly keyring: Keyring
  readonly clock: Clock
  readonly log: Log
}

/** What a sign-in brought: an assertion to choose a role from, or credentials at once. */
export type SignedIn =
  | { readonly kind: 'saml'; readonly assertion: SamlResponse }
  | { readonly kind: 'credentials'; readonly credentials: Credentials }

export interface Session {
  /** The provider's files, and ours beside them. */
  readonly store: Store
  signIn(mode: 'login' | 'refresh', signal: AbortSignal): Promise<SignedIn>
  /** Signs in once more when the assertion grew too old at the role menu. */
  assume(role: Role, assertion: SamlResponse, mode: 'login' | 'refresh', signal: AbortSignal): Promise<Credentials>
  /** Account id to name: from config.yaml, from the last time, else from the sign-in page of AWS. Never a failure. */
  accountNames(assertion: SamlResponse, known: Readonly<Record<string, string>>): Promise<ReadonlyMap<string, string>>
  /** A whole silent round for exactly this role; never asks. */
  renew(role: Role, signal: AbortSignal): Promise<Credentials>
  /** The same for another role by name or ARN, exactly one of those that the identity provider offers; never asks. */
  take(wish: string, signal: AbortSignal): Promise<{ role: Role; credentials: Credentials }>
  /** The role of the last run of this identity, and the file that holds it. */
  lastRole(): Role | undefined
  readonly lastRoleFile: string
  rememberRole(role: Role): void
  export(credentials: Credentials, daemon: boolean): Promise<void>
  /** Changes when a person signed in with this identity, here or in another process. */
  lastSignIn(): string | undefined
  /** When the session at the identity provider ends, where its last assertion said so. */
  idpSessionEnd(): Date | undefined
  /** The cookies, the cached credentials and the stored password; not what the exporters wrote. */
  forget(): Promise<void>
}

const cookieFile = 'cookies.json'
const roleFile = 'last-role.json'
const accountFile = 'accounts.json'
const signInFile = 'signed-in'
const idpSessionFile = 'idp-session-end'

export async function openSession(options: SessionOptions): Promise<Session> {
  const { settings, plan, username, paths, env, clock, log } = options
  const named = await namedProvider(plan.provider)
  const provider = settings.browser ? (await import('./provider-browser.ts')).throughBrowser(named) : named
  const folder = path.join(paths.state, 'identities', identityFolder(provider.name, settings, username))
  const store = folderStore(folder)
  // STS gets no cookies of the identity provider, and keeps none.
  const http = createHttp({ timeoutMs: 15_000, log })
  /** How far the identity provider's clock is ahead of ours, ms: its assertions are judged by its own time. */
  let skew = 0

  async function signIn(mode: 'login' | 'refresh', signal: AbortSignal): Promise<SignedIn> {
    const ask = mode === 'refresh' ? silent(options.ask) : options.ask
    const password = createPasswordSource({ ...options, ask })
    const pages = createHttp({ cookies: store.read(cookieFile), signal, log })
    const context = { settings, username, password: password.get, ask, http: pages, store, mode, signal, clock, log }
    const answer = await authenticate(provider, context, password).finally(() => keepCookies(pages, store))
    await password.accepted()
    skew = pages.skewMs() ?? 0
    if (mode === 'login') store.write(signInFile, new Date(clock.now()).toISOString())
    if (answer.kind === 'credentials') return { kind: 'credentials', credentials: answer.credentials }
    if (answer.kind === 'oidc')
      throw failure('config', `${provider.name} brings an OIDC token, which cannot be exchanged yet`)
    const assertion = readAssertion(answer.response)
    keepSecret(assertion.response)
    checkStatus(assertion)
    if (assertion.sessionNotOnOrAfter) store.write(idpSessionFile, assertion.sessionNotOnOrAfter.toISOString())
    else store.remove(idpSessionFile)
    return { kind: 'saml', assertion }
  }

  async function assume(
    role: Role,
    assertion: SamlResponse,
    mode: 'login' | 'refresh',
    signal: AbortSignal,
  ): Promise<Credentials> {
    try {
      return await exchange(role, assertion, signal)
    } catch (error) {
      // The menu may have stayed open longer than an assertion lives. One that was given cannot be had anew.
      if (!isExpiredAssertion(error) || provider.name === 'saml-response') throw error
      log.debug('the assertion is too old; signing in again')
      const again = await signIn(mode, signal)
      if (again.kind === 'credentials') return again.credentials
      return await exchange(sameRole(role, again.assertion), again.assertion, signal)
    }
  }

  async function exchange(role: Role, assertion: SamlResponse, signal: AbortSignal): Promise<Credentials> {
    checkFresh(assertion, clock.now() + skew)
    const { sessionDuration: durationSeconds, region } = settings
    return await assumeRoleWithSaml({
      role,
      response: assertion.response,
      durationSeconds,
      suggestedSeconds: assertion.sessionDuration,
      region,
      env,
      now: () => clock.now(),
      http,
      log,
      signal,
    })
  }

  let round: { at: number; person: string | undefined; roles: Set<string>; signedIn: Promise<SignedIn> } | undefined

  /**
   * One sign-in for all the roles that are renewed within a minute, its failure included; none takes the same assertion
   * twice, and what a person did meanwhile starts a new one.
   */
  function shareSignIn(role: Role, signal: AbortSignal): Promise<SignedIn> {
    const at = clock.elapsed()
    const person = store.read(signInFile)
    if (!round || at - round.at > 60_000 || round.person !== person || round.roles.has(role.roleArn))
      round = { at, person, roles: new Set(), signedIn: signIn('refresh', signal) }
    round.roles.add(role.roleArn)
    return round.signedIn
  }

  return {
    store,
    signIn,
    assume,
    async accountNames(assertion, known) {
      const kept = readNames(store.read(accountFile))
      const ids = [...new Set(assertion.roles.map(role => accountOf(role.roleArn)))]
      const partition = partitionOf(assertion.roles[0]?.roleArn ?? '')
      let names = new Map([...kept, ...Object.entries(known)])
      if (partition && ids.length > 1 && ids.some(id => !names.has(id))) {
        const { response, destination: acsUrl } = assertion
        const found = await fetchAccountNames({
          http: createHttp({ timeoutMs: 4000, log }),
          response,
          acsUrl,
          partition,
          env,
          log,
        })
        if (found.size > 0) store.write(accountFile, JSON.stringify(Object.fromEntries([...kept, ...found])))
        names = new Map([...kept, ...found, ...Object.entries(known)])
      }
      return names
    },
    async renew(role, signal) {
      const signedIn = await shareSignIn(role, signal)
      if (signedIn.kind === 'credentials') return signedIn.credentials
      return await assume(sameRole(role, signedIn.assertion), signedIn.assertion, 'refresh', signal)
    },
    async take(wish, signal) {
      const signedIn = await signIn('refresh', signal)
      if (signedIn.kind === 'credentials')
        throw failure('role', 'this sign-in brings one set of credentials, not a list of roles')
      const { assertion } = signedIn
      const { role } = chooseRole(offeredRoles(assertion, { role: wish }), { role: wish })
      if (!role) throw failure('role', `${JSON.stringify(wish)} names no role`, { hint: 'cloudtoken roles' })
      return { role, credentials: await assume(role, assertion, 'refresh', signal) }
    },
    lastRole: () => readRole(store.read(roleFile)),
    lastRoleFile: path.join(folder, roleFile),
    rememberRole: role => store.write(roleFile, JSON.stringify(role)),
    async export(credentials, daemon) {
      for (const name of plan.exporters) {
        const exporter = await findExporter(name)
        log.debug(`running ${exporter.name}`)
        await exporter.write({ credentials, settings, paths, env, daemon, log })
      }
    },
    lastSignIn: () => store.read(signInFile),
    idpSessionEnd: () => readDate(store.read(idpSessionFile)),
    async forget() {
      await provider.forget?.({ settings, store, log })
      remove(folder)
      if (!settings.skipKeyring) await options.keyring.remove(settings.keyringName, username)
    },
  }
}

async function namedProvider(name: string): Promise<Provider> {
  try {
    return await findProvider(name)
  } catch (error) {
    if (!isFailure(error) || error.code !== 'provider-unknown') throw error
    throw unknownName(error.message, name, providerNames())
  }
}

/** Exactly this role, never a pattern. */
function sameRole(role: Role, assertion: SamlResponse): Role {
  return chooseRole(offeredRoles(assertion, { last: role }), { last: role }).role ?? role
}

/** A password that the keyring kept may be an old one: say so, and ask the person once. */
async function authenticate(
  provider: Provider,
  context: ProviderContext,
  password: PasswordSource,
): ReturnType<Provider['authenticate']> {
  try {
    return await provider.authenticate(context)
  } catch (error) {
    const stale =
      isFailure(error) && error.code === 'password-refused' && password.wasStored() && context.mode === 'login'
    if (!stale) throw error
    const fresh = await password.get({ refused: true })
    return await provider.authenticate({ ...context, password: () => Promise.resolve(fresh) })
  }
}

/** Also after a failure: what the identity provider set so far, such as a remembered device, is worth keeping. */
async function keepCookies(http: HttpClient, store: Store): Promise<void> {
  const cookies = await http.serializeCookies()
  if (cookies !== undefined && cookies !== store.read(cookieFile)) store.write(cookieFile, cookies)
}

/** In the background nothing asks, and what would be told goes to the log. */
function silent(ask: Ask): Ask {
  const refuse = (): Promise<never> =>
    Promise.reject(
      failure('person', 'the identity provider wants a person to sign in again', { code: 'idp-session-ended' }),
    )
  return { text: refuse, secret: refuse, choose: refuse, confirm: refuse, tell: ask.tell }
}

function readRole(text: string | undefined): Role | undefined {
  const { roleArn, providerArn } = readObject(text)
  return typeof roleArn === 'string' && typeof providerArn === 'string' ? { roleArn, providerArn } : undefined
}

function readDate(text: string | undefined): Date | undefined {
  const time = Date.parse(text ?? '')
  return Number.isNaN(time) ? undefined : new Date(time)
}

function readNames(text: string | undefined): Map<string, string> {
  return new Map(Object.entries(readObject(text)).map(([id, name]) => [id, String(name)]))
}

/** Our own small files; a damaged one counts as none. */
function readObject(text: string | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
