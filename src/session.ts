/**
 * One login: a provider, its cookies, the assertion, a role, and the credentials that came of them.
 */
import path from 'node:path'
import { isRoleArn } from './arn.ts'
import { checkFresh, type SamlResponse } from './assertion.ts'
import { followChain, planChain, sessionNameFrom } from './chain.ts'
import type { Config } from './config.ts'
import { failure, messageOf } from './errors.ts'
import { remove, type Paths } from './files.ts'
import { createHttp, type OnWait } from './http.ts'
import { openNetwork } from './http-network.ts'
import { identityFolder, type Plan } from './identity.ts'
import type { Keyring } from './keyring.ts'
import { keepSecret, type Log } from './log.ts'
import type { Settings } from './options.ts'
import { openPipeline } from './pipeline.ts'
import type { Plugins } from './plugins.ts'
import type { Ask, Store } from './provider.ts'
import { chooseRole, offeredRoles } from './roles.ts'
import { sessionFiles } from './session-files.ts'
import { beginWithKeys, type Beginning } from './session-keys.ts'
import { findAccountNames } from './session-names.ts'
import { openEntrance, type Brought } from './session-sign-in.ts'
import { assumeRoleWithSaml, assumeRoleWithWebIdentity, isExpiredAssertion, type CallerIdentity } from './sts.ts'
import type { StsOptions } from './sts-call.ts'
import { awsTime } from './tokens.ts'
import type { Clock, Credentials, Role } from './types.ts'
import type { Vault } from './vault.ts'
import { readClaims } from './web-token.ts'

export interface SessionOptions {
  readonly settings: Settings
  readonly plan: Plan
  readonly config: Pick<Config, 'aliases'>
  readonly username: string
  readonly paths: Paths
  readonly env: Readonly<Record<string, string | undefined>>
  readonly ask: Ask
  /** Shows a person that a server is waited for; the answer takes it away. */
  readonly onWait?: OnWait | undefined
  readonly keyring: Keyring
  readonly vault: Vault
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

export async function openSession(options: SessionOptions): Promise<Session> {
  const { settings, username, paths, env, clock, log } = options
  const pipeline = await openPipeline(options)
  const { provider } = pipeline
  const chain = planChain(settings, options.config.aliases)
  const further = chain.hops.length > 0 || Object.keys(chain.scope).length > 0 ? JSON.stringify(chain) : ''
  const variant = `${further}${provider.variant?.(settings) ?? ''}`
  const identity = identityFolder(provider.name, settings, username)
  const folder = path.join(paths.state, 'identities', identity)
  const files = sessionFiles(folder)
  const network = openNetwork(settings, env, () => clock.now())
  const entrance = openEntrance({ ...options, network, pipeline, folder, files })
  // STS gets no cookies of the identity provider, and keeps none.
  const http = createHttp({ network, timeoutMs: 15_000, log })
  const keys = { settings, chain, secrets: entrance.secrets, known: new Map<string, CallerIdentity>() }
  /** What the last chain started from. */
  let source: Beginning | undefined

  async function signIn(mode: 'login' | 'refresh', signal: AbortSignal): Promise<SignedIn> {
    const brought = await entrance.enter(mode, signal)
    if (brought.kind === 'saml') return brought
    return { kind: 'credentials', credentials: await follow(await finished(brought, signal), signal) }
  }

  async function follow(beginning: Beginning, signal: AbortSignal): Promise<Credentials> {
    const { first } = beginning
    if (beginning.chain.hops.length === 0) return first
    source = beginning
    const { roleArn, samlProvider: providerArn = '' } = first
    const last = await followChain(first, { ...stsOptions(signal), chain: beginning.chain, username })
    return { ...last, sourceRole: { roleArn, providerArn } }
  }

  /** What the last chain started from, as long as it is any good. */
  function remaining(): Beginning | undefined {
    return source && source.first.expiration.getTime() > clock.now() + 60_000 ? source : undefined
  }

  function stsOptions(signal: AbortSignal): StsOptions {
    return { region: settings.region, env, now: () => clock.now(), http, log, signal }
  }

  /** Credentials of who has no role to choose. */
  async function finished(brought: Exclude<Brought, { kind: 'saml' }>, signal: AbortSignal): Promise<Beginning> {
    if (brought.kind === 'keys') return await beginWithKeys(brought, keys, entrance.last(), stsOptions(signal))
    const first =
      brought.kind === 'credentials' ? brought.credentials : await exchangeToken(brought.token, brought.role, signal)
    return { first, chain }
  }

  async function assume(
    role: Role,
    assertion: SamlResponse,
    mode: 'login' | 'refresh',
    signal: AbortSignal,
  ): Promise<Credentials> {
    return await follow({ first: await assumeFirst(role, assertion, mode, signal), chain }, signal)
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
      const again = await entrance.enter(mode, signal)
      if (again.kind !== 'saml') return (await finished(again, signal)).first
      return await exchange(sameRole(role, again.assertion), again.assertion, signal)
    }
  }

  async function exchange(role: Role, assertion: SamlResponse, signal: AbortSignal): Promise<Credentials> {
    checkFresh(assertion, clock.now() + entrance.skew())
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
    const person = files.signedIn()
    if (!round || at - round.at > 60_000 || round.person !== person || round.roles.has(role.roleArn))
      round = { at, person, roles: new Set(), signedIn: signIn('refresh', signal) }
    round.roles.add(role.roleArn)
    return round.signedIn
  }

  return {
    ephemeral: provider.ephemeral === true,
    identity,
    variant,
    dependsOn: [...settings.sessionPolicy, ...(provider.dependsOn?.(settings) ?? [])],
    store: files.store,
    signIn,
    assume,
    accountNames: (assertion, known) => findAccountNames({ assertion, known, files, network, env, log }),
    async renew(role, signal) {
      try {
        const signedIn = await shareSignIn(role, signal)
        if (signedIn.kind === 'credentials') return signedIn.credentials
        return await assume(sameRole(role, signedIn.assertion), signedIn.assertion, 'refresh', signal)
      } catch (error) {
        // Sessions of a chain are short: its source may be good for more of them.
        const rest = signal.aborted ? undefined : remaining()
        if (!rest) throw error
        log.warn(
          `${messageOf(error)}; the chain goes on from ${rest.first.roleArn}, until ${awsTime(rest.first.expiration)}`,
        )
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
    lastRole: files.role,
    lastRoleFile: files.roleFile,
    rememberRole: files.keepRole,
    export: (credentials, daemon) => pipeline.handOn(credentials, daemon, entrance.last(), folder),
    lastSignIn: files.signedIn,
    idpSessionEnd: files.idpSessionEnd,
    async forget() {
      await pipeline.forget(entrance.last(), folder, files.store)
      remove(folder)
      if (!settings.skipKeyring) await options.keyring.remove(settings.keyringName, username)
    },
  }
}

/** Exactly this role, never a pattern. */
function sameRole(role: Role, assertion: SamlResponse): Role {
  return chooseRole(offeredRoles(assertion, { last: role }), { last: role }).role ?? role
}
