/**
 * Duo's Universal Prompt, version 4: a page with devices and factors, then JSON, then the way back to the identity
 * provider with a code. The classic frame holds the same page under older addresses.
 */
import type { HttpRequest } from './http.ts'
import type { Control, Form, Page } from './html.ts'
import { isFailure } from './errors.ts'
import { askDuo, awaitDuo, chooseFactor, duoCode, formPost, textOf, type DuoFactor } from './mfa-duo-wait.ts'
import type { ProviderContext } from './provider.ts'

const maxTries = 3

export interface Passed {
  readonly factor: DuoFactor
  readonly sid: string
  readonly txid: string
  /** The last status. */
  readonly status: Readonly<Record<string, unknown>>
}

/** The address that leads back to the identity provider. */
export async function answerUniversal(context: ProviderContext, page: Page, form: Form): Promise<HttpRequest> {
  const { factor, sid, txid } = await pass(context, page, form, '/frame/v4')
  const fields = {
    sid,
    txid,
    factor: factor.factor,
    device_key: '',
    _xsrf: valueOf(form, '_xsrf'),
    dampen_choice: 'false',
  }
  return formPost(new URL('/frame/v4/oidc/exit', page.url).href, fields)
}

/** One factor on one device, until Duo says yes. A wrong passcode is asked for again. */
export async function pass(context: ProviderContext, page: Page, form: Form, base: string): Promise<Passed> {
  const { origin, host } = new URL(page.url)
  const sent: string[] = []
  const factor = await chooseFactor(context, host, factorsOf(page, form, base))
  const universal = base.endsWith('/v4')
  for (let tries = 1; ; tries += 1) {
    const code = factor.kind === 'code' ? await duoCode(context, page.url, sent) : undefined
    const request = {
      sid: valueOf(form, 'sid'),
      device: factor.device,
      factor: factor.factor,
      ...(code !== undefined && { passcode: code }),
      ...(universal ? { _xsrf: valueOf(form, '_xsrf'), postAuthDestination: 'OIDC_EXIT' } : { out_of_date: '' }),
    }
    const txid = textOf(await askDuo(context, formPost(`${origin}${base}/prompt`, request, code !== undefined)), 'txid')
    let { sid } = request
    try {
      const status = await awaitDuo(context, host, factor, async () => {
        const answer = await askDuo(context, formPost(`${origin}${base}/status`, { sid, txid }))
        // It may hand out another session on the way.
        const next = answer['sid']
        if (typeof next === 'string' && next !== '') sid = next
        return answer
      })
      return { factor, sid, txid, status }
    } catch (error) {
      if (code === undefined || tries === maxTries || !isFailure(error) || error.code !== 'mfa-refused') throw error
      context.ask.tell(error.message)
    }
  }
}

/** Hidden `factor` fields stand once in the block of each device they work with. */
function factorsOf({ source }: Page, form: Form, base: string): DuoFactor[] {
  const devices = form.controls.find(({ name, type }) => name === 'device' && type === 'select')?.options ?? []
  const everywhere = form.controls.filter(({ name }) => name === 'factor').map(({ value }) => value)
  const blocks = Map.groupBy(
    source.matchAll(/\bdata-device-index\s*=\s*["']?([\w-]+)([^]*?)(?=\bdata-device-index\b|<\/form|$)/g),
    ([, index]) => index,
  )
  const listed = devices.flatMap(({ value: device, label: deviceName }): DuoFactor[] => {
    if (!/^(?:phone|tablet|token)\d*$/.test(device)) return []
    const own = (blocks.get(device) ?? []).flatMap(([, , block = '']) => factorsIn(block))
    const factors = new Set(own.length > 0 ? own : everywhere)
    const may = (factor: string): boolean =>
      factors.has(factor) && (!device.startsWith('token') || factor === 'Passcode')
    return [
      ...(may('Duo Push') ? [{ kind: 'push', factor: 'Duo Push', device, deviceName } as const] : []),
      ...(may('Phone Call') ? [{ kind: 'call', factor: 'Phone Call', device, deviceName } as const] : []),
    ]
  })
  const codes = everywhere.includes('Passcode') || factorsIn(source).includes('Passcode')
  // A passcode says by itself which device it is from.
  const device = base.endsWith('/v4') ? 'None' : (devices[0]?.value ?? 'phone1')
  return codes ? [...listed, { kind: 'code', factor: 'Passcode', device, deviceName: '' }] : listed
}

function factorsIn(html: string): string[] {
  return [...html.matchAll(/<input\b[^<>]*>/gi)].flatMap(([tag]) =>
    /\bname\s*=\s*["']?factor\b/i.test(tag)
      ? (/\bvalue\s*=\s*(?:"([^"]*)"|'([^']*)')/i.exec(tag)?.slice(1, 3).filter(Boolean) ?? [])
      : [],
  )
}

function valueOf(form: Form, name: string): string {
  return form.controls.find((control: Control) => control.name === name)?.value ?? ''
}
