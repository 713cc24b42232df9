/**
 * HTML as a browser would see it, as far as signing in needs it: forms with their controls, hops, texts.
 */
import type { HttpRequest, HttpResponse } from './http.ts'

export interface Control {
  /** Empty when absent: such a control is never sent. */
  readonly name: string
  /** Lower case; `text` and, for buttons, `submit` when absent; `select` and `textarea` for those elements. */
  readonly type: string
  readonly value: string
  readonly checked: boolean
  readonly disabled: boolean
  /** `select` only. */
  readonly options: readonly { readonly value: string; readonly label: string; readonly disabled: boolean; readonly selected: boolean }[]
  /** Text of its label, placeholder or aria-label; what a person would read beside it. For buttons: what stands on it. */
  readonly label: string
  readonly id: string
  readonly autocomplete: string
  /** Not shown: type hidden, `hidden`, `aria-hidden=true` with a negative tabindex, `display:none`. */
  readonly invisible: boolean
}

export interface Form {
  readonly id: string
  readonly name: string
  /** Lower case; `get` when absent. */
  readonly method: string
  /** As written; `undefined` when absent. */
  readonly action: string | undefined
  readonly enctype: string
  /** Document order, by the owner rule of HTML parsers, not by ancestry. */
  readonly controls: readonly Control[]
  readonly invisible: boolean
}

export interface Link {
  readonly id: string
  readonly href: string
  readonly text: string
  /** Value of `onclick`, empty when absent. */
  readonly onclick: string
}

export interface Page {
  /** Final URL of the document. */
  readonly url: string
  readonly status: number
  readonly title: string
  /** Visible text, white space folded. */
  readonly text: string
  readonly forms: readonly Form[]
  /** Controls that no form owns. */
  readonly loose: readonly Control[]
  readonly links: readonly Link[]
  /** `body onload` submits the first form. */
  readonly submitsItself: boolean
  /** Absolute URL that the page goes on to by itself: meta refresh outside noscript, onload or top-level script. */
  readonly hop: string | undefined
  /** Texts of known error elements that are not empty and not hidden. */
  readonly errors: readonly string[]
  /** The source, for recognisers that need more. */
  readonly source: string
}

/** `undefined` when the body is no page: empty, text, JSON, XML. */
export declare function readPage(response: HttpResponse): Promise<Page | undefined>

/** The request a browser would send. `values` replaces values by name (a list sets repeated controls in order); `button` is the one pressed. */
export declare function submit(
  page: Page,
  form: Form,
  values?: Readonly<Record<string, string | readonly string[]>>,
  button?: Control,
): HttpRequest
