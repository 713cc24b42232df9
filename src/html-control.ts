/**
 * Controls with owner, value and label, from what the walk collected.
 */
import { excerpt, fold, textsNamed } from './html-text.ts'
import type { Control } from './html-page.ts'
import type { ControlDraft, Draft, FormDraft } from './html-draft.ts'

export interface OwnedControl {
  readonly owner: FormDraft | undefined
  readonly control: Control
}

export function readControls(draft: Draft): OwnedControl[] {
  // Of two forms with one id the first has it.
  const forms = new Map(draft.forms.toReversed().map(form => [form.tag.attributes.get('id') ?? '', form]))
  const owned = draft.controls.map(control => {
    const id = control.tag.attributes.get('form')
    return { control, owner: id === undefined ? control.owner : id === '' ? undefined : forms.get(id) }
  })
  const password = owned.filter(({ control }) => control.type === 'password' && !control.hidden)
  const steps = new Set(
    password.some(({ control }) => !control.cover) ? [] : password.map(({ control }) => control.cover),
  )
  const labels = new Map(
    draft.labels.toReversed().flatMap(({ target, text }) => (target && text ? [[target, text]] : [])),
  )
  // In a group of radio buttons the last checked one wins.
  const pressed = new Map<string, ControlDraft>()
  const formNumbers = new Map(draft.forms.map((form, index) => [form, index]))
  const group = (control: ControlDraft, owner: FormDraft | undefined): string =>
    `${owner && formNumbers.get(owner)} ${control.tag.attributes.get('name') ?? ''}`
  for (const { control, owner } of owned) {
    if (control.type === 'radio' && control.tag.attributes.has('checked')) pressed.set(group(control, owner), control)
  }
  return owned.map(({ control, owner }) => ({
    owner,
    control: readControl(
      control,
      labelOf(control, draft, labels),
      control.type === 'radio' ? pressed.get(group(control, owner)) === control : undefined,
      control.cover !== undefined && !steps.has(control.cover),
    ),
  }))
}

function readControl(draft: ControlDraft, label: string, pressed: boolean | undefined, covered: boolean): Control {
  const { tag, type } = draft
  const { attributes } = tag
  const options = readOptions(draft)
  const overrides = {
    ...(attributes.has('formaction') && { action: attributes.get('formaction') ?? '' }),
    ...(attributes.has('formmethod') && { method: attributes.get('formmethod') ?? '' }),
    ...(attributes.has('formenctype') && { enctype: attributes.get('formenctype') ?? '' }),
  }
  return {
    name: attributes.get('name') ?? '',
    type,
    value: type === 'select' ? (options.find(option => option.selected)?.value ?? '') : valueOf(draft),
    checked: pressed ?? (type === 'checkbox' && attributes.has('checked')),
    disabled: draft.disabled,
    options,
    label,
    id: attributes.get('id') ?? '',
    autocomplete: attributes.get('autocomplete')?.trim().toLowerCase() ?? '',
    invisible: type === 'hidden' || draft.hidden || covered,
    ...(Object.keys(overrides).length > 0 && { overrides }),
  }
}

function valueOf({ tag, type, text }: ControlDraft): string {
  if (type === 'textarea') return text.replace(/^\r?\n/, '')
  const value = tag.attributes.get('value')
  if (type === 'checkbox' || type === 'radio') return value ?? 'on'
  // Fields of one line cannot hold a line end; hidden ones can.
  return /^(?:text|password|search|tel|email|url)$/.test(type) ? (value ?? '').replace(/[\r\n]/g, '') : (value ?? '')
}

function readOptions({ options, tag }: ControlDraft): Control['options'] {
  const multiple = tag.attributes.has('multiple')
  const read = options.map(option => {
    const { attributes } = option.tag
    const text = fold(option.text)
    const selected = attributes.has('selected') && !option.disabled
    return {
      value: attributes.get('value') ?? text,
      label: attributes.get('label') || text,
      disabled: option.disabled,
      selected,
    }
  })
  if (multiple) return read
  const chosen = read.findLast(option => option.selected) ?? read.find(option => !option.disabled)
  return read.map(option => ({ ...option, selected: option === chosen }))
}

function labelOf(control: ControlDraft, draft: Draft, labels: ReadonlyMap<string, string>): string {
  const { attributes, name } = control.tag
  const value = fold(attributes.get('value') ?? '')
  const aria = fold(attributes.get('aria-label') ?? '')
  const title = fold(attributes.get('title') ?? '')
  if (/^(?:submit|button|reset|image)$/.test(control.type)) {
    return (name === 'button' ? control.text : value) || aria || title || fold(attributes.get('alt') ?? '') || value
  }
  const named = textsNamed(attributes.get('aria-labelledby'), draft.byId).join(' ')
  const around = control.label?.target === undefined ? (control.label?.text ?? '') : ''
  const beside = /^(?:checkbox|radio)$/.test(control.type) ? control.after || control.before : control.before
  const placeholder = fold(attributes.get('placeholder') ?? '')
  return labels.get(attributes.get('id') ?? '') || around || named || aria || placeholder || title || excerpt(beside)
}
