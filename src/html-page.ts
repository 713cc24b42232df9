/**
 * A page as the sign-in sees it: plain values, no DOM.
 */

export interface Choice {
  readonly value: string
  readonly label: string
  readonly disabled: boolean
  /** What is sent unless something else is chosen; where the page selects nothing, the first that can be. */
  readonly selected: boolean
}

export interface Control {
  /** Empty when absent: such a control is never sent. */
  readonly name: string
  /** Lower case; `text` and, for buttons, `submit` when absent; `select` and `textarea` for those elements. */
  readonly type: string
  readonly value: string
  readonly checked: boolean
  readonly disabled: boolean
  /** `select` only. */
  readonly options: readonly Choice[]
  /** Text of its label, placeholder or aria-label; what a person would read beside it. For buttons: what stands on it. */
  readonly label: string
  readonly id: string
  readonly autocomplete: string
  /**
   * Not shown: type hidden, `hidden`, `aria-hidden=true` with a negative tabindex, `display:none`, on it or around it.
   * Where a page shows no password field at all, the block that hides one is taken as shown: its script does that.
   */
  readonly invisible: boolean
  /** `formaction`, `formmethod` and `formenctype` of a button, as written; they go before those of the form. */
  readonly overrides?: { readonly action?: string; readonly method?: string; readonly enctype?: string }
}

export interface Form {
  readonly id: string
  readonly name: string
  /** Lower case; `get` when absent. */
  readonly method: string
  /** As written; `undefined` when absent. */
  readonly action: string | undefined
  /** Lower case. */
  readonly enctype: string
  /** Of the submission: the first known one of `accept-charset`, else that of the page. */
  readonly charset: string
  /** Document order, by the owner rule of HTML parsers, not by ancestry. */
  readonly controls: readonly Control[]
  readonly invisible: boolean
}

export interface Link {
  readonly id: string
  /** Absolute where it leads to a web page; as written otherwise (`#`, `javascript:…`, empty). */
  readonly href: string
  readonly text: string
  /** Value of `onclick`, empty when absent. */
  readonly onclick: string
}

export interface Page {
  /** Final URL of the document. */
  readonly url: string
  /** What relative addresses are resolved against: `base href`, else the URL of the document. */
  readonly base: string
  readonly status: number
  readonly title: string
  /** Visible text, white space folded. */
  readonly text: string
  readonly forms: readonly Form[]
  /** Controls that no form owns. */
  readonly loose: readonly Control[]
  readonly links: readonly Link[]
  /** A form is submitted on load, by `body onload` or a script. */
  readonly submitsItself: boolean
  /** Absolute URL that the page goes on to by itself: meta refresh outside noscript, onload or top-level script. */
  readonly hop: string | undefined
  /** By id: the text of the element; where nothing of it is shown, what is hidden. */
  readonly texts: ReadonlyMap<string, string>
  /** Texts of known error elements that are not empty and not hidden. */
  readonly errors: readonly string[]
  /** The source, for recognisers that need more. */
  readonly source: string
}
