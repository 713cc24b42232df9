/**
 * Where a walk ends without an assertion: error pages, pages that are none, pages that nobody understands.
 */
import { partitions } from './arn.ts'
import { failure, isFailure } from './errors.ts'
import type { HttpRequest, HttpResponse } from './http.ts'
import type { Page } from './html.ts'
import { codeOfText, errorPage, formFailure, hostOf, refusal } from './form-failure.ts'
import { savePage, scrubText, withoutSecrets } from './form-report.ts'
import { clean, place } from './form-text.ts'
import { restart, type Walk } from './form-walk.ts'

/** The failure that an error page tells of; the entry again, once, where the state was lost. */
export function errorOf(walk: Walk, page: Page): HttpRequest {
  const { errorTexts } = walk.recipe
  const code = walk.recipe.judge?.(page)
  const failed = code ? formFailure(code, errorPage(page, errorTexts).message) : errorPage(page, errorTexts)
  if (failed.code === 'state-lost' && !walk.restarted) {
    walk.context.log.debug('the identity provider lost the state of this sign-in; starting again')
    return restart(walk)
  }
  if (failed.code === 'idp-error' && /^40[13]$/.test(String(page.status)) && walk.last) {
    const before = walk.last === 'password' ? walk.passwords.get(hostOf(page)) : undefined
    throw walk.last === 'code' ? formFailure('mfa-refused', failed.message) : refusal(before, page, errorTexts)
  }
  throw failed
}

/** Empty, text, JSON or XML where a page was expected. */
export function noPage(walk: Walk, { url, status, headers, text }: HttpResponse): Error {
  const host = new URL(url).host
  const type = clean(headers.get('content-type') ?? '', 60).replace(/;.*$/, '')
  const body = text.trim() === '' ? 'an empty body' : `${type || 'text'} instead of a page`
  const excerpt = /^(?:$|text\/(?:plain|html))/.test(type)
    ? clean(scrubText(text.slice(0, 2000), walk.secrets), 120)
    : ''
  const message = `${host} answered with ${body} (status ${status})${excerpt && `: ${excerpt}`}`
  if (status === 401 && walk.last === 'password') return formFailure('password-refused', message)
  const code = codeOfText(excerpt, walk.recipe.errorTexts)
  return formFailure(code && code !== 'state-lost' ? code : status >= 400 ? 'idp-error' : 'page-unknown', message)
}

export function unknownPage(walk: Walk, page: Page): Error {
  const empty = page.forms.some(form => form.controls.some(control => control.name === 'SAMLResponse'))
  if (empty) return formFailure('saml-missing', `${hostOf(page)} sent an empty or broken SAMLResponse`)
  const copy = savePage(walk.context.store, page, walk.secrets)
  const title = clean(page.title, 100) || 'without a title'
  return formFailure(
    'page-unknown',
    `page not understood: “${title}” at ${place(page.url)} (status ${page.status}); a copy without secrets is in ${copy}`,
  )
}

/** A walk that ends at AWS has lost its assertion; nothing is ever sent there from here. */
export function leaveAwsAlone(url: string): void {
  const { hostname } = new URL(url)
  const hosts = partitions.flatMap(partition => [
    ...partition.signInHosts,
    ...(partition.consoleHost ? [partition.consoleHost] : []),
  ])
  if (hosts.some(host => hostname === host || hostname.endsWith(`.${host}`))) {
    throw formFailure('saml-missing', `the sign-in led to ${hostname} without a SAMLResponse`)
  }
}

/** Pages may echo what they were sent; and in the background "nobody to ask" means that the session is over. */
export function tidy(walk: Walk, error: unknown): unknown {
  if (!isFailure(error)) return error
  const { kind, hint, code, cause } = error
  const said = withoutSecrets(
    error.message,
    walk.secrets.filter(secret => secret.length > 3),
  )
  const ended =
    kind === 'person' && walk.context.mode === 'refresh' && (code === undefined || !/^(?:captcha|foreign-)/.test(code))
  const message = ended
    ? `the session at ${walk.entry.host} has ended and signing in again needs a person: ${said}`
    : said
  return failure(kind, message, { hint: ended ? 'cloudtoken' : hint, code: ended ? 'idp-session-ended' : code, cause })
}
