/**
 * Collects forms, controls, links, texts and scripts from one walk over a page.
 */
import { noSignIn, walkHtml, type Tag } from './html-dom.ts'
import { classesOf, isErrorElement, isErrorIcon, isHidden } from './html-error.ts'
import type { ControlDraft, Draft, FormDraft, Frame } from './html-draft.ts'
import { createTranscript, excerpt, isBlock, type Place } from './html-text.ts'

const silent = new Set([
  'script',
  'style',
  'title',
  'select',
  'option',
  'optgroup',
  'textarea',
  'datalist',
  'object',
  'head',
])
const tableParts = new Set(['table', 'tbody', 'thead', 'tfoot', 'tr'])
/** A paragraph around one of these is not closed by what is in it. */
const paragraphScope = new Set(['table', 'td', 'th', 'caption', 'button', 'object', 'marquee'])
/** Lists of identity providers have thousands; each field and each link is looked at for many things. */
const mostControls = 10_000
const mostLinks = 20_000
/** Elements that an end tag of a form closes along the way. */
const impliedEnd = new Set(['dd', 'dt', 'li', 'optgroup', 'option', 'p', 'rb', 'rp', 'rt', 'rtc'])

export async function readDraft(source: string): Promise<Draft> {
  const draft: Draft = {
    forms: [],
    controls: [],
    labels: [],
    links: [],
    errors: new Set(),
    byId: new Map(),
    scripts: [],
    onload: [],
    refreshes: [],
    base: undefined,
    title: undefined,
    text: '',
  }
  const transcript = createTranscript()
  const frames: Frame[] = []
  let content = ''
  let count = 0
  let open: FormDraft | undefined
  let lastControl: Place = transcript.here()

  const endAfter = (): void => {
    const last = draft.controls.at(-1)
    if (last) last.after ||= transcript.firstLineSince(lastControl)
  }

  const readControl = (tag: Tag, parent: Frame | undefined, cover: Frame | undefined): ControlDraft => {
    endAfter()
    if (draft.controls.length === mostControls) throw noSignIn(`has more than ${mostControls} fields`)
    const control: ControlDraft = {
      tag,
      type: typeOf(tag),
      owner: open ?? parent?.inside,
      disabled: tag.attributes.has('disabled') || (parent?.disabled ?? false),
      hidden: isHidden(tag) || isDecoy(tag),
      cover,
      options: [],
      label: parent?.label,
      before: transcript.lastLineSince(lastControl),
      after: '',
      text: '',
    }
    lastControl = transcript.here()
    draft.controls.push(control)
    return control
  }

  await walkHtml(source, {
    enter(tag) {
      const parent = frames.at(-1)
      if (isBlock(tag.name)) transcript.breakLine()
      const { name, attributes } = tag
      const isControl = /^(?:input|button|select|textarea)$/.test(name)
      const control = isControl ? readControl(tag, parent, parent?.cover) : parent?.control
      const option =
        name === 'option'
          ? { tag, disabled: attributes.has('disabled') || inDisabledGroup(frames), text: '' }
          : undefined
      if (option) control?.options.push(option)
      const label = name === 'label' ? { target: attributes.get('for'), text: '' } : undefined
      if (label) draft.labels.push(label)
      count += 1
      const frame: Frame = {
        tag,
        order: count,
        start: transcript.here(),
        cover: parent?.cover,
        disabled: disables(tag, parent, frames.at(-2)),
        control,
        option: option ?? parent?.option,
        label: label ?? parent?.label,
        inHead: name === 'head' || (parent?.inHead ?? false),
        troubled: classesOf(tag).includes('has-error') || (parent?.troubled ?? false),
        inside: parent?.inside,
        error: isErrorElement(tag, parent?.troubled ?? false),
        told: false,
        hasField: isControl && !/^(?:button|submit|reset|image|hidden)$/.test(typeOf(tag)),
        hasLegend: false,
      }
      frames.push(!frame.cover && isHidden(tag) ? coverItself(frame) : frame)
      if (parent && isErrorIcon(tag)) parent.error = true
      if (name === 'body') draft.onload.push(attributes.get('onload') ?? '')
      if (name === 'base') draft.base ??= attributes.get('href')
      if (name === 'meta' && attributes.get('http-equiv')?.trim().toLowerCase() === 'refresh') {
        draft.refreshes.push(attributes.get('content') ?? '')
      }
      if (name === 'script' || name === 'title') content = ''
    },

    leave(tag) {
      const frame = frames.pop()
      const parent = frames.at(-1)
      if (!frame) return
      const { name, attributes } = tag
      const id = attributes.get('id')
      const wanted = id || name === 'label' || name === 'button' || name === 'a' || name === 'area'
      const text = wanted ? transcript.textSince(frame.start) : ''
      if (id && !draft.byId.has(id)) draft.byId.set(id, text)
      if (name === 'script' && isJavaScript(tag)) draft.scripts.push({ code: content, inHead: frame.inHead })
      if (name === 'title') draft.title ??= excerpt(content)
      if (name === 'label' && frame.label) frame.label.text = text
      if (name === 'button' && frame.control) frame.control.text = text
      if (frame.control?.tag === tag) lastControl = transcript.here()
      if ((name === 'a' || name === 'area') && (attributes.has('href') || attributes.has('onclick'))) {
        if (draft.links.length === mostLinks) throw noSignIn(`has more than ${mostLinks} links`)
        draft.links.push({
          id: id ?? '',
          href: attributes.get('href') ?? '',
          text,
          onclick: attributes.get('onclick') ?? '',
        })
      }
      const shown =
        frame.error && !frame.told && !frame.hasField
          ? excerpt(transcript.shownSince(frame.start).replace(/[×✕]/g, ''))
          : ''
      if (shown !== '') draft.errors.add(shown)
      if (parent) {
        parent.told ||= frame.told || shown !== ''
        parent.hasField ||= frame.hasField
      }
      if (isBlock(name)) transcript.breakLine()
    },

    text(data) {
      const frame = frames.at(-1)
      const name = frame?.tag.name ?? ''
      if (frame?.option) frame.option.text += data
      else if (name === 'textarea' && frame?.control) frame.control.text += data
      else if (name === 'script' || name === 'title') content += data
      else if (!silent.has(name)) transcript.add(data, frame?.cover === undefined)
    },

    formStart(tag) {
      transcript.breakLine()
      if (open) return
      const depth = depthOfForm(frames)
      const hidden = isHidden(tag) || frames.at(-1)?.cover !== undefined
      open = { tag, hidden, parent: frames[depth - 1], depth, order: count }
      draft.forms.push(open)
    },

    formEnd() {
      transcript.breakLine()
      if (open) stayInside(open, frames)
      open = undefined
    },
  })
  endAfter()
  draft.text = transcript.shown()
  return draft
}

/** A form closes the paragraph that it starts in, so it is a child of what is around that. */
function depthOfForm(frames: readonly Frame[]): number {
  // Not all the way up: no page that means it nests so deep.
  for (let at = frames.length - 1; at >= Math.max(0, frames.length - 100); at -= 1) {
    const name = frames[at]?.tag.name ?? ''
    if (name === 'p') return at
    if (paragraphScope.has(name)) break
  }
  return frames.length
}

/**
 * Elements that are still open at `</form>` stay children of the form, and a control in them belongs to it when no other
 * form is open. In tables the form element is left at once and has no children.
 */
function stayInside(form: FormDraft, frames: readonly Frame[]): void {
  if (frames[form.depth - 1] !== form.parent || tableParts.has(form.parent?.tag.name ?? '')) return
  const later = frames.slice(form.depth).filter(({ order }) => order > form.order)
  const stays = later.some(({ tag }) => !impliedEnd.has(tag.name))
  for (const frame of later) frame.inside = stays ? form : form.parent?.inside
}

function coverItself(frame: Frame): Frame {
  const covered: { -readonly [K in keyof Frame]: Frame[K] } = { ...frame }
  covered.cover = covered
  return covered
}

function typeOf(tag: Tag): string {
  if (tag.name === 'select' || tag.name === 'textarea') return tag.name
  const type = tag.attributes.get('type')?.trim().toLowerCase() ?? ''
  if (tag.name === 'button') return /^(?:button|reset)$/.test(type) ? type : 'submit'
  return type || 'text'
}

/** A field for password managers and robots, which a person never meets. */
function isDecoy({ attributes }: Tag): boolean {
  return attributes.get('aria-hidden')?.toLowerCase() === 'true' && Number(attributes.get('tabindex') ?? 0) < 0
}

/** A disabled fieldset disables what is in it, except in its first legend. */
function disables(tag: Tag, parent: Frame | undefined, grandparent: Frame | undefined): boolean {
  if (tag.name === 'legend' && parent?.tag.name === 'fieldset' && !parent.hasLegend) {
    parent.hasLegend = true
    return grandparent?.disabled ?? false
  }
  return (parent?.disabled ?? false) || (tag.name === 'fieldset' && tag.attributes.has('disabled'))
}

function inDisabledGroup(frames: readonly Frame[]): boolean {
  const group = frames.at(-1)?.tag
  return group?.name === 'optgroup' && group.attributes.has('disabled')
}

function isJavaScript({ attributes }: Tag): boolean {
  const type = attributes.get('type')?.trim().toLowerCase() ?? ''
  return type === '' || type === 'module' || /(?:java|ecma)script/.test(type)
}
