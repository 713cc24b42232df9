/**
 * Duo behind the log-in page of a university (Cosign and its like): the devices stand in a script of the page, the choice
 * goes into its form, and the answer comes when the person gave it.
 */
import { formFailure, newText } from './form-failure.ts'
import { clean } from './form-text.ts'
import { readPage, submit, type Page } from './html.ts'
import type { HttpResponse } from './http.ts'
import { fieldsOf } from './json.ts'
import { codeFor } from './mfa-code.ts'
import { duoOf, type DuoPage } from './mfa-duo.ts'
import { chooseFactor, type DuoFactor } from './mfa-duo-wait.ts'
import type { ProviderContext } from './provider.ts'

type List = Extract<DuoPage, { stage: 'list' }>

const maxTries = 3
/** How long the device of a person may take to answer, ms. */
const patience = 180_000

/** The page behind it. */
export async function answerList(context: ProviderContext, first: Page, list: List): Promise<HttpResponse> {
  const { host } = new URL(first.url)
  const factor = await chooseFactor(context, host, factorsOf(list))
  const sent: string[] = []
  let current: { page: Page; list: List } = { page: first, list }
  for (let tries = 1; ; tries += 1) {
    const {
      page,
      list: { form },
    } = current
    const code = factor.kind === 'code' ? await codeFor(context, { host, label: 'Duo passcode', sent }) : undefined
    if (code === undefined) context.ask.tell(`Duo (${host}): answer on ${factor.deviceName || 'your device'}`)
    else sent.push(code)
    const fields = code === undefined ? { duo_device: factor.device } : { duo_passcode: code }
    const button = form.controls.find(({ type, disabled }) => type === 'submit' && !disabled)
    const request = submit(page, form, { ...fields, duo_factor: factor.factor }, button)
    const response = await context.http.request({ ...request, sensitive: true, timeoutMs: patience })
    context.signal.throwIfAborted()
    const next = await readPage(response)
    const again = next && duoOf(next)
    if (!next || again?.stage !== 'list') return response
    const said = clean(textIn(fieldsOf(again.facts), 'error'), 200) || newText(page, next)
    if (/time[d]?[ -]?out/i.test(said)) throw formFailure('mfa-timeout', `Duo (${host}): nobody answered in time`)
    const message = `Duo (${host}) refused the second factor${said && `: ${said}`}`
    if (code === undefined || tries === maxTries) throw formFailure('mfa-refused', message)
    context.ask.tell(message)
    current = { page: next, list: again }
  }
}

function factorsOf({ facts, form }: List): DuoFactor[] {
  const devices = fieldsOf(fieldsOf(facts)['devices'])['devices']
  const listed = (Array.isArray(devices) ? devices.map(fieldsOf) : []).flatMap((found): DuoFactor[] => {
    const device = textIn(found, 'device')
    const deviceName = clean(textIn(found, 'display_name'), 60) || device
    const { capabilities } = found
    const can = (what: string): boolean => Array.isArray(capabilities) && capabilities.includes(what)
    if (device === '') return []
    return [
      ...(can('push') ? [{ kind: 'push', factor: 'push', device, deviceName } as const] : []),
      ...(can('phone') ? [{ kind: 'call', factor: 'phone', device, deviceName } as const] : []),
    ]
  })
  const typed = form.controls.some(({ name }) => name === 'duo_passcode')
  return typed ? [...listed, { kind: 'code', factor: 'passcode', device: '', deviceName: '' }] : listed
}

function textIn(found: Readonly<Record<string, unknown>>, name: string): string {
  const value = found[name]
  return typeof value === 'string' ? value : ''
}
