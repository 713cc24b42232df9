/**
 * PingID's pages, wherever PingFederate, PingOne or another identity provider sends a person to them. Pure.
 */
import type { HttpRequest } from './http.ts'
import { submit, type Control, type Form, type Page } from './html.ts'
import { isUsable, named } from './form-fields.ts'
import { clean, textOf } from './form-text.ts'

export interface PingIdDevice {
  readonly id: string
  readonly label: string
  /** PingID's word for what it is: `mobile-phone`, `sms`, `email`. */
  readonly kind: string
}

export type PingIdPage =
  /** Somebody is to approve on `device`: `status` is asked as long as it says to wait, then `onward` is sent. */
  | {
      readonly stage: 'push'
      readonly device: string
      readonly number: string
      readonly status: HttpRequest
      readonly onward: HttpRequest
    }
  | { readonly stage: 'code'; readonly device: string; readonly form: Form; readonly code: Control }
  | { readonly stage: 'devices'; readonly form: Form; readonly devices: readonly PingIdDevice[] }

/** Its pages are short; other pages are not searched for its words to their end. */
const longest = 100_000

export function pingIdOf(page: Page): PingIdPage | undefined {
  return codePage(page) ?? devicePage(page) ?? pushPage(page)
}

/** Beside its one field there are empty forms, for devices that send the code by themselves. */
function codePage(page: Page): PingIdPage | undefined {
  const form = page.forms.find(({ id }) => id === 'otp-form')
  const code = form?.controls.find(control => control.name === 'otp' && isUsable(control))
  if (!form || !code || !named(form, csrfField)) return undefined
  return { stage: 'code', device: deviceShown(page), form, code }
}

function devicePage(page: Page): PingIdPage | undefined {
  const form = page.forms.find(each => each.id === 'device-form' && named(each, 'deviceId'))
  if (!form) return undefined
  const items = page.source.slice(0, longest).matchAll(/<li\b([^<>]*?\bdata-id\s*=[^<>]*)>(.{0,2000}?)<\/li>/gis)
  const devices = [...items].flatMap(([, attributes = '', inside = '']) => {
    const id = attribute(attributes, 'data-id')
    const kind = attribute(attributes, 'class')
      .split(/\s+/)
      .find(word => !/^(?:device|selected|disabled|primary)?$/.test(word))
    const label = clean(deviceIn(inside) || textOf(inside), 60) || `device ${id}`
    return id === '' ? [] : [{ id, label, kind: kind ?? '' }]
  })
  return devices.length > 0 ? { stage: 'devices', form, devices } : undefined
}

function pushPage(page: Page): PingIdPage | undefined {
  const status = page.forms.find(({ id }) => id === 'form1')
  // PingID writes it without the s.
  const onward = page.forms.find(({ id }) => /^res?ponseView$/.test(id))
  if (!status || !onward) return undefined
  return {
    stage: 'push',
    device: deviceShown(page),
    number: clean(textOf(inClass(page.source, 'numbermatching')), 20),
    status: submit(page, { ...status, method: 'get' }),
    onward: submit(page, onward),
  }
}

const csrfField = 'csrfToken'

/** The form with the token of the cookie, which is newer than that of the page. */
export function withCsrf(form: Form, token: string): Form {
  const controls = form.controls.map(each => (each.name === csrfField ? { ...each, value: token } : each))
  return { ...form, controls }
}

/** The page of all devices, where this one leads to it. */
export function changeDevice({ links }: Page): string | undefined {
  return links.map(({ href }) => href).find(href => /\/ppm\/devices\/?(?:[?#]|$)/.test(href))
}

function deviceShown(page: Page): string {
  return clean(deviceIn(page.source), 60)
}

function deviceIn(html: string): string {
  return textOf(inClass(html, 'device-name'))
}

/** What the first `div` of that class holds, markup and all. */
function inClass(html: string, name: string): string {
  const pattern = new RegExp(`<div\\b[^<>]*\\bclass\\s*=\\s*["'][^"'<>]*\\b${name}\\b[^<>]*>(.{0,2000}?)</div>`, 'is')
  return pattern.exec(html.slice(0, longest))?.[1] ?? ''
}

function attribute(tag: string, name: string): string {
  return new RegExp(`\\b${name}\\s*=\\s*["']([^"']*)["']`, 'i').exec(tag)?.[1] ?? ''
}
