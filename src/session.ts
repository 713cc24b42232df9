/**
 * One login: a provider, its cookies, the assertion, a role, and the credentials that came of them.
 */
import path from 'node:path'
import { followChain, lessOf, planChain, type Less } from './chain.ts'
import type { Config } from './config.ts'
import { failure, messageOf } from './errors.ts'
import { remove } from './files.ts'
import type { Paths } from './paths.ts'
import { createHttp, type OnWait } from './http.ts'
import { openNetwork } from './http-network.ts'
import { identityFolder, type Plan } from './identity.ts'
import type { Keyring } from './keyring.ts'
import type { Log } from './log.ts'
import type { Settings } from './options.ts'
import { openPipeline, type PipelineState } from './pipeline.ts'
import type { Plugins } from './plugins.ts'
import type { Ask, Store } from './provider.ts'
import { chooseRole } from './roles.ts'
import { sessionFiles } from './session-files.ts'
import type { Beginning } from './session-keys.ts'
import { openOffers, sameRole, type SignedIn } from './session-offer.ts'
import { openEntrance } from './session-sign-in.ts'
import type { StsOptions } from './sts-call.ts'
import { awsTime, revived } from './tokens.ts'
import type { Clock, Credentials, Role } from './types.ts'
import type { Vault } from './vault.ts'
import type { Holder } from './vault-key.ts'

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
  /** From the process that had this session before. */
  readonly carried?: Carried | undefined
}

/** What a session knows, for the process that goes on with it; JSON. */
export interface Carried extends PipelineState {
  /** Of the identity, see `sessionFiles`. */
  readonly folder: string
  /** The file of another program with which a person may sign in. */
  readonly elsewhere?: string | undefined
  /** What the last chain started from. */
  readonly source?: Beginning | undefined
  readonly ephemeral: boolean
  readonly variant: string
  /** Secrets that no file may hold, by name. */
  readonly memory?: Readonly<Record<string, string>>
  /** What opens the secrets at rest, where a person has typed it. */
  readonly passphrase?: string | undefined
  /** Who holds the key of the secrets at rest, as far as one was wanted. */
  readonly secretStore?: Holder | 'none' | undefined
}

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
  /** A whole silent round for exactly this role; never asks. */
  renew(role: Role, signal: AbortSignal, less?: Less): Promise<Credentials>
  /** The same for another role by name or ARN, exactly one of those that the identity provider offers; never asks. */
  take(wish: string, signal: AbortSignal, less?: Less): Promise<{ role: Role; credentials: Credentials }>
  /** The role of the last run of this identity, and the file that holds it. */
  lastRole(): Role | undefined
  readonly lastRoleFile: string
  /** ARNs of the roles of the last runs, the last one first. */
  recentRoles(): readonly string[]
  rememberRole(role: Role): void
  export(credentials: Credentials, daemon: boolean): Promise<void>
  /** Changes when a person signed in with this identity, here or in another process. */
  lastSignIn(): string | undefined
  /** When the session at the identity provider ends, where its last assertion said so. */
  idpSessionEnd(): Date | undefined
  carried(): Carried
  /** What plugins and exporters left, the cookies, the cached credentials and the stored password. */
  /** False where the keyring would not let go of the password. */
  forget(): Promise<boolean>
}

export async function openSession(options: SessionOptions): Promise<Session> {
  const { settings, username, paths, env, clock, log } = options
  const { carried, vault } = options
  const pipeline = await openPipeline(options)
  const { provider } = pipeline
  const chain = planChain(settings, options.config.aliases)
  const further = chain.hops.length > 0 || Object.keys(chain.scope).length > 0 ? JSON.stringify(chain) : ''
  const variant = `${further}${provider.variant?.(settings) ?? ''}`
  const ephemeral = provider.ephemeral === true
  const identity = identityFolder(provider.name, settings, username)
  const folder = path.join(paths.state, 'identities', identity)
  if (carried?.passphrase !== undefined) vault.accept(carried.passphrase)
  const memory = new Map(Object.entries(carried?.memory ?? {}))
  const files = sessionFiles(folder, log)
  const network = openNetwork(settings, env, () => clock.now())
  const entrance = openEntrance({ ...options, memory, network, pipeline, folder, files })
  // STS gets no cookies of the identity provider, and keeps none.
  const http = createHttp({ network, timeoutMs: 15_000, log })
  /** What the last chain started from. */
  let source = carried?.source && { ...carried.source, first: revived(carried.source.first) }

  const offers = openOffers({
    ...{ settings, name: provider.name, username, chain, entrance, files, network, env, clock, log },
    sts: stsOptions,
    follow,
  })

  async function signIn(mode: 'login' | 'refresh', signal: AbortSignal): Promise<SignedIn> {
    return await offers(await entrance.enter(mode, signal), signal)
  }

  async function follow(beginning: Beginning, signal: AbortSignal, less?: Less): Promise<Credentials> {
    const { first } = beginning
    if (beginning.chain.hops.length === 0) return first
    source = beginning
    const { roleArn, samlProvider: providerArn = '' } = first
    const last = await followChain(first, { ...stsOptions(signal), chain: lessOf(beginning.chain, less), username })
    return { ...last, sourceRole: { roleArn, providerArn } }
  }

  /** What the last chain started from, as long as it is any good. */
  function remaining(): Beginning | undefined {
    return source && source.first.expiration.getTime() > clock.now() + 60_000 ? source : undefined
  }

  function stsOptions(signal: AbortSignal): StsOptions {
    return { region: settings.region, env, now: () => clock.now(), http, log, signal }
  }

  const elsewhere = provider.signInFile?.(settings)
  const lastSignIn = (): string | undefined => files.signedIn(elsewhere)

  let round: { at: number; person: string | undefined; uses: Set<string>; signedIn: Promise<SignedIn> } | undefined

  /**
   * One sign-in for all the roles that are renewed within a minute, its failure included; none takes the same assertion
   * twice, and what a person did meanwhile starts a new one.
   */
  function shareSignIn(role: Role, signal: AbortSignal, less: Less | undefined): Promise<SignedIn> {
    const use = less ? `${role.roleArn} ${JSON.stringify(less)}` : role.roleArn
    const at = clock.elapsed()
    const person = lastSignIn()
    if (!round || at - round.at > 60_000 || round.person !== person || round.uses.has(use))
      round = { at, person, uses: new Set(), signedIn: signIn('refresh', signal) }
    round.uses.add(use)
    return round.signedIn
  }

  return {
    ephemeral,
    identity,
    variant,
    dependsOn: [...settings.sessionPolicy, ...(provider.dependsOn?.(settings) ?? [])],
    store: files.store,
    signIn,
    async renew(role, signal, less) {
      try {
        const signedIn = await shareSignIn(role, signal, less)
        if (signedIn.kind === 'credentials') return signedIn.credentials
        return await signedIn.offer.take(await sameRole(role, signedIn.offer), 'refresh', signal, less)
      } catch (error) {
        // Sessions of a chain are short: its source may be good for more of them.
        const rest = signal.aborted ? undefined : remaining()
        if (!rest) throw error
        log.warn(
          `${messageOf(error)}; the chain goes on from ${rest.first.roleArn}, until ${awsTime(rest.first.expiration)}`,
        )
        return await follow(rest, signal, less)
      }
    },
    async take(wish, signal, less) {
      const signedIn = await signIn('refresh', signal)
      if (signedIn.kind === 'credentials')
        throw failure('role', 'this sign-in brings one set of credentials, not a list of roles')
      const { offer } = signedIn
      const { role } = chooseRole(await offer.roles({ role: wish }), { role: wish })
      if (!role) throw failure('role', `${JSON.stringify(wish)} names no role`, { hint: 'cloudtoken roles' })
      return { role, credentials: await offer.take(role, 'refresh', signal, less) }
    },
    lastRole: files.role,
    lastRoleFile: files.roleFile,
    recentRoles: files.recentRoles,
    rememberRole: files.keepRole,
    export: (credentials, daemon) => pipeline.handOn(credentials, daemon, entrance.last(), folder),
    lastSignIn,
    idpSessionEnd: files.idpSessionEnd,
    carried: () => ({
      ...{ ...pipeline.state(), folder, elsewhere, source, ephemeral, variant },
      memory: Object.fromEntries(memory),
      passphrase: vault.passphrase(),
      secretStore: vault.keeps ? vault.inUse() : 'none',
    }),
    async forget() {
      await pipeline.forget(entrance.last(), folder, files.store)
      remove(folder)
      const { keyring } = options
      if (settings.skipKeyring || (await keyring.remove(settings.keyringName, username))) return true
      // Where there is none it has no password either.
      return !(await keyring.available())
    },
  }
}
