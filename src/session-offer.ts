/**
 * From what a sign-in brought to roles and their credentials: AWS takes an assertion or a token through STS, and IAM Identity
 * Center hands out its roles itself.
 */
import { isRoleArn } from './arn.ts'
import { checkFresh, type SamlResponse } from './assertion.ts'
import { lessOf, sessionNameFrom, type Chain, type Less } from './chain.ts'
import { failure } from './errors.ts'
import type { Network } from './http-network.ts'
import { keepSecret, type Log } from './log.ts'
import type { Settings } from './options.ts'
import { chooseRole, listedRoles, offeredRoles, type Wanted } from './roles.ts'
import type { SessionFiles } from './session-files.ts'
import { beginWithKeys, type Beginning } from './session-keys.ts'
import { findAccountNames } from './session-names.ts'
import type { Brought, Entrance } from './session-sign-in.ts'
import { assumeRoleWithSaml, assumeRoleWithWebIdentity, isExpiredAssertion, type CallerIdentity } from './sts.ts'
import type { StsOptions } from './sts-call.ts'
import type { Clock, Credentials, Role, RoleCounter } from './types.ts'
import { readClaims } from './web-token.ts'

/** Roles to choose from, and the way to credentials for them. */
export interface Offer {
  /** Sorted as people number them; fails with kind `role` where there is none. */
  roles(wanted?: Wanted): Promise<readonly Role[]>
  /** Account id to name; those of config.yaml, in `known`, win. */
  names(known: Readonly<Record<string, string>>): Promise<ReadonlyMap<string, string>>
  /** Credentials of the role, or of the last one of the chain. Signs in once more when the assertion grew too old at the role menu. */
  take(role: Role, mode: 'login' | 'refresh', signal: AbortSignal, less?: Less): Promise<Credentials>
  /** What was odd about it. */
  readonly warnings: readonly string[]
}

/** What a sign-in came to: roles to choose from, or credentials at once. */
export type SignedIn =
  | { readonly kind: 'roles'; readonly offer: Offer }
  | { readonly kind: 'credentials'; readonly credentials: Credentials }

export interface OfferOptions {
  readonly settings: Settings
  /** Of the provider. */
  readonly name: string
  readonly username: string
  readonly chain: Chain
  readonly entrance: Entrance
  readonly files: SessionFiles
  readonly network: Network
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Pick<Clock, 'now'>
  readonly log: Log
  readonly sts: (signal: AbortSignal) => StsOptions
  /** To the end of the chain. */
  readonly follow: (beginning: Beginning, signal: AbortSignal, less?: Less) => Promise<Credentials>
}

/** What to do with anything that a sign-in may bring. */
export function openOffers(options: OfferOptions): (brought: Brought, signal: AbortSignal) => Promise<SignedIn> {
  const { settings, name, username, chain, entrance, files, network, env, clock, log, sts, follow } = options
  const keys = { settings, chain, secrets: entrance.secrets, known: new Map<string, CallerIdentity>() }

  return async (brought, signal) => {
    if (brought.kind === 'saml') return { kind: 'roles', offer: offerOfSaml(brought.assertion) }
    if (brought.kind === 'roles') return { kind: 'roles', offer: offerOfCounter(brought) }
    return { kind: 'credentials', credentials: await follow(await finished(brought, signal), signal) }
  }

  function offerOfSaml(assertion: SamlResponse): Offer {
    return {
      roles: wanted => Promise.resolve(offeredRoles(assertion, wanted)),
      names: known => findAccountNames({ assertion, known, files, network, env, log }),
      take: async (role, mode, signal, less) =>
        await follow({ first: await assume(role, assertion, mode, signal, less), chain }, signal, less),
      warnings: assertion.warnings,
    }
  }

  function offerOfCounter(counter: RoleCounter): Offer {
    return {
      roles: wanted => listedRoles(counter.list, wanted),
      names: async known => new Map([...(await counter.list()).names, ...Object.entries(known)]),
      take: async (role, _, signal, less) =>
        await follow({ first: await takeAt(counter, role, less), chain }, signal, less),
      warnings: [],
    }
  }

  /** Whoever asks for less than the role may do must not get all of it. */
  async function takeAt(counter: RoleCounter, role: Role, less?: Less): Promise<Credentials> {
    if (Object.keys(lessOf(chain, less).scope).length === 0) return await counter.take(role)
    throw failure('usage', `${name} takes no --session-policy`, {
      hint: 'only a chain does: --chain ROLE_ARN --session-policy FILE',
    })
  }

  /** Credentials of who has no role to choose. */
  async function finished(
    brought: Exclude<Brought, { kind: 'saml' | 'roles' }>,
    signal: AbortSignal,
  ): Promise<Beginning> {
    if (brought.kind === 'keys') return await beginWithKeys(brought, keys, entrance.last(), sts(signal))
    const first =
      brought.kind === 'credentials' ? brought.credentials : await exchangeToken(brought.token, brought.role, signal)
    return { first, chain }
  }

  async function assume(
    role: Role,
    assertion: SamlResponse,
    mode: 'login' | 'refresh',
    signal: AbortSignal,
    less?: Less,
  ): Promise<Credentials> {
    try {
      return await exchange(role, assertion, signal, less)
    } catch (error) {
      // The menu may have stayed open longer than an assertion lives. One that was given cannot be had anew.
      if (!isExpiredAssertion(error) || name === 'saml-response') throw error
      log.debug('the assertion is too old; signing in again')
      const again = await entrance.enter(mode, signal)
      if (again.kind === 'roles') return await takeAt(again, role, less)
      if (again.kind !== 'saml') return (await finished(again, signal)).first
      return await exchange(await sameRole(role, offerOfSaml(again.assertion)), again.assertion, signal, less)
    }
  }

  async function exchange(role: Role, assertion: SamlResponse, signal: AbortSignal, less?: Less): Promise<Credentials> {
    checkFresh(assertion, clock.now() + entrance.skew())
    return await assumeRoleWithSaml({
      ...sts(signal),
      role,
      response: assertion.response,
      durationSeconds: less?.seconds ?? settings.sessionDuration,
      suggestedSeconds: assertion.sessionDuration,
      scope: lessOf(chain, less).scope,
    })
  }

  async function exchangeToken(token: string, role: string | undefined, signal: AbortSignal): Promise<Credentials> {
    keepSecret(token)
    const roleArn = role ?? settings.role
    if (roleArn === undefined || !isRoleArn(roleArn)) {
      const message = `${name} needs the ARN of the role`
      throw failure('usage', message, { hint: '--role arn:aws:iam::ACCOUNT:role/NAME' })
    }
    return await assumeRoleWithWebIdentity({
      ...sts(signal),
      roleArn,
      token,
      claims: readClaims(token),
      sessionName: chain.sessionName ?? sessionNameFrom(`cloudtoken-${username}`),
      durationSeconds: settings.sessionDuration,
      scope: chain.scope,
    })
  }
}

/** Exactly this role, never a pattern. */
export async function sameRole(role: Role, offer: Offer): Promise<Role> {
  return chooseRole(await offer.roles({ last: role }), { last: role }).role ?? role
}
