/**
 * The walk through the pages of one or more identity providers, from an address to a SAMLResponse for AWS.
 *
 * The page decides, not the vendor: fetch, classify by fields, answer with one form, again. Bounded, never the same
 * password twice to a host that has seen it, never a code twice, never a secret to a place that was not approved.
 */
import { partitions, isAwsSignIn } from './arn.ts'
import { failure, isFailure } from './errors.ts'
import type { HttpRequest, HttpResponse } from './http.ts'
import { readPage, submit, type Page } from './html.ts'
import type { Provider, ProviderContext } from './provider.ts'
import type { Assertion } from './types.ts'
import { answerChoice, answerCode, answerConsent, answerCredentials, answerIdentifier } from './form-answer.ts'
import { codeOfText, errorPage, formFailure, refusal } from './form-failure.ts'
import { forgetMemory } from './form-memory.ts'
import { classify, type PageKind } from './form-page.ts'
import { savePage, scrubText } from './form-report.ts'
import { clean, isPrivateWay, place } from './form-text.ts'
import { beginWalk, pressOnce, restart, type FormRecipe, type Walk } from './form-walk.ts'

const maxPages = 30

/** A provider that is driven by forms is its name and a recipe. */
export function formProvider(about: Pick<Provider, 'name' | 'summary' | 'options'>, recipe: FormRecipe): Provider {
  return {
    ...about,
    authenticate: context => formLogin(context, recipe),
    async forget({ store }) {
      forgetMemory(store)
      store.remove('page.html')
    },
  }
}

/** Rejects with a `Failure` whose `code` is a `FormCode`, or with that of whoever was asked. */
export async function formLogin(context: ProviderContext, recipe: FormRecipe): Promise<Assertion> {
  const walk = beginWalk(context, recipe)
  try {
    let step: HttpRequest | Assertion = { url: walk.entry.href }
    for (let count = 0; !('kind' in step); count += 1) {
      context.signal.throwIfAborted()
      if (count === maxPages) throw formFailure('too-many-pages', `no response for AWS after ${maxPages} pages, the last at ${place(step.url)}`)
      leaveAwsAlone(step.url)
      step = await answer(walk, await context.http.request(step))
    }
    return step
  } catch (error) {
    throw tidy(walk, error)
  }
}

async function answer(walk: Walk, response: HttpResponse): Promise<HttpRequest | Assertion> {
  leaveAwsAlone(response.url)
  const page = await readPage(response)
  if (!page) throw noPage(walk, response)
  const kind = classify(page)
  walk.context.log.debug(`${page.status} ${place(page.url)}: ${kind.kind}`)
  switch (kind.kind) {
    case 'response':
      return passOn(page, kind)
    case 'hop-form':
      return sendForm(page, submit(page, kind.form, kind.values))
    case 'hop':
      if (/password.{0,40}\bexpir/i.test(page.text)) walk.context.log.warn(clean(page.text))
      return sendForm(page, { url: kind.url })
    case 'continue':
      pressOnce(walk, page, `continue ${kind.button?.name ?? ''} ${page.title}`)
      return sendForm(page, submit(page, kind.form, {}, kind.button))
    case 'credentials':
      return brokerOf(walk, page) ?? answerCredentials(walk, page, kind)
    case 'identifier':
      return brokerOf(walk, page) ?? answerIdentifier(walk, page, kind)
    case 'code':
      return answerCode(walk, page, kind)
    case 'consent':
      return answerConsent(walk, page, kind)
    case 'choice':
      return answerChoice(walk, page, kind)
    case 'other-factor':
      throw formFailure('mfa-unsupported', `${hostOf(page)} wants a second factor that needs a browser: ${clean(kind.name, 60)}`)
    case 'new-password':
      throw formFailure('password-expired', `${hostOf(page)} wants the password changed`, `change it in a browser at ${place(walk.entry.href)}`)
    case 'captcha':
      throw formFailure('captcha', `${hostOf(page)} wants a captcha solved`)
    case 'failure':
      return errorOf(walk, page)
    case 'unknown':
      throw unknownPage(walk, page)
  }
}

/** Done when the response is for AWS; else a chain: another service provider waits for it. */
function passOn(page: Page, { form, response }: Extract<PageKind, { kind: 'response' }>): HttpRequest | Assertion {
  const request = submit(page, form)
  const stated = form.action?.trim()
  const target = stated && !/^javascript:/i.test(stated) ? request.url : (response.destination ?? response.recipient ?? request.url)
  if (!isAwsSignIn(target)) return sendForm(page, request)
  return { kind: 'saml', response: response.base64 }
}

/** What a page sends on by itself may hold tokens and assertions: never from https into the clear. */
function sendForm(page: Page, request: HttpRequest): HttpRequest {
  const target = new URL(request.url)
  if (!/^https?:$/.test(target.protocol) || (!isPrivateWay(target) && isPrivateWay(new URL(page.url)))) {
    throw formFailure('insecure', `${hostOf(page)} leads on to ${place(request.url)}, which is not https`)
  }
  return request
}

/** Keycloak and its like offer other identity providers as links beside the form: `social-ALIAS`. */
function brokerOf(walk: Walk, page: Page): HttpRequest | undefined {
  const wish = walk.context.settings.authSource?.toLowerCase()
  if (!wish || walk.passwords.size > 0) return undefined
  const link = page.links.find(({ id }) => /^[sz]ocial-/.test(id) && id.slice(7).toLowerCase() === wish)
  if (!link || !URL.canParse(link.href, page.url)) return undefined
  pressOnce(walk, page, `link ${link.id}`)
  return sendForm(page, { url: new URL(link.href, page.url).href })
}

function errorOf(walk: Walk, page: Page): HttpRequest {
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
function noPage(walk: Walk, { url, status, headers, text }: HttpResponse): Error {
  const host = new URL(url).host
  const type = clean(headers.get('content-type') ?? '', 60).replace(/;.*$/, '')
  const body = text.trim() === '' ? 'an empty body' : `${type || 'text'} instead of a page`
  const excerpt = /^(?:$|text\/(?:plain|html))/.test(type) ? clean(scrubText(text.slice(0, 2000), walk.secrets), 120) : ''
  const message = `${host} answered with ${body} (status ${status})${excerpt && `: ${excerpt}`}`
  if (status === 401 && walk.last === 'password') return formFailure('password-refused', message)
  const code = codeOfText(excerpt, walk.recipe.errorTexts)
  return formFailure(code && code !== 'state-lost' ? code : status >= 400 ? 'idp-error' : 'page-unknown', message)
}

function unknownPage(walk: Walk, page: Page): Error {
  const empty = page.forms.some(form => form.controls.some(control => control.name === 'SAMLResponse'))
  if (empty) return formFailure('saml-missing', `${hostOf(page)} sent an empty or broken SAMLResponse`)
  const copy = savePage(walk.context.store, page, walk.secrets)
  const title = clean(page.title, 100) || 'without a title'
  return formFailure('page-unknown', `page not understood: “${title}” at ${place(page.url)} (status ${page.status}); a copy without secrets is in ${copy}`)
}

/** A walk that ends at AWS has lost its assertion; nothing is ever sent there from here. */
function leaveAwsAlone(url: string): void {
  const { hostname } = new URL(url)
  const hosts = partitions.flatMap(partition => [...partition.signInHosts, ...(partition.consoleHost ? [partition.consoleHost] : [])])
  if (hosts.some(host => hostname === host || hostname.endsWith(`.${host}`))) {
    throw formFailure('saml-missing', `the sign-in led to ${hostname} without a SAMLResponse`)
  }
}

function hostOf(page: Page): string {
  return new URL(page.url).host
}

/** Pages may echo what they were sent; and in the background "nobody to ask" means that the session is over. */
function tidy(walk: Walk, error: unknown): unknown {
  if (!isFailure(error)) return error
  const { kind, hint, code, cause } = error
  let message = error.message
  for (const secret of walk.secrets) if (secret.length > 3) message = message.replaceAll(secret, '*****')
  const ended = kind === 'person' && walk.context.mode === 'refresh' && (code === undefined || !/^(?:captcha|mfa-|foreign-)/.test(code))
  if (ended) message = `the session at ${walk.entry.host} has ended and signing in again needs a person: ${message}`
  return failure(kind, message, { hint: ended ? 'cloudtoken' : hint, code: ended ? 'idp-session-ended' : code, cause })
}
