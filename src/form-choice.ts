/**
 * Pages that offer several ways: authentication sources, organisations, identity providers of a federation. Pure.
 */
import { Buffer } from 'node:buffer'
import type { Control, Form } from './html.ts'
import { isUsable, typedControls } from './form-fields.ts'
import { submitButtons } from './form-button.ts'
import { isBase64 } from './form-saml.ts'

export interface Way {
  /** The names a person may give in the settings: key, label. */
  readonly names: readonly string[]
  readonly label: string
  /** The button to press, or the value of the control to send. */
  readonly button?: Control
  readonly value?: string
}

export interface PageChoice {
  readonly kind: 'choice'
  /** Which setting answers it. */
  readonly about: 'source' | 'organization'
  readonly form: Form
  /** The select or radio group that is set; absent where the buttons are the choice. */
  readonly control?: Control
  readonly ways: readonly Way[]
}

/** SimpleSAMLphp: `src-BASE64` up to 1.x, `sourceChoice[KEY]` since 2.0; discovery pages: `idp_ENTITYID`. */
const sourceName = /^(?:src-(?<encoded>.+)|sourceChoice\[(?<key>.+)\]|source\[(?<old>.+)\]|idp_(?<idp>.+))$/
const organizationName =
  /^(?:organi[sz]ation|org|idpentityid|user_idp|entityid|origin|homerealm|realm|domain|institution)$/i
const languageName = /lang|locale|^hl$/i

export function choiceOf(form: Form): PageChoice | undefined {
  return sources(form) ?? onlySelect(form)
}

/** The organisation to be chosen on a log-in page, where there is one. */
export function organizationOf(form: Form): PageChoice | undefined {
  const control = form.controls.find(c => isUsable(c) && c.type === 'select' && organizationName.test(c.name))
  return control && selectChoice(form, control)
}

function sources(form: Form): PageChoice | undefined {
  const ways = submitButtons(form).flatMap(button => {
    const groups = sourceName.exec(button.name)?.groups
    const key =
      groups?.['encoded'] === undefined
        ? (groups?.['key'] ?? groups?.['old'] ?? groups?.['idp'])
        : decoded(groups['encoded'])
    if (key === undefined) return []
    const label = button.label || button.value || key
    return [{ names: [key, label, button.name], label, button }]
  })
  return ways.length > 0 ? { kind: 'choice', about: 'source', form, ways } : undefined
}

function decoded(text: string): string {
  return isBase64(text) ? Buffer.from(text, 'base64').toString('utf8') : text
}

/** A page whose one question is a select or a group of radio buttons. */
function onlySelect(form: Form): PageChoice | undefined {
  if (typedControls(form).length > 0) return undefined
  const select = form.controls.find(c => isUsable(c) && c.type === 'select' && !languageName.test(c.name))
  if (select) return selectChoice(form, select)
  const radios = form.controls.filter(c => isUsable(c) && c.type === 'radio')
  const [control] = radios
  if (!control || radios.length < 2 || radios.some(c => c.name !== control.name) || /consent/i.test(control.name))
    return undefined
  const ways = radios.map(({ value, label }) => ({ names: [value, label], label: label || value, value }))
  return { kind: 'choice', about: 'source', form, control, ways }
}

function selectChoice(form: Form, control: Control): PageChoice | undefined {
  const ways = control.options
    .filter(option => !option.disabled && option.value !== '')
    .map(({ value, label }) => ({ names: [value, label], label: label || value, value }))
  return ways.length > 0 ? { kind: 'choice', about: 'organization', form, control, ways } : undefined
}
