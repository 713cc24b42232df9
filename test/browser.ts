/**
 * The least a browser does: cookies, redirects one by one, a form as it stands. Shows that the real pages work, without
 * the sign-in engine that other tests are about.
 */
import { parseHTML } from 'linkedom'

export interface Page {
  readonly url: string
  readonly status: number
  readonly text: string
}

export interface Form {
  readonly action: string
  readonly method: string
  /** Hidden and filled-in fields, without any button. */
  readonly fields: Record<string, string>
  /** Names of the submit buttons. */
  readonly buttons: readonly string[]
}

export interface Browser {
  get(url: string): Promise<Page>
  submit(form: Form, fields?: Readonly<Record<string, string>>): Promise<Page>
}

export function createBrowser(): Browser {
  const cookies = new Map<string, string>()
  const load = async (url: string, init: RequestInit = {}): Promise<Page> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { ...init, redirect: 'manual', headers: { cookie } })
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';')
      cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
    }
    const location = response.headers.get('location')
    const text = await response.text()
    return location === null ? { url, status: response.status, text } : load(new URL(location, url).href)
  }
  return {
    get: url => load(url),
    submit: (form, fields = {}) => {
      const body = new URLSearchParams({ ...form.fields, ...fields })
      if (form.method === 'post') return load(form.action, { method: 'POST', body })
      return load(`${form.action.split('?')[0]}?${body}`)
    },
  }
}

export function formsOf(page: Page): Form[] {
  const { document } = parseHTML(page.text)
  return [...document.querySelectorAll('form')].map(form => {
    const fields: Record<string, string> = {}
    const buttons: string[] = []
    for (const control of form.querySelectorAll('input, button')) {
      const [name, type] = [control.getAttribute('name') ?? '', control.getAttribute('type') ?? 'text']
      if (name === '') continue
      if (type === 'submit') buttons.push(name)
      else if (type !== 'checkbox' || control.hasAttribute('checked'))
        fields[name] = control.getAttribute('value') ?? ''
    }
    const action = new URL(form.getAttribute('action') ?? '', page.url).href
    return { action, method: (form.getAttribute('method') ?? 'get').toLowerCase(), fields, buttons }
  })
}
