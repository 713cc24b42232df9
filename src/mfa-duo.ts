/**
 * Duo, told apart by what stands on the page: the classic frame in a page of the identity provider, and the two prompts
 * that Duo shows on pages of its own. Pure.
 */
import { readLiteral } from './html-literal.ts'
import type { Control, Form, Page } from './html.ts'

export type DuoPage =
  /** The classic frame: `request` is `TX|…:APP|…`; `action` takes the signed answer. */
  | { readonly stage: 'frame'; readonly host: string; readonly request: string; readonly action: string | undefined }
  /** Universal prompt: what the browser can do, before anything else. */
  | { readonly stage: 'plugin'; readonly form: Form }
  /** Universal prompt: devices and factors. */
  | { readonly stage: 'prompt'; readonly form: Form }
  /** The single-page prompt, which speaks JSON. */
  | { readonly stage: 'app'; readonly authkey: string; readonly akey: string; readonly trace: string }
  /** A page of a university that asks Duo by itself; `facts` is what its script knows of the devices. */
  | { readonly stage: 'list'; readonly form: Form; readonly facts: unknown }
  /** Something of Duo's that only a browser can do, in plain words. */
  | { readonly stage: 'other'; readonly name: string }

export function duoOf(page: Page): DuoPage | undefined {
  return frame(page) ?? list(page) ?? prompt(page)
}

function frame(page: Page): DuoPage | undefined {
  const fields = [...page.forms.flatMap(form => form.controls), ...page.loose]
  const field = (name: string): string => fields.find((control: Control) => control.name === name)?.value ?? ''
  const tag = /<iframe\b[^<>]*\bid\s*=\s*["']?duo_iframe\b[^<>]*>/i.exec(page.source)?.[0]
  const script = (name: string): string =>
    new RegExp(`['"]${name}['"]\\s*:\\s*['"]([^'"\\s<>]+)['"]`).exec(page.source)?.[1] ?? ''
  if (tag === undefined && field('duo_sig_request') === '' && field('duo_host') === '') return undefined
  const host = attributeOf(tag ?? '', 'data-host') || field('duo_host') || script('host')
  const request = attributeOf(tag ?? '', 'data-sig-request') || field('duo_sig_request') || script('sig_request')
  if (!/^TX\|[^:]+:APP\|.+/.test(request) || !URL.canParse(`https://${host}`)) {
    return { stage: 'other', name: 'a frame without a request in it' }
  }
  const action = attributeOf(tag ?? '', 'data-post-action') || script('post_action') || undefined
  return { stage: 'frame', host, request, action }
}

function list({ forms, source }: Page): DuoPage | undefined {
  const form = forms.find(({ controls }) => controls.some(({ name }) => /^duo_(?:device|passcode)$/.test(name)))
  const start = /\bduoResults\s*=\s*(?=\{)/.exec(source)
  return form && start ? { stage: 'list', form, facts: readLiteral(source, start.index + start[0].length) } : undefined
}

function prompt({ forms, source }: Page): DuoPage | undefined {
  const app = /<[a-z][^<>]*\bdata-authkey\s*=[^<>]*>/i.exec(source)?.[0]
  if (app !== undefined && /\bdata-akey\s*=/i.test(app)) {
    const [authkey, akey, trace] = ['data-authkey', 'data-akey', 'data-req-trace-group'].map(name =>
      attributeOf(app, name),
    )
    return { stage: 'app', authkey: authkey ?? '', akey: akey ?? '', trace: trace ?? '' }
  }
  const byId = (id: string): Form | undefined => forms.find(form => form.id === id)
  const plugin = byId('plugin_form')
  if (plugin) return { stage: 'plugin', form: plugin }
  const login = byId('login-form')
  if (login?.controls.some(control => control.name === 'sid') && /\/frame\//.test(login.action ?? '')) {
    return { stage: 'prompt', form: login }
  }
  return sideOf(forms)
}

/** Pages that look at the machine before the prompt. */
export function sideOf(forms: readonly Form[]): DuoPage | undefined {
  if (forms.some(({ id }) => id === 'client_cert_form')) return { stage: 'other', name: 'a certificate of this device' }
  if (forms.some(({ id }) => id === 'endpoint-health-form')) {
    return { stage: 'other', name: 'the Duo Desktop (Device Health) application' }
  }
  return undefined
}

/** Duo's own servers. */
export function isDuo(hostname: string): boolean {
  return /\.(?:duosecurity|duofederal)\.com$/i.test(hostname)
}

const entities = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['vert', '|'],
])

/** Value of an attribute in a start tag, entities decoded; empty when absent. */
function attributeOf(tag: string, name: string): string {
  const found = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, 'i').exec(tag)
  const value = found?.slice(1).find(each => each !== undefined) ?? ''
  return value.replace(
    /&(?:#x([0-9a-f]{1,5})|#(\d{1,6})|([a-z]+));/gi,
    (whole: string, hex?: string, decimal?: string, word = '') => {
      if (hex === undefined && decimal === undefined) return entities.get(word) ?? whole
      return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16))
    },
  )
}
