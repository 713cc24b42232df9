/**
 * Which button of a form a person would press to go on. Pure.
 */
import type { Control, Form } from './html.ts'
import { words } from './form-text.ts'

const negative = new Set(
  (
    'cancel back reject rejected refuse refused decline declined deny denied disagree no not skip reset register forgot ' +
    'forgotten change logout signout abort impersonate delete remove send help abbrechen ablehnen annuler refuser cancelar ' +
    'rechazar annulla rifiuta avbryt nei'
  ).split(' '),
)
const positive = new Set(
  (
    'proceed login submit continue yes sign signin signon logon next verify accept agree allow approve confirm ok ' +
    'weiter anmelden fortfahren akzeptieren zustimmen ja connexion continuer accepter suivant oui continuar aceptar ' +
    'iniciar accedi continua accetta fortsett fortsätt godta'
  ).split(' '),
)
const filler = new Set(['on', 'in', 'up', 'button', 'btn', 'mfa', 'form'])

export function isNegative(text: string): boolean {
  const said = words(text)
  return said.some(word => negative.has(word)) || /\b(?:log|sign) ?(?:out|off)\b/.test(said.join(' '))
}

/** Says in so many words that it leads on. */
export function isPositive(button: Control): boolean {
  return (
    !isDeclining(button) && words(`${button.name} ${button.value} ${button.label}`).some(word => positive.has(word))
  )
}

/** Submit buttons that could be pressed; the visible ones when there are any. */
export function submitButtons(form: Form): Control[] {
  const all = form.controls.filter(control => control.type === 'submit' && !control.disabled)
  const shown = all.filter(control => !control.invisible)
  return shown.length > 0 ? shown : all
}

/**
 * The button to press: the one named like the positive event, else the first that does not decline. `undefined` where a
 * script stands in for a button; the form is then sent without one.
 */
export function chooseButton(form: Form): Control | undefined {
  const buttons = submitButtons(form).filter(button => !isDeclining(button))
  const rank = (button: Control): number => {
    const said = words(button.name.replace(/^_eventId_?/, '')).filter(word => !filler.has(word))
    // `_eventId_authn/Duo` starts another flow; `_eventId_proceed` stays in this one.
    if (button.name.startsWith('_eventId')) return said.join() === 'proceed' ? 0 : 4
    if (said.length > 0 && said.every(word => positive.has(word))) return 1
    return isPositive(button) ? 2 : 3
  }
  return buttons.toSorted((a, b) => rank(a) - rank(b))[0]
}

/** A name settles it; what stands on the button counts where the name says nothing. */
function isDeclining(button: Control): boolean {
  if (isNegative(`${button.name} ${button.value}`)) return true
  return !words(button.name).some(word => positive.has(word)) && isNegative(button.label)
}
