/**
 * PingOne: its sign-on page is a script over the flow API, which says what is wanted next. The older PingOne for
 * Enterprise is made of pages, PingFederate's and PingID's among them.
 */
import { addressOf, at, listAt, textAt } from './api-json.ts'
import { passwordFor } from './api-secret.ts'
import { failure } from './errors.ts'
import { formFailure, hostOf } from './form-failure.ts'
import { formProvider } from './form-login.ts'
import { clean } from './form-text.ts'
import { allowHost, onward, userNameOf, type FormRecipe } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import type { Settings } from './options.ts'
import { entryUrl } from './provider-form.ts'
import { pingHosts, pingRecipe } from './provider-pingfederate.ts'
import { passFactor } from './provider-pingone-factor.ts'
import { act, beginFlow, offers, readFlow, stoppedBy, type Flow } from './provider-pingone-flow.ts'

/** Identifier of AWS as a service provider, in the standard partition. */
const amazon = 'urn:amazon:webservices'
const example = `https://auth.pingone.com/ENVIRONMENT/saml20/idp/startsso?spEntityId=${amazon}`
const maxStates = 20

export const pingone = formProvider({ name: 'pingone', summary: 'PingOne, and PingOne for Enterprise' }, recipe)

function recipe(): FormRecipe {
  let completed = false
  return {
    ...pingRecipe,
    ownHosts: [...pingHosts('auth'), ...pingHosts('authenticator')],
    entry,
    async answer(walk, page) {
      const flow = beginFlow(walk, page)
      if (!flow) {
        needsBrowser(page)
        return pingRecipe.answer?.(walk, page)
      }
      if (completed) {
        throw formFailure('no-access', `${hostOf(page)} signed you in, but does not let you into the app for AWS`)
      }
      const request = await runFlow(flow, () => void (completed = true))
      return onward(page, request)
    },
  }
}

/** A whole address as it is; `https://auth.pingone.REGION/ENVIRONMENT`, or a domain of one's own, made whole. */
function entry({ url }: Settings): string {
  const { href, origin, hostname, pathname, search } = entryUrl(url, example)
  const environment = /^\/?([\da-f-]{36})?\/?$/i.exec(pathname)
  if (!environment || search !== '') return href
  if (/(?:^|\.)pingone\.[a-z.]+$/.test(hostname) && environment[1] === undefined) {
    throw failure('config', `${href} does not say which environment`, {
      hint: `cloudtoken --url '${example}'`,
      code: 'url-invalid',
    })
  }
  return `${origin}${pathname.replace(/\/$/, '')}/saml20/idp/startsso?spEntityId=${amazon}`
}

/** Pages that are nothing but a script, over something that is not the flow API. */
function needsBrowser({ forms, source, url }: Page): void {
  const { host, hostname, pathname } = new URL(url)
  const davinci = /\/davinci\//i.test(pathname) || (forms.length === 0 && /\bdavinci\b/i.test(source))
  const what = hostname.startsWith('desktop.pingone.')
    ? 'the dock of PingOne for Enterprise'
    : davinci
      ? 'a flow of DaVinci'
      : undefined
  if (what !== undefined) throw formFailure('mfa-unsupported', `${host} shows ${what}, which needs a browser`)
}

type Next = { readonly leave: HttpRequest } | { readonly answer: unknown }

/** To the end of the flow, or to another identity provider. */
async function runFlow(flow: Flow, complete: () => void): Promise<HttpRequest> {
  let answer = await readFlow(flow)
  for (let count = 0; count < maxStates; count += 1) {
    if (textAt(answer, 'status') === 'COMPLETED') {
      complete()
      return { url: addressOf(flow.page, textAt(answer, 'resumeUrl')) }
    }
    const next = await answerState(flow, answer)
    if ('leave' in next) return next.leave
    answer = next.answer
  }
  throw formFailure('too-many-pages', `${flow.url.host} did not come to an end of its flow`)
}

async function answerState(flow: Flow, answer: unknown): Promise<Next> {
  const status = textAt(answer, 'status')
  switch (status) {
    case 'SIGN_ON_REQUIRED':
    case 'USERNAME_PASSWORD_REQUIRED':
    case 'PASSWORD_REQUIRED': {
      const elsewhere = chosenSource(flow, answer)
      return elsewhere ? { leave: elsewhere } : { answer: await signOn(flow, answer, status) }
    }
    case 'DEVICE_SELECTION_REQUIRED':
    case 'OTP_REQUIRED':
    case 'PUSH_CONFIRMATION_REQUIRED':
    case 'ASSERTION_REQUIRED':
      return { answer: await passFactor(flow, answer) }
    case 'EXTERNAL_AUTHENTICATION_REQUIRED': {
      const href = textAt(answer, '_embedded', 'identityProvider', '_links', 'authenticate', 'href')
      return { leave: { url: addressOf(flow.page, href) } }
    }
    default:
      throw stoppedBy(flow, answer)
  }
}

/** A user name alone, a password alone, or both, as the flow offers. */
async function signOn(flow: Flow, answer: unknown, status: string): Promise<unknown> {
  const { walk, page, url } = flow
  const username = await userNameOf(walk)
  if (status === 'SIGN_ON_REQUIRED' && !offers(answer, 'usernamePassword.check')) {
    if (walk.userNames.has(url.host)) {
      throw formFailure('username-refused', `${url.host} did not accept the user name`)
    }
    await allowHost(walk, url)
    walk.userNames.set(url.host, page)
    return act(flow, 'user.lookup', { username })
  }
  const password = await passwordFor(walk, page, url)
  return offers(answer, 'password.check')
    ? act(flow, 'password.check', { password })
    : act(flow, 'usernamePassword.check', { username, password })
}

/** Taken once; whoever comes back from there signs in here. */
const sourceStep = 'pingone source'

/** `--auth-source`: another identity provider that the page offers beside the password. */
function chosenSource({ walk, page }: Flow, answer: unknown): HttpRequest | undefined {
  const { authSource } = walk.context.settings
  const sources = listAt(answer, '_embedded', 'socialProviders')
  if (authSource === undefined || sources.length === 0 || walk.pressed.has(sourceStep)) return undefined
  const names = (source: unknown): string[] => ['name', 'id', 'type'].map(name => textAt(source, name).toLowerCase())
  const found = sources.find(source => names(source).includes(authSource.toLowerCase()))
  walk.pressed.add(sourceStep)
  if (found !== undefined) return { url: addressOf(page, textAt(at(found, '_links', 'authenticate'), 'href')) }
  const offered = sources.map(source => clean(textAt(source, 'name'), 60)).join(', ')
  walk.context.log.warn(`${hostOf(page)} offers no source “${clean(authSource, 60)}”`, offered)
  return undefined
}
