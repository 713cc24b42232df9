/**
 * The answers to PingID's pages: the device, its approval, its code.
 */
import type { HttpRequest, HttpResponse } from './http.ts'
import { readPage, submit, type Page } from './html.ts'
import { answerCode, needPerson } from './form-factor.ts'
import { errorText, formFailure, hostOf } from './form-failure.ts'
import { classify } from './form-page.ts'
import { changeDevice, withCsrf, type PingIdDevice, type PingIdPage } from './form-pingid.ts'
import { scrubText } from './form-report.ts'
import { clean } from './form-text.ts'
import { onward, type Walk } from './form-walk.ts'
import { readFields } from './json.ts'
import { chooseMethod, methodsNamed, wishedMethod, type Method } from './mfa-choice.ts'
import { awaitApproval, type Poll } from './mfa-push.ts'

type Stage<S extends PingIdPage['stage']> = Extract<PingIdPage, { stage: S }>

const pollMs = 3000
const csrfCookie = '.csrf'

export async function answerPingId(walk: Walk, page: Page, ping: PingIdPage): Promise<HttpRequest | HttpResponse> {
  needPerson(walk, page)
  if (ping.stage === 'devices') return chooseDevice(walk, page, ping)
  const other = otherDevice(walk, page, ping)
  if (other) return other
  return ping.stage === 'push' ? awaitSwipe(walk, page, ping) : typeCode(walk, page, ping)
}

async function typeCode(walk: Walk, page: Page, { form, code }: Stage<'code'>): Promise<HttpRequest> {
  const token = await walk.context.http.readCookie(page.url, csrfCookie)
  const fresh = token === undefined ? form : withCsrf(form, token)
  return answerCode(walk, page, { kind: 'code', name: 'otp', form: fresh, code })
}

/** To the list of devices, where `--mfa-method` names another one than the page is about. */
function otherDevice(walk: Walk, page: Page, ping: Stage<'push' | 'code'>): HttpRequest | undefined {
  const wish = wishedMethod(walk.context)
  const list = changeDevice(page)
  const step = `${hostOf(page)} devices`
  if (wish === undefined || list === undefined || walk.pressed.has(step) || walk.last === 'code') return undefined
  const names = ping.stage === 'push' ? ['push'] : ['otp', 'passcode']
  if (methodsNamed([{ value: ping, label: ping.device, names }], wish).length > 0) return undefined
  walk.pressed.add(step)
  return onward(page, { url: list })
}

async function chooseDevice(walk: Walk, page: Page, { form, devices }: Stage<'devices'>): Promise<HttpRequest> {
  walk.pressed.add(`${hostOf(page)} devices`)
  const methods = devices.map((value): Method<PingIdDevice> => {
    const kind = value.kind === 'mobile-phone' ? ['push'] : []
    return { value, label: value.label, names: [value.id, value.kind, ...kind].filter(Boolean) }
  })
  const device = await chooseMethod(walk.context, hostOf(page), methods)
  return onward(page, submit(page, form, { deviceId: device.id }))
}

/** What PingID calls the end of the waiting without an answer. */
const unanswered = /^(?:DEVICE_CLAIM_)?TIMEOUT$/

async function awaitSwipe(walk: Walk, page: Page, ping: Stage<'push'>): Promise<HttpRequest | HttpResponse> {
  const { context } = walk
  const host = hostOf(page)
  const what = ping.device === '' ? 'PingID' : `PingID on ${ping.device}`
  const step = `${host} push ${ping.device}`
  if (walk.pressed.has(step)) throw formFailure('mfa-timeout', `${host}: ${what} did not answer`)
  walk.pressed.add(step)
  walk.last = 'code'
  const first = { message: `approve the push of ${what}`, number: ping.number }
  const question = onward(page, { ...ping.status, headers: { ...ping.status.headers, accept: 'application/json' } })
  const status = await awaitApproval(
    context,
    { host, what, first, intervalMs: pollMs },
    async (): Promise<Poll<string>> => {
      const word = wordOf(await context.http.request(question))
      if (/DEN[IY]|REJECT|CANCEL|FAIL|BLOCK/i.test(word)) {
        throw formFailure('mfa-refused', `${host}: ${what} refused the sign-in (${clean(word, 40)})`)
      }
      return word === 'OK' || unanswered.test(word) ? { done: word } : {}
    },
  )
  const request = onward(page, ping.onward)
  if (status === 'OK') return request
  context.ask.tell(`${host}: ${what} did not answer in time`)
  // A code may be taken instead.
  const response = await context.http.request(request)
  const next = await readPage(response)
  if (next && !/^(?:failure|unknown)$/.test(classify(next).kind)) return response
  const said = next ? scrubText(errorText(next), walk.secrets) : ''
  throw formFailure('mfa-timeout', `${host}: ${what} did not answer in time${said && `: ${said}`}`)
}

/** `status` of an answer; anything else says to wait on. */
function wordOf({ text }: HttpResponse): string {
  const { status } = readFields(text)
  return typeof status === 'string' ? status : ''
}
