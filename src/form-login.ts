/**
 * The walk through the pages of one or more identity providers, from an address to a SAMLResponse for AWS.
 *
 * The page decides, not the vendor: fetch, classify by fields, answer with one form, again. Bounded, never the same
 * password twice to a host that has seen it, never a code twice, never a secret to a place that was not approved.
 */
import { isAwsSignIn } from './arn.ts'
import type { HttpRequest, HttpResponse } from './http.ts'
import { readPage, submit, type Page } from './html.ts'
import type { Provider, ProviderContext } from './provider.ts'
import type { Assertion } from './types.ts'
import { answerChoice, answerConsent, answerCredentials, answerIdentifier } from './form-answer.ts'
import { answerCode, answerMethod, answerPush, needPerson } from './form-factor.ts'
import { formFailure, hostOf } from './form-failure.ts'
import { forgetMemory } from './form-memory.ts'
import { classify, type PageKind } from './form-page.ts'
import { errorOf, leaveAwsAlone, noPage, tidy, unknownPage } from './form-stop.ts'
import { clean, place } from './form-text.ts'
import { allowSecret, beginWalk, onward, pressOnce, type FormRecipe, type Walk } from './form-walk.ts'
import type { DuoPage } from './mfa-duo.ts'

const maxPages = 30

/** A provider that is driven by forms is its name and a recipe; one that keeps something in mind, made for each sign-in. */
export function formProvider(
  about: Pick<Provider, 'name' | 'summary' | 'options'>,
  recipe: FormRecipe | (() => FormRecipe),
): Provider {
  return {
    ...about,
    entry: settings => made(recipe).entry(settings),
    authenticate: context => formLogin(context, made(recipe)),
    async forget({ store }) {
      forgetMemory(store)
      store.remove('page.html')
    },
  }
}

function made(recipe: FormRecipe | (() => FormRecipe)): FormRecipe {
  return typeof recipe === 'function' ? recipe() : recipe
}

/** Rejects with a `Failure` whose `code` is a `FormCode`, or with that of whoever was asked. */
export async function formLogin(context: ProviderContext, recipe: FormRecipe): Promise<Assertion> {
  const walk = beginWalk(context, recipe)
  try {
    let step: HttpRequest | HttpResponse | Assertion = { url: walk.entry.href }
    for (let count = 0; !('kind' in step); count += 1) {
      context.signal.throwIfAborted()
      if (count === maxPages)
        throw formFailure(
          'too-many-pages',
          `no response for AWS after ${maxPages} pages, the last at ${place(step.url)}`,
        )
      leaveAwsAlone(step.url)
      step = await answer(walk, 'bytes' in step ? step : await walk.context.http.request(step))
    }
    return step
  } catch (error) {
    throw tidy(walk, error)
  }
}

async function answer(walk: Walk, response: HttpResponse): Promise<HttpRequest | HttpResponse | Assertion> {
  leaveAwsAlone(response.url)
  const read = await readPage(response)
  if (!read) throw noPage(walk, response)
  const page = (await walk.recipe.read?.(walk, read)) ?? read
  const own = await walk.recipe.answer?.(walk, page)
  if (own) return own
  const kind = classify(page)
  walk.context.log.debug(`${page.status} ${place(page.url)}: ${kind.kind}`)
  switch (kind.kind) {
    case 'response':
      return passOn(page, kind)
    case 'hop-form':
      if (kind.rings) needPerson(walk, page)
      return onward(page, submit(page, kind.form, kind.values))
    case 'hop':
      if (/password.{0,40}\bexpir/i.test(page.text)) walk.context.log.warn(clean(page.text))
      return onward(page, { url: kind.url })
    case 'continue':
      pressOnce(walk, page, `continue ${kind.button?.name ?? ''} ${page.title}`)
      return onward(page, submit(page, kind.form, {}, kind.button))
    case 'credentials':
      return brokerOf(walk, page) ?? answerCredentials(walk, page, kind)
    case 'identifier':
      return brokerOf(walk, page) ?? answerIdentifier(walk, page, kind)
    case 'code':
      return answerCode(walk, page, kind)
    case 'consent':
      return onward(page, await answerConsent(walk, page, kind))
    case 'choice':
      return onward(page, await answerChoice(walk, page, kind))
    case 'push':
      return answerPush(walk, page, kind)
    case 'method':
      return answerMethod(walk, page, kind)
    case 'duo':
      return answerAnyDuo(walk, page, kind.duo)
    case 'pingid':
      return (await import('./form-pingid-answer.ts')).answerPingId(walk, page, kind.ping)
    case 'new-password':
      throw formFailure(
        'password-expired',
        `${hostOf(page)} wants the password changed`,
        `change it in a browser at ${place(walk.entry.href)}`,
      )
    case 'captcha':
      throw formFailure('captcha', `${hostOf(page)} wants a captcha solved`)
    case 'failure':
      return errorOf(walk, page)
    case 'unknown':
      throw unknownPage(walk, page)
  }
}

async function answerAnyDuo(walk: Walk, page: Page, duo: DuoPage): Promise<HttpRequest | HttpResponse> {
  // Duo's own pages say whose they are; this one belongs to whoever shows it.
  if (duo.stage === 'list') {
    needPerson(walk, page)
    await allowSecret(walk, page, duo.form)
    walk.last = 'code'
  }
  const { answerDuo } = await import('./mfa-duo-answer.ts')
  const step = await answerDuo(walk.context, page, duo)
  return 'bytes' in step ? step : onward(page, step)
}

/**
 * Done when the response is for AWS; else a chain: another service provider waits for it. One that says of itself that it is
 * for AWS goes nowhere else, whatever the page around it says.
 */
function passOn(page: Page, { form, response }: Extract<PageKind, { kind: 'response' }>): HttpRequest | Assertion {
  const request = submit(page, form)
  const stated = form.action?.trim()
  const target =
    stated && !/^javascript:/i.test(stated) ? request.url : (response.destination ?? response.recipient ?? request.url)
  const meant = response.destination ?? response.recipient ?? ''
  if (!isAwsSignIn(target) && !isAwsSignIn(meant)) return onward(page, request)
  return { kind: 'saml', response: response.base64 }
}

/** Keycloak and its like offer other identity providers as links beside the form: `social-ALIAS`. */
function brokerOf(walk: Walk, page: Page): HttpRequest | undefined {
  const wish = walk.context.settings.authSource?.toLowerCase()
  if (!wish || walk.passwords.size > 0) return undefined
  const link = page.links.find(({ id }) => /^[sz]ocial-/.test(id) && id.slice(7).toLowerCase() === wish)
  if (!link || !URL.canParse(link.href, page.url)) return undefined
  pressOnce(walk, page, `link ${link.id}`)
  return onward(page, { url: new URL(link.href, page.url).href })
}
