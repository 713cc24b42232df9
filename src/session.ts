/**
 * One login: a provider, its cookies, the assertion, a role, and the credentials that came of them.
 */
import path from 'node:path'
import { fetchAccountNames } from './account-names.ts'
import { accountOf, isRoleArn, partitionOf } from './arn.ts'
import { checkFresh, checkStatus, readAssertion, type SamlResponse } from './assertion.ts'
import { followChain, planChain, sessionNameFrom } from './chain.ts'
import type { Config } from './config.ts'
import { failure, isFailure, messageOf } from './errors.ts'
import { remove, type Paths } from './files.ts'
import { createHttp, type HttpClient } from './http.ts'
import { identityFolder, type Plan } from './identity.ts'
import type { Keyring } from './keyring.ts'
import { keepSecret, type Log } from './log.ts'
import type { Settings } from './options.ts'
import { createPasswordSource, type PasswordSource } from './password.ts'
import { openPipeline, type Attempt } from './pipeline.ts'
import type { ProviderPlugin } from './plugin.ts'
import type { Plugins } from './plugins.ts'
import type { Ask, Store } from './provider.ts'
import { chooseRole, offeredRoles } from './roles.ts'
import { folderStore } from './store.ts'
import { assumeRoleWithSaml, assumeRoleWithWebIdentity, isExpiredAssertion } from './sts.ts'
import type { StsOptions } from './sts-call.ts'
import { awsTime } from './tokens.ts'
import type { Assertion, Clock, Credentials, Role } from './types.ts'
import { readClaims } from './web-token.ts'

export interface SessionOptions {
  readonly settings: Settings
  readonly plan: Plan
  readonly config: Pick<Config, 'aliases'>
  readonly username: string
  readonly paths: Paths
  readonly env: Readonly<Record<string, string | undefined>>
  readonly ask: Ask
  readonly keyring: Keyring
  readonly plugins: Plugins
  readonly clock: Clock
  readonly log: Log
}

/** What a sign-in brought: an assertion to choose a role from, or credentials at once. */
export type SignedIn =
  | { readonly kind: 'saml'; readonly assertion: SamlResponse }
  | { readonly kind: 'credentials'; readonly credentials: Credentials }

export interface Session {
  /** Nothing of it may be kept for another process: whoever may sign in is decided anew each time. */
  readonly ephemeral: boolean
  /** The same for each login with the same account at the same place. */
  readonly identity: string
  /** Tells sets of the same role apart that differ in what follows it; empty where nothing does. */
  readonly variant: string
  /** Files beside the configuration that decide about the credentials. */
  readonly dependsOn: readonly string[]
  /** The provider's files, and ours beside them. */
  readonly store: Store
  signIn(mode: 'login' | 'refresh', signal: AbortSignal): Promise<SignedIn>
  /** Credentials of the role, or of the last one of the chain. Signs in once more when the assertion grew too old at the role menu. */
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
  /** What plugins and exporters left, the cookies, the cached credentials and the stored password. */
  forget(): Promise<void>
}

const cookieFile = 'cookies.json'
const roleFile = 'last-role.json'
const accountFile = 'accounts.json'
const signInFile = 'signed-in'
const idpSessionFile = 'idp-session-end'

export async function openSession(options: SessionOptions): Promise<Session> {
  const { settings, username, paths, env, clock, log } = options
  const pipeline = await openPipeline(options)
  const { provider } = pipeline
  const chain = planChain(settings, options.config.aliases)
  const identity = identityFolder(provider.name, settings, username)
  const folder = path.join(paths.state, 'identities', identity)
  const store = folderStore(folder)
  // STS gets no cookies of the identity provider, and keeps none.
  const http = createHttp({ timeoutMs: 15_000, log })
  /** How far the identity provider's clock is ahead of ours, ms: its assertions are judged by its own time. */
  let skew = 0
  let last: Attempt = { mode: 'login', ask: options.ask, signal: new AbortController().signal }
  /** What the chain starts from. */
  let source: Credentials | undefined

  async function signIn(mode: 'login' | 'refresh', signal: AbortSignal): Promise<SignedIn> {
    const signedIn = await enter(mode, signal)
    if (signedIn.kind === 'saml') return signedIn
    return { kind: 'credentials', credentials: await follow(signedIn.credentials, signal) }
  }

  async function follow(first: Credentials, signal: AbortSignal): Promise<Credentials> {
    if (chain.hops.length === 0) return first
    source = first
    const { roleArn, samlProvider: providerArn = '' } = first
    const last = await followChain(first, { ...stsOptions(signal), chain, username })
    return { ...last, sourceRole: { roleArn, providerArn } }
  }

  /** The source of the chain, as long as it is any good. */
  function remaining(): Credentials | undefined {
    return source && source.expiration.getTime() > clock.now() + 60_000 ? source : undefined
  }

  function stsOptions(signal: AbortSignal): StsOptions {
    return { region: settings.region, env, now: () => clock.now(), http, log, signal }
  }

  async function enter(mode: 'login' | 'refresh', signal: AbortSignal): Promise<SignedIn> {
    const ask = mode === 'refresh' ? silent(options.ask) : options.ask
    const password = createPasswordSource({ ...options, ask })
    last = { mode, ask, signal }
    await pipeline.beforeSignIn(last, folder)
    const pages = createHttp({ cookies: store.read(cookieFile), signal, log })
    const plugin = pipeline.contextOf(provider.name, 'auth', last, folder)
    const context = { ...plugin, password: password.get, http: pages, store, clock }
    const answer = await authenticate(provider, context, password).finally(() => keepCookies(pages, store))
    await password.accepted()
    await pipeline.afterSignIn(answer, last, folder)
    skew = pages.skewMs() ?? 0
    if (mode === 'login') store.write(signInFile, new Date(clock.now()).toISOString())
    if (answer.kind === 'credentials') return { kind: 'credentials', credentials: answer.credentials }
    if (answer.kind === 'oidc') {
      return { kind: 'credentials', credentials: await exchangeToken(answer.token, answer.role, signal) }
    }
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
    return await follow(await assumeFirst(role, assertion, mode, signal), signal)
  }

  async function assumeFirst(
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
      const again = await enter(mode, signal)
      if (again.kind === 'credentials') return again.credentials
      return await exchange(sameRole(role, again.assertion), again.assertion, signal)
    }
  }

  async function exchange(role: Role, assertion: SamlResponse, signal: AbortSignal): Promise<Credentials> {
    checkFresh(assertion, clock.now() + skew)
    return await assumeRoleWithSaml({
      ...stsOptions(signal),
      role,
      response: assertion.response,
      durationSeconds: settings.sessionDuration,
      suggestedSeconds: assertion.sessionDuration,
      scope: chain.scope,
    })
  }

  async function exchangeToken(token: string, role: string | undefined, signal: AbortSignal): Promise<Credentials> {
    keepSecret(token)
    const roleArn = role ?? settings.role
    if (roleArn === undefined || !isRoleArn(roleArn)) {
      const message = `${provider.name} needs the ARN of the role`
      throw failure('usage', message, { hint: '--role arn:aws:iam::ACCOUNT:role/NAME' })
    }
    return await assumeRoleWithWebIdentity({
      ...stsOptions(signal),
      roleArn,
      token,
      claims: readClaims(token),
      sessionName: chain.sessionName ?? sessionNameFrom(`cloudtoken-${username}`),
      durationSeconds: settings.sessionDuration,
      scope: chain.scope,
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
    ephemeral: provider.ephemeral === true,
    identity,
    variant: chain.hops.length > 0 || Object.keys(chain.scope).length > 0 ? JSON.stringify(chain) : '',
    dependsOn: settings.sessionPolicy,
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
      try {
        const signedIn = await shareSignIn(role, signal)
        if (signedIn.kind === 'credentials') return signedIn.credentials
        return await assume(sameRole(role, signedIn.assertion), signedIn.assertion, 'refresh', signal)
      } catch (error) {
        // Sessions of a chain are short: its source may be good for more of them.
        const rest = signal.aborted ? undefined : remaining()
        if (!rest) throw error
        log.warn(`${messageOf(error)}; the chain goes on from ${rest.roleArn}, until ${awsTime(rest.expiration)}`)
        return await follow(rest, signal)
      }
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
    export: (credentials, daemon) => pipeline.handOn(credentials, daemon, last, folder),
    lastSignIn: () => store.read(signInFile),
    idpSessionEnd: () => readDate(store.read(idpSessionFile)),
    async forget() {
      await pipeline.forget(last, folder, store)
      remove(folder)
      if (!settings.skipKeyring) await options.keyring.remove(settings.keyringName, username)
    },
  }
}

/** Exactly this role, never a pattern. */
function sameRole(role: Role, assertion: SamlResponse): Role {
  return chooseRole(offeredRoles(assertion, { last: role }), { last: role }).role ?? role
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
