/**
 * Okta: its pages are scripts over an API. The classic engine signs in by `/api/v1/authn`, the Identity Engine by a device
 * code that the person confirms in a browser; what either leads to is an ordinary page with a response for AWS.
 */
import { randomUUID } from 'node:crypto'
import { askJson, textAt } from './api-json.ts'
import { failure } from './errors.ts'
import { formFailure } from './form-failure.ts'
import { formProvider } from './form-login.ts'
import { readMemory, remember } from './form-memory.ts'
import type { FormRecipe, Walk } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import type { Settings } from './options.ts'
import { entryUrl } from './provider-form.ts'
import { signInByAuthn } from './provider-okta-authn.ts'
import { signInByDevice } from './provider-okta-device.ts'

const example = 'https://ORG.okta.com/home/amazon_aws/APP_ID/272'

export const okta = formProvider({ name: 'okta', summary: 'Okta, classic and Identity Engine' }, oktaRecipe)

/** Fresh for each sign-in: a session that was made once is not made again. */
function oktaRecipe(): FormRecipe {
  let signedIn = false
  let verified = false
  /** The way leads over somebody else's pages, and back without a token. */
  let away = false
  return {
    entry: settings => oktaEntry(settings).href,
    async answer(walk, page) {
      const { host } = new URL(page.url)
      if (page.forms.some(({ controls }) => controls.some(({ name }) => name === 'SAMLResponse'))) return undefined
      if (page.forms.some(({ action }) => action?.includes('/user/verify_password'))) {
        // The password of the log-in is asked for again, and was not refused.
        if (!verified) walk.passwords.delete(host)
        verified = true
        return undefined
      }
      const token = stateToken(page)
      const stepUp = token !== undefined && isStepUp(page)
      if (away && !stepUp && isOkta(page)) {
        away = false
        return { url: walk.entry.href }
      }
      if (!stepUp && !isSignIn(page)) return undefined
      const request = await begin(walk, page, stepUp ? token : undefined, signedIn)
      signedIn = true
      away = new URL(request.url).host !== host
      return request
    },
  }
}

async function begin(walk: Walk, page: Page, token: string | undefined, signedIn: boolean): Promise<HttpRequest> {
  const { context, entry } = walk
  const { origin, host } = new URL(page.url)
  if (signedIn && token === undefined) {
    throw formFailure('no-access', `${host} signed you in, but does not let you into the app for AWS`)
  }
  const organization = await askJson(context, { url: `${origin}/.well-known/okta-organization` }).catch(() => undefined)
  const engine = textAt(organization?.body, 'pipeline') === 'idx' ? 'idx' : 'classic'
  const { clientId } = context.settings
  if (engine === 'idx' && clientId) return signInByDevice(walk, { origin, clientId, appId: appIdOf(context.settings) })
  return signInByAuthn({ walk, page, origin, engine, app: entry.href, device: deviceOf(walk) }, token)
}

/** Random, kept for this identity: what Okta remembers a device by. */
function deviceOf({ context: { store } }: Walk): string {
  const key = 'okta device'
  const known = readMemory(store).choices[key]
  if (known !== undefined) return known
  const device = randomUUID()
  remember(store, memory => ({ choices: { ...memory.choices, [key]: device } }))
  return device
}

/** The app's own address; the domain alone, as the original had it, where the app is named beside it. */
export function oktaEntry({ url, appId }: Settings): URL {
  const entry = entryUrl(url && !/^[a-z]+:\/\//i.test(url) ? `https://${url}` : url, example)
  if (entry.pathname.includes('/amazon_aws_sso/')) {
    throw failure(
      'config',
      'this is the app of IAM Identity Center, which knows no SAML roles: aws sso signs in there',
      {
        hint: `the app for roles has another address: cloudtoken --url '${example}'`,
        code: 'identity-center',
      },
    )
  }
  if (entry.pathname !== '/') return entry
  if (appId) return new URL(`/home/amazon_aws/${encodeURIComponent(appId)}/272`, entry)
  throw failure('config', `${entry.href} is the address of the organisation, not of its app for AWS`, {
    hint: `copy the address of the app from your Okta dashboard: cloudtoken --url '${example}'`,
    code: 'app-missing',
  })
}

/** `/home/amazon_aws/APP_ID/272` */
function appIdOf(settings: Settings): string {
  const id = settings.appId ?? oktaEntry(settings).pathname.split('/').filter(Boolean).at(-2)
  if (id) return id
  throw failure('config', 'the id of the app for AWS is missing', {
    hint: 'cloudtoken --app-id ID',
    code: 'app-missing',
  })
}

function isOkta({ url, source }: Page): boolean {
  return /\.okta[\w-]*\.(?:com|mil)$/.test(new URL(url).hostname) || /\bokta/i.test(source)
}

function isSignIn(page: Page): boolean {
  if (!isOkta(page)) return false
  return (
    /^\/(?:login\/(?!step-up)|signin|oauth2\/)/.test(new URL(page.url).pathname) || /okta-?sign-?in/i.test(page.source)
  )
}

/** The app wants more than the session has: another factor. */
function isStepUp({ title, source }: Page): boolean {
  return /extra verification/i.test(title) || source.includes('/login/step-up/')
}

/** `var stateToken = '00a\x2Db'`, `"stateToken":"00a-b"` */
function stateToken({ source }: Page): string | undefined {
  const found = /\bstateToken["']?\s*[:=]\s*(?:"([^"<>\s]{4,})"|'([^'<>\s]{4,})')/.exec(source)
  return (found?.[1] ?? found?.[2])?.replace(/\\(?:x|u00)([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCodePoint(Number.parseInt(hex, 16)),
  )
}
