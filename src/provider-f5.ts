/**
 * F5 BIG-IP APM: one address, `/my.policy`, shows whatever its policy wants next; the app for AWS is a resource of its own,
 * which the policy forgets on the way to its webtop.
 */
import { codeOfText, errorText, formFailure, hostOf } from './form-failure.ts'
import { named } from './form-fields.ts'
import { formProvider } from './form-login.ts'
import { classify } from './form-page.ts'
import { clean } from './form-text.ts'
import type { FormRecipe, Walk } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import type { Settings } from './options.ts'
import { answerF5Factor, f5FactorForm } from './provider-f5-factor.ts'
import { openF5Resource, resourceAddress } from './provider-f5-webtop.ts'
import { entryUrl } from './provider-form.ts'

/** It sends new sessions away once or twice before it shows a form. */
const maxFresh = 2

function recipe(): FormRecipe {
  let fresh = 0
  let hungUp = false
  let opened = false

  /** No session, or one that is of no use: a new one, as long as nothing was sent. */
  function begin(walk: Walk, page: Page): HttpRequest {
    fresh += 1
    if (fresh > maxFresh) throw formFailure('state-lost', `${hostOf(page)} opens no new session: ${errorText(page)}`)
    return { url: walk.entry.href }
  }

  /** Signed in, and somewhere else than at the app. */
  function open(walk: Walk, page: Page): HttpRequest | Promise<HttpRequest> {
    if (opened) throw formFailure('no-access', `${hostOf(page)} signed you in, but does not open the app for AWS`)
    opened = true
    return isResource(walk.entry) ? { url: walk.entry.href } : openF5Resource(walk)
  }

  return {
    entry: settings => entryOf(settings).href,
    async answer(walk, page) {
      const { origin, pathname } = new URL(page.url)
      const { kind } = classify(page)
      if (origin !== walk.entry.origin || kind === 'response') return undefined
      const form = f5FactorForm(page)
      if (form) return answerF5Factor(walk, page, form)
      if (page.forms.some(each => named(each, '_F5_verify_password'))) {
        throw formFailure('password-expired', `${hostOf(page)} wants the password changed`)
      }
      const lost = kind === 'unknown' || kind === 'failure'
      const inPolicy = pathname === '/my.policy'
      const ended = pathname === '/my.logout.php3' || pathname.startsWith('/vdesk/hangup')
      if (walk.last !== undefined && (ended || (lost && inPolicy && offersStart(page)))) throw denied(page)
      if (ended) return begin(walk, page)
      if (lost && inPolicy && walk.last === undefined && !hungUp) {
        // A sign-in that was given up half-way is still going on for it.
        hungUp = true
        return { url: `${origin}/vdesk/hangup.php3` }
      }
      const astray = lost && !inPolicy && walk.last !== undefined && isResource(walk.entry)
      return pathname.startsWith('/vdesk/') || (astray && page.url !== walk.entry.href) ? open(walk, page) : undefined
    },
  }
}

export const f5 = formProvider({ name: 'f5', summary: 'F5 BIG-IP Access Policy Manager (APM)' }, recipe)

/** A resource as it is, or by its path from `--app-id`; else the webtop, which lists them. It is never percent-encoded. */
function entryOf({ url, appId }: Settings): URL {
  const entry = entryUrl(url, 'https://apm.example.com/saml/idp/res?id=/Common/AWS')
  if (isResource(entry)) return new URL(entry.href.replaceAll(/%2F/gi, '/'))
  return appId?.startsWith('/') ? resourceAddress(entry.origin, appId) : entry
}

function isResource({ pathname }: URL): boolean {
  return pathname === '/saml/idp/res'
}

/** The way to a new session, as it stands where one has ended. */
function offersStart({ links, url }: Page): boolean {
  return links.some(({ href }) => href === new URL('/', url).href)
}

/** The same words for a wrong password, a missing right and a machine that it does not like. */
function denied(page: Page): Error {
  const said = clean(errorText(page), 300)
  const code = codeOfText(said)
  const known = code === 'account-locked' || code === 'account-disabled' || code === 'password-expired'
  return formFailure(
    known ? code : 'no-access',
    `${hostOf(page)} ended the sign-in: ${said}`,
    known ? undefined : 'check the password (cloudtoken --password-prompt), then ask your help desk for access to AWS',
  )
}
