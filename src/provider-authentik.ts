/**
 * authentik: its pages are one script over the flow executor, which hands out stages and takes their answers.
 */
import { addressOf, askJson, at, formOf, listAt, textAt } from './api-json.ts'
import { passwordFor, personFor, apiRefusal, typeCodes } from './api-secret.ts'
import { isAwsSignIn } from './arn.ts'
import { codeOfText, formFailure } from './form-failure.ts'
import { formProvider } from './form-login.ts'
import { readSamlResponse } from './form-saml.ts'
import { clean } from './form-text.ts'
import { userNameOf, type Walk } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import { chooseUsable, type Method } from './mfa-choice.ts'
import { entryUrl } from './provider-form.ts'
import type { Assertion } from './types.ts'

const maxStages = 20
/** Duo answers when the person did. */
const patience = 120_000

export const authentik = formProvider(
  { name: 'authentik', summary: 'authentik' },
  {
    entry: ({ url }) => entryUrl(url, 'https://auth.example.com/application/saml/aws/sso/binding/init/').href,
    answer: async (walk, page) => (slugOf(page) === undefined ? undefined : runFlow(walk, page)),
  },
)

function slugOf({ url }: Page): string | undefined {
  return /\/if\/flow\/([\w-]+)\//.exec(new URL(url).pathname)?.[1]
}

type Outcome = HttpRequest | Assertion

/** One flow, from its first stage to where it leads. */
async function runFlow(walk: Walk, page: Page): Promise<Outcome> {
  const { origin, search } = new URL(page.url)
  const slug = slugOf(page) ?? ''
  const query = new URLSearchParams({ query: search.slice(1) }).toString()
  const url = `${origin}/api/v3/flows/executor/${slug}/?${query}`
  let stage: unknown = (await askJson(walk.context, { url, headers: { referer: page.url } })).body
  for (let count = 0; count < maxStages; count += 1) {
    const next = await answerStage(walk, page, url, stage)
    if ('leave' in next) return next.leave
    stage = next.stage
  }
  throw formFailure('too-many-pages', `${new URL(url).host} did not come to an end of its flow`)
}

type Next = { readonly leave: Outcome } | { readonly stage: unknown }

async function answerStage(walk: Walk, page: Page, url: string, stage: unknown): Promise<Next> {
  const { host } = new URL(url)
  const component = textAt(stage, 'component')
  const post = async (body: unknown): Promise<unknown> =>
    (await askJson(walk.context, { url, headers: { referer: page.url }, body, sensitive: true, timeoutMs: patience }))
      .body
  if (component === 'xak-flow-redirect' || textAt(stage, 'type') === 'redirect') {
    return { leave: { url: addressOf(page, textAt(stage, 'to')) } }
  }
  switch (component) {
    case 'ak-stage-identification': {
      const said = errorOf(stage)
      if (walk.userNames.has(host))
        throw walk.passwords.has(host) ? apiRefusal(host, 401, said) : unknownUser(host, said)
      walk.userNames.set(host, page)
      const uid_field = await userNameOf(walk)
      const password = at(stage, 'password_fields') === true && {
        password: await passwordFor(walk, page, new URL(url)),
      }
      return { stage: await post({ component, uid_field, ...password }) }
    }
    case 'ak-stage-password': {
      if (walk.passwords.has(host)) throw apiRefusal(host, 401, errorOf(stage))
      return { stage: await post({ component, password: await passwordFor(walk, page, new URL(url)) }) }
    }
    case 'ak-stage-authenticator-validate':
      return { stage: await validate(walk, url, stage, post) }
    case 'ak-stage-consent': {
      const { ask, settings } = walk.context
      const question = clean(textAt(stage, 'header_text'), 200) || 'release of data to AWS'
      const yes =
        settings.consent === 'accept' || (settings.consent === 'ask' && (await ask.confirm(`${host}: ${question}?`)))
      if (!yes) throw formFailure('consent-refused', `the consent that ${host} asks for was refused`)
      return { stage: await post({ component, token: textAt(stage, 'token') }) }
    }
    case 'ak-stage-autosubmit':
      return { leave: autosubmit(page, stage) }
    case 'ak-stage-access-denied': {
      const said = clean(textAt(stage, 'error_message'), 200)
      throw formFailure(codeOfText(said) ?? 'no-access', `${host} denied access${said && `: ${said}`}`)
    }
    case 'xak-flow-error':
      throw formFailure(
        'idp-error',
        `${host} reports an error: ${clean(textAt(stage, 'error'), 200) || 'without a text'}`,
      )
    default:
      throw formFailure(
        'mfa-unsupported',
        `${host} wants something that needs a browser: ${clean(component, 60) || '?'}`,
      )
  }
}

/** A code that was refused brings the stage again. */
async function validate(
  walk: Walk,
  url: string,
  stage: unknown,
  post: (body: unknown) => Promise<unknown>,
): Promise<unknown> {
  const { host } = new URL(url)
  personFor(walk, host)
  const component = textAt(stage, 'component')
  const device = await choose(walk, host, stage)
  const kind = textAt(device, 'device_class')
  if (kind === 'duo') {
    walk.context.ask.tell(`${host}: approve the push of Duo on your device`)
    const next = await post({ component, duo: Number(textAt(device, 'device_uid')) })
    const said = errorOf(next)
    if (said !== '') throw formFailure('mfa-refused', `${host} refused the second factor: ${said}`)
    return next
  }
  // This is what sends the code.
  if (kind === 'sms' || kind === 'email') await post({ component, selected_challenge: device })
  return typeCodes(walk, new URL(url), { label: labels.get(kind) ?? 'Code' }, async code => {
    const next = await post({ component, code })
    const said = textAt(next, 'component') === component ? errorOf(next) : ''
    return said === '' ? { done: next } : { refused: said }
  })
}

const labels = new Map<string, string>([
  ['totp', 'code of an app'],
  ['static', 'recovery code'],
  ['sms', 'code by SMS'],
  ['email', 'code by e-mail'],
  ['duo', 'Duo push'],
])

async function choose(walk: Walk, host: string, stage: unknown): Promise<unknown> {
  const devices = listAt(stage, 'device_challenges')
  const methods = devices.map((value): Method<unknown> => {
    const kind = clean(textAt(value, 'device_class'), 40)
    const label = labels.get(kind) ?? `${kind} (needs a browser)`
    return { value, label, names: [kind, textAt(value, 'device_uid')], code: kind === 'totp' || kind === 'static' }
  })
  const isKnown = (device: unknown): boolean => labels.has(textAt(device, 'device_class'))
  return chooseUsable(walk.context, host, methods, isKnown, 'one to be set up first')
}

function autosubmit(page: Page, stage: unknown): Outcome {
  const url = addressOf(page, textAt(stage, 'url'))
  const fields = Object.entries(Object(at(stage, 'attrs'))).map(([name, value]): [string, string] => [
    name,
    String(value),
  ])
  if (!isAwsSignIn(url)) return formOf(page, url, Object.fromEntries(fields))
  const read = readSamlResponse(textAt(stage, 'attrs', 'SAMLResponse'))
  if (read) return { kind: 'saml', response: read.base64 }
  throw formFailure('saml-missing', `${new URL(page.url).host} sent an empty or broken SAMLResponse`)
}

/** `response_errors`: a list of `{ string, code }` by field. */
function errorOf(stage: unknown): string {
  const errors: unknown = at(stage, 'response_errors')
  const texts = Object.values(Object(errors))
    .flatMap(list => (Array.isArray(list) ? list : []))
    .map(each => textAt(each, 'string'))
  return clean(texts.filter(Boolean).join('; '), 200)
}

function unknownUser(host: string, said: string): Error {
  return formFailure('username-refused', `${host} did not accept the user name${said && `: ${said}`}`)
}
