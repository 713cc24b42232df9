/**
 * Tokens of IAM Identity Center from its OIDC service: the registration of this program as a client, and what a sign-in,
 * or the refresh token of an earlier one, is exchanged for.
 */
import { at, textAt } from './api-json.ts'
import { failure } from './errors.ts'
import { keepSecret } from './log.ts'
import { askSso, unexpectedRefusal, type Caller, type SsoAnswer } from './sso-call.ts'
import type { SsoToken } from './sso-cache.ts'
import type { Portal } from './sso-portal.ts'

export interface Registration {
  readonly clientId: string
  readonly clientSecret: string
  readonly registrationExpiresAt: Date
}

/** To list accounts and roles, and to take them; with a scope the service hands out a refresh token as well. */
export const scopes: readonly string[] = ['sso:account:access']

/** RegisterClient. Fails with `config` where the region has no such start URL. */
export async function registerClient(caller: Caller, portal: Portal, how: object): Promise<Registration> {
  const url = `${portal.oidcUrl}/client/register`
  const answer = await askSso(caller, {
    url,
    body: { clientName: 'cloudtoken', clientType: 'public', scopes, ...how },
  })
  if (answer.refused !== undefined) throw refusedPortal(url, portal, answer)
  const [clientId, clientSecret] = [textAt(answer.body, 'clientId'), textAt(answer.body, 'clientSecret')]
  keepSecret(clientSecret)
  const registrationExpiresAt = new Date(Number(at(answer.body, 'clientSecretExpiresAt')) * 1000)
  if (clientId && clientSecret && registrationExpiresAt.getTime() > 0)
    return { clientId, clientSecret, registrationExpiresAt }
  throw without(portal, 'a registration')
}

/** CreateToken; a refusal is for the caller. */
export async function createToken(
  caller: Caller,
  portal: Portal,
  registration: Registration,
  grant: object,
): Promise<SsoToken | (SsoAnswer & { readonly refused: string })> {
  const { clientId, clientSecret } = registration
  const answer = await askSso(caller, { url: `${portal.oidcUrl}/token`, body: { clientId, clientSecret, ...grant } })
  const { refused } = answer
  if (refused !== undefined) return { ...answer, refused }
  const accessToken = textAt(answer.body, 'accessToken')
  const now = caller.clock.now()
  const expiresAt = new Date(now + Number(at(answer.body, 'expiresIn')) * 1000)
  if (accessToken === '' || !(expiresAt.getTime() > now)) throw without(portal, 'a token')
  const refreshToken = textAt(answer.body, 'refreshToken')
  return { accessToken, expiresAt, ...registration, ...(refreshToken && { refreshToken }) }
}

function without({ oidcUrl }: Portal, what: string): Error {
  return failure('network', `${new URL(oidcUrl).host} answered without ${what}`, { code: 'sso-answer' })
}

/** A new token without a person; `undefined` when the session has ended, or cannot be renewed. */
export async function refreshToken(caller: Caller, portal: Portal, token: SsoToken): Promise<SsoToken | undefined> {
  const { clientId, clientSecret, registrationExpiresAt, refreshToken: grant } = token
  if (!grant || !clientId || !clientSecret || !registrationExpiresAt) return undefined
  if (registrationExpiresAt.getTime() <= caller.clock.now()) return undefined
  const registration = { clientId, clientSecret, registrationExpiresAt }
  const answer = await createToken(caller, portal, registration, { grantType: 'refresh_token', refreshToken: grant })
  if (!('refused' in answer)) return { refreshToken: grant, ...answer }
  caller.log.debug(`the refresh token was refused: ${answer.refused} ${answer.reason}`)
  if (['InvalidGrant', 'ExpiredToken', 'InvalidClient', 'UnauthorizedClient', 'AccessDenied'].includes(answer.refused))
    return undefined
  throw unexpectedRefusal(portal.oidcUrl, answer)
}

/** What a person did at the pages was not enough; plain words for the reasons that people meet. */
export function refusedToken(portal: Portal, answer: SsoAnswer): Error {
  switch (answer.refused) {
    case 'AccessDenied':
      return failure('refused', 'the sign-in at IAM Identity Center was refused', {
        hint: 'allow the access on its page, or ask the people who run it',
        code: 'sso-denied',
      })
    case 'ExpiredToken':
    case 'InvalidGrant':
      return failure('refused', 'the sign-in at IAM Identity Center took too long', {
        hint: 'cloudtoken',
        code: 'sso-expired',
      })
    default:
      return unexpectedRefusal(portal.oidcUrl, answer)
  }
}

export function refusedPortal(url: string, { startUrl, region }: Portal, answer: SsoAnswer): Error {
  if (answer.refused !== 'InvalidRequest' && answer.refused !== 'InvalidClientMetadata')
    return unexpectedRefusal(url, answer)
  const said = answer.reason === '' ? '' : ` (${answer.reason})`
  return failure('config', `IAM Identity Center in ${region} does not know ${startUrl}${said}`, {
    hint: 'check --sso-start-url and --sso-region: “AWS access portal” in its settings shows both',
    code: 'sso-portal',
  })
}
