/**
 * AWS IAM Identity Center: the sign-in of the AWS access portal, its accounts and its roles.
 */
import process from 'node:process'
import { configFile, readShared } from './aws-files.ts'
import { failure, isFailure, messageOf } from './errors.ts'
import { findPaths } from './paths.ts'
import { remove } from './files.ts'
import { withLock } from './lock.ts'
import type { Settings } from './options.ts'
import type { Provider, ProviderContext } from './provider.ts'
import { run } from './run.ts'
import { listRoles, signOut, takeRole } from './sso-access.ts'
import { hasBrowser, signInWithBrowser, type Machine } from './sso-browser.ts'
import { readToken, tokenFile, writeToken, type SsoToken } from './sso-cache.ts'
import type { Caller } from './sso-call.ts'
import { signInWithDevice } from './sso-device.ts'
import { findPortal, type Portal } from './sso-portal.ts'
import { refreshToken } from './sso-token.ts'
import type { OfferedRoles } from './types.ts'

/** From here on a new token is had with the refresh token, as the programs of AWS do. */
const renewalWindowMs = 15 * 60_000
/** A token that ends while it is under way is none. */
const marginMs = 30_000

export function createIdentityCenter(machine: Machine): Provider {
  function placeOf(settings: Settings): { portal: Portal; file: string } {
    const paths = findPaths(machine.env)
    const portal = findPortal(settings, readShared(configFile(paths, machine.env)) ?? '', machine.env)
    return { portal, file: tokenFile(paths.home, portal) }
  }

  return {
    name: 'identity-center',
    aliases: ['sso'],
    summary: 'AWS IAM Identity Center, with the session that the AWS CLI has too',
    inBrowser: true,
    signInFile(settings) {
      try {
        return placeOf(settings).file
      } catch {
        // The sign-in says what is wrong.
        return undefined
      }
    },
    async authenticate(context) {
      const { settings, mode, log } = context
      const { portal, file } = placeOf(settings)
      if (settings.sessionDuration !== undefined && mode === 'login')
        log.warn('--session-duration means nothing to IAM Identity Center', 'the permission set says how long it is')
      let token = await currentToken(context, portal, file, undefined)
      let listed: Promise<OfferedRoles> | undefined
      let renewing: Promise<SsoToken> | undefined
      /**
       * Somebody may have ended the session since the token was made: then once more, with another one. However many calls
       * find that out together, a person is asked once.
       */
      async function withToken<T>(work: (accessToken: string) => Promise<T>): Promise<T> {
        const { accessToken } = token
        try {
          return await work(accessToken)
        } catch (error) {
          if (!isFailure(error) || error.code !== 'sso-signed-out') throw error
          if (token.accessToken === accessToken) {
            renewing ??= currentToken(context, portal, file, accessToken)
            token = await renewing.finally(() => (renewing = undefined))
          }
          return await work(token.accessToken)
        }
      }
      return {
        kind: 'roles',
        list: () => (listed ??= withToken(accessToken => listRoles(context, portal, accessToken))),
        take: role => withToken(accessToken => takeRole(context, portal, accessToken, role)),
        // With a refresh token it lasts as long as the administrators let it, which nobody is told.
        ...(token.refreshToken === undefined && { sessionEnd: token.expiresAt }),
      }
    },
    async forget(context) {
      const { portal, file } = placeOf(context.settings)
      const kept = readToken(file, portal)
      if (!kept) return
      // Only a token that is good can end the session that could be renewed for months.
      const token = await silentToken(context, portal, file, undefined).catch(() => undefined)
      remove(file)
      await signOut(context, portal, (token ?? kept).accessToken)
    },
  }

  /** The shared one while it is good, else by its refresh token, else by a person. `refused` is good no more. */
  async function currentToken(
    context: ProviderContext,
    portal: Portal,
    file: string,
    refused: string | undefined,
  ): Promise<SsoToken> {
    const silent = await withLock(file, () => silentToken(context, portal, file, refused))
    if (silent) return silent
    if (context.mode === 'refresh' || context.ask.interactive === false) {
      throw failure('person', `the session at ${new URL(portal.startUrl).host} has ended`, {
        hint: 'sign in with cloudtoken, or with aws sso login',
        code: 'idp-session-ended',
      })
    }
    const token = await signIn(context, portal)
    share(context, file, portal, token)
    return token
  }

  async function signIn(context: ProviderContext, portal: Portal): Promise<SsoToken> {
    if (context.settings.deviceCode || !hasBrowser(machine)) return await signInWithDevice(context, portal)
    try {
      return await signInWithBrowser(context, portal, machine)
    } catch (error) {
      if (!isFailure(error) || error.code !== 'browser-missing') throw error
      return await signInWithDevice(context, portal)
    }
  }
}

export const identityCenter: Provider = createIdentityCenter({ platform: process.platform, env: process.env, run })

/** For the programs of AWS and the next run; one that cannot be written is good all the same. */
function share({ log }: Caller, file: string, portal: Portal, token: SsoToken): void {
  try {
    writeToken(file, portal, token)
  } catch (error) {
    log.warn(messageOf(error), isFailure(error) ? error.hint : undefined)
  }
}

async function silentToken(
  caller: Caller,
  portal: Portal,
  file: string,
  refused: string | undefined,
): Promise<SsoToken | undefined> {
  const kept = readToken(file, portal)
  if (!kept) return undefined
  const left = kept.accessToken === refused ? 0 : kept.expiresAt.getTime() - caller.clock.now()
  if (left > (kept.refreshToken === undefined ? marginMs : renewalWindowMs)) return kept
  try {
    const fresh = await refreshToken(caller, portal, kept)
    if (fresh) share(caller, file, portal, fresh)
    return fresh ?? (left > marginMs ? kept : undefined)
  } catch (error) {
    // A token that still is good beats an error.
    if (left > marginMs) return kept
    throw error
  }
}
