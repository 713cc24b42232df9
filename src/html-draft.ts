/**
 * What one walk over a page collects, before owners, values and labels are settled.
 */
import type { Tag } from './html-dom.ts'
import type { Link } from './html-page.ts'
import type { Place } from './html-text.ts'

export interface FormDraft {
  readonly tag: Tag
  readonly hidden: boolean
  /** The element that a browser makes it a child of. */
  readonly parent: Frame | undefined
  /** How many elements are open around it then. */
  readonly depth: number
  /** Elements with a greater number came later. */
  readonly order: number
}

export interface ControlDraft {
  readonly tag: Tag
  readonly type: string
  /** By place in the source; an explicit `form="id"` is settled later. */
  readonly owner: FormDraft | undefined
  readonly disabled: boolean
  readonly hidden: boolean
  /** The outermost element around it that is hidden. */
  readonly cover: Frame | undefined
  readonly options: OptionDraft[]
  readonly label: LabelDraft | undefined
  /** Texts on both sides, up to the controls before and after. */
  readonly before: string
  after: string
  /** Content of a textarea, text on a button. */
  text: string
}

export interface OptionDraft {
  readonly tag: Tag
  readonly disabled: boolean
  text: string
}

export interface LabelDraft {
  readonly target: string | undefined
  text: string
}

export interface Frame {
  readonly tag: Tag
  /** Elements are numbered as they come. */
  readonly order: number
  readonly start: Place
  /** The outermost hidden element, this one included. */
  readonly cover: Frame | undefined
  readonly disabled: boolean
  readonly control: ControlDraft | undefined
  readonly option: OptionDraft | undefined
  readonly label: LabelDraft | undefined
  readonly inHead: boolean
  readonly troubled: boolean
  /** The nearest form element among its ancestors in the tree of a browser. */
  inside: FormDraft | undefined
  error: boolean
  /** An element in it has told the error already. */
  told: boolean
  hasField: boolean
  hasLegend: boolean
}

export interface Draft {
  readonly forms: FormDraft[]
  readonly controls: ControlDraft[]
  readonly labels: LabelDraft[]
  readonly links: Link[]
  readonly errors: Set<string>
  /** Text of elements with an id. */
  readonly byId: Map<string, string>
  readonly scripts: { readonly code: string; readonly inHead: boolean }[]
  readonly onload: string[]
  /** `content` of each meta refresh. */
  readonly refreshes: string[]
  base: string | undefined
  title: string | undefined
  text: string
}
