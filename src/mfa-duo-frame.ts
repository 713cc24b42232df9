/**
 * The classic frame of Duo, as in old installations: a request signed by the identity provider, a cookie that answers it.
 */
import type { HttpRequest } from './http.ts'
import { readPage, submit, type Control, type Page } from './html.ts'
import { formFailure } from './form-failure.ts'
import { addressAt, isPrivateWay, place } from './form-text.ts'
import { sideOf, type DuoPage } from './mfa-duo.ts'
import { pass } from './mfa-duo-universal.ts'
import { askDuo, formPost, needsBrowser, textOf } from './mfa-duo-wait.ts'
import type { ProviderContext } from './provider.ts'

type Frame = Extract<DuoPage, { stage: 'frame' }>

/** The form of the identity provider with the signed answer in it. */
export async function answerFrame(context: ProviderContext, page: Page, frame: Frame): Promise<HttpRequest> {
  const sig_response = await signedAnswer(context, page.url, frame)
  const form =
    page.forms.find(({ id }) => id === 'duo_form') ??
    page.forms.find(({ controls }) => controls.some(isState)) ??
    page.forms[0]
  if (!form) throw formFailure('idp-error', 'the page with the frame of Duo has no form for its answer')
  const loose = page.loose.filter(
    control => isState(control) && !form.controls.some(({ name }) => name === control.name),
  )
  const beside = Object.fromEntries(loose.map(({ name, value }) => [name, value]))
  const action = frame.action ?? form.action
  return submit(page, { ...form, action, method: 'post' }, { ...beside, sig_response })
}

/** What the frame would hand to the page at `parent`. */
export async function signedAnswer(
  context: ProviderContext,
  parent: string,
  { host, request }: Pick<Frame, 'host' | 'request'>,
): Promise<string> {
  const [tx = '', app = ''] = request.split(/:(?=APP\|)/)
  return `${await cookieOf(context, parent, host, tx)}:${app}`
}

async function cookieOf(context: ProviderContext, parent: string, host: string, tx: string): Promise<string> {
  if (!URL.canParse(`https://${host}`)) throw formFailure('idp-error', 'the page does not say where Duo is')
  // On loopback there is no TLS.
  const origin = new URL(`${/^(?:127\.0\.0\.1|localhost):\d+$/.test(host) ? 'http' : 'https'}://${host}`).origin
  const auth = `${origin}/frame/web/v1/auth?${new URLSearchParams({ tx, parent, v: '2.6' }).toString()}`
  if (!isPrivateWay(new URL(auth))) throw formFailure('insecure', `Duo (${host}) is not reached over https`)
  const facts = {
    parent,
    java_version: '',
    flash_version: '',
    screen_resolution_width: '1280',
    screen_resolution_height: '1024',
    color_depth: '24',
  }
  const request = formPost(auth, facts)
  const response = await context.http.request({ ...request, headers: { ...request.headers, accept: 'text/html' } })
  const shown = await readPage(response)
  if (!shown)
    throw formFailure('idp-error', `Duo (${host}) answered the frame with status ${response.status} and no page`)
  const ready = shown.forms
    .flatMap(form => form.controls)
    .concat(shown.loose)
    .find(({ name }) => name === 'js_cookie')
  if (ready) {
    if (ready.value !== '') return ready.value
    throw formFailure('mfa-refused', `Duo (${host}) gave an empty answer`)
  }
  const side = sideOf(shown.forms)
  if (side?.stage === 'other') throw needsBrowser(host, side.name)
  const form = shown.forms.find(({ controls }) => controls.some(({ name }) => name === 'sid'))
  if (!form) throw needsBrowser(host, 'a prompt that is not known')
  const { sid, status } = await pass(context, shown, form, '/frame')
  const result = textOf(status, 'result_url')
  const next = addressAt(origin, result)
  if (next === undefined) throw formFailure('idp-error', `Duo (${host}) leads on to ${place(result)}`)
  return textOf(await askDuo(context, formPost(next, { sid })), 'cookie')
}

function isState({ name }: Control): boolean {
  return name === 'Context' || name === 'AuthMethod'
}
