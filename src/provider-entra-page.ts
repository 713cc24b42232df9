/**
 * What each page of Entra ID is answered with.
 */
import { addressOf, askJson, at, formOf, textAt } from './api-json.ts'
import { passwordFor } from './api-secret.ts'
import { failure } from './errors.ts'
import { formFailure, type FormCode } from './form-failure.ts'
import { clean } from './form-text.ts'
import { hide, pressOnce, userNameOf, type Walk } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import { flowToken, type EntraPage } from './provider-entra-config.ts'
import { answerEntraFactor } from './provider-entra-factor.ts'

/** Not signed in yet: what every first page says. */
const notSignedIn = '50058'

export async function answerEntra(walk: Walk, page: Page, { kind, config }: EntraPage): Promise<HttpRequest> {
  const { host } = new URL(page.url)
  for (const name of ['sFT', 'sCtx', 'canary', 'apiCanary']) if (textAt(config, name)) hide(walk, textAt(config, name))
  const error = textAt(config, 'sErrorCode').replace(/^0$/, '')
  if (error !== '' && error !== notSignedIn && kind !== 'ConvergedTFA') throw entraFailure(walk, host, config)
  switch (kind) {
    case 'ConvergedSignIn':
      return signIn(walk, page, config)
    case 'ConvergedTFA':
      return answerEntraFactor(walk, page, config)
    case 'KmsiInterrupt': {
      pressOnce(walk, page, kind)
      const fields = { ...flowToken(config), ctx: textAt(config, 'sCtx'), LoginOptions: '1' }
      return formOf(page, textAt(config, 'urlPost'), fields)
    }
    case 'ConvergedProofUpRedirect': {
      const skip = textAt(config, 'urlSkipMfaRegistration')
      if (skip === '') throw registration(host)
      pressOnce(walk, page, kind)
      const days = textAt(config, 'iRemainingDaysToSkipMfaRegistration')
      walk.context.ask.tell(`${host} wants you to register a second factor${days && ` within ${clean(days, 10)} days`}`)
      return { url: addressOf(page, skip) }
    }
    case 'ConvergedChangePassword':
      throw formFailure('password-expired', `${host} wants the password changed`)
    case 'ConvergedError':
      throw entraFailure(walk, host, config)
    default:
      throw formFailure('mfa-unsupported', `${host} shows a page of the kind ${clean(kind, 60)}, which needs a browser`)
  }
}

/** The user name first: it may belong to an organisation that signs in elsewhere. */
async function signIn(walk: Walk, page: Page, config: unknown): Promise<HttpRequest> {
  const { host } = new URL(page.url)
  const userName = await userNameOf(walk)
  const target = new URL(addressOf(page, textAt(config, 'urlPost')))
  // A wrong password comes with a number of its own, which has been seen to.
  if (walk.passwords.has(target.host)) {
    throw formFailure(
      'idp-error',
      `${host} asks again for the password that it took: the sign-in goes round in circles`,
    )
  }
  const found = await credentialType(walk, page, config, userName)
  const elsewhere = textAt(found, 'Credentials', 'FederationRedirectUrl')
  if (elsewhere !== '') {
    pressOnce(walk, page, 'federation')
    return { url: addressOf(page, elsewhere) }
  }
  if (at(found, 'Credentials', 'HasPassword') === false) {
    throw formFailure('mfa-unsupported', `${host} takes no password for this account, only a passkey or the like`)
  }
  return formOf(page, target.href, {
    login: userName,
    loginfmt: userName,
    passwd: await passwordFor(walk, page, target),
    ctx: textAt(config, 'sCtx'),
    canary: textAt(config, 'canary'),
    hpgrequestid: textAt(config, 'sessionId'),
    ...flowToken(config),
  })
}

async function credentialType(walk: Walk, page: Page, config: unknown, username: string): Promise<unknown> {
  const { body } = await askJson(walk.context, {
    url: addressOf(page, textAt(config, 'urlGetCredentialType')),
    headers: {
      canary: textAt(config, 'apiCanary'),
      'client-request-id': textAt(config, 'correlationId'),
      hpgact: textAt(config, 'hpgact'),
      hpgid: textAt(config, 'hpgid'),
      hpgrequestid: textAt(config, 'sessionId'),
      referer: page.url,
    },
    body: {
      username,
      isOtherIdpSupported: true,
      checkPhones: false,
      isRemoteNGCSupported: false,
      isCookieBannerShown: false,
      isFidoSupported: false,
      originalRequest: textAt(config, 'sCtx'),
      forceotclogin: false,
      isExternalFederationDisallowed: false,
      isRemoteConnectSupported: false,
      federationFlags: 0,
      isSignup: false,
      isAccessPassSupported: false,
      flowToken: textAt(config, 'sFT'),
    },
  })
  return body
}

function registration(host: string): Error {
  return formFailure(
    'mfa-unsupported',
    `${host} wants you to register a second factor first`,
    'do so in a browser: https://aka.ms/mfasetup',
  )
}

const managed = 'on a device that your organisation manages: cloudtoken --browser'

/** The numbers of `AADSTS…` errors, as far as a person can do something about them. */
const errors = new Map<string, readonly [code: FormCode, words: string, hint?: string]>([
  ['50012', ['idp-error', 'could not authenticate the sign-in']],
  ['50020', ['username-refused', 'says that the account belongs to another organisation']],
  ['50034', ['username-refused', 'does not know this user name']],
  ['50053', ['account-locked', 'has locked the account, or blocks the place you sign in from']],
  ['50055', ['password-expired', 'says that the password has expired']],
  ['50057', ['account-disabled', 'says that the account is disabled']],
  ['50105', ['no-access', 'says that the account is not assigned to the app for AWS']],
  ['50126', ['password-refused', 'refused the user name or the password']],
  ['50144', ['password-expired', 'says that the password has expired']],
  ['50196', ['idp-error', 'says that the sign-in goes round in circles']],
  ['53000', ['no-access', 'lets in only devices that meet the rules of your organisation', managed]],
  ['53001', ['no-access', 'lets in only devices that are joined to your organisation', managed]],
  ['53002', ['no-access', 'lets in only programs that your organisation approved', managed]],
  ['53003', ['no-access', 'blocks this sign-in by a conditional-access rule of your organisation', managed]],
  [
    '53004',
    ['no-access', 'saw something suspicious, and wants a second factor registered from a trusted place', managed],
  ],
  ['90002', ['sp-unknown', 'does not know this tenant', 'check the tenant in --url']],
  ['500121', ['mfa-refused', 'refused the second factor']],
  ['530002', ['no-access', 'lets in only devices that meet the rules of your organisation', managed]],
  ['530003', ['no-access', 'lets in only devices that your organisation manages', managed]],
  ['700016', ['sp-unknown', 'does not know the app', 'check --app-id, or the app in --url']],
])

function entraFailure(walk: Walk, host: string, config: unknown): Error {
  const number = textAt(config, 'sErrorCode') || textAt(config, 'iErrorCode')
  const text = clean(
    (textAt(config, 'sErrTxt') || textAt(config, 'strServiceExceptionMessage')).replace(/<[^>]*>/g, ' '),
    200,
  )
  const said = [number && `AADSTS${clean(number, 12)}`, text].filter(Boolean).join(': ')
  if (number === '50072' || number === '50079') return registration(host)
  const [code, words, hint] = errors.get(number) ?? ['idp-error', 'refused the sign-in']
  if (code === 'idp-error' && walk.last === 'code') {
    return failure('refused', `${host} refused the second factor (${said})`, {
      code: 'mfa-refused',
      hint: 'cloudtoken',
    })
  }
  return formFailure(code, `${host} ${words}${said && ` (${said})`}`, hint)
}
