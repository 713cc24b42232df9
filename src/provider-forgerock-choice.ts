/**
 * Choices and confirmations at ForgeRock and OpenAM.
 */
import { listAt } from './api-json.ts'
import { isNegative } from './form-button.ts'
import { formFailure } from './form-failure.ts'
import { clean } from './form-text.ts'
import type { Walk } from './form-walk.ts'
import { chooseMethod, type Method } from './mfa-choice.ts'
import { outputOf, textOf, type Callback } from './provider-forgerock-callbacks.ts'

/** The number of the choice that `--mfa-method` names, that was made before, or that the person makes. */
export async function chooseIn(walk: Walk, host: string, { source, prompt }: Callback): Promise<number> {
  const methods = labelsOf(source, 'choices').map((label, value): Method<number> => {
    const kind = /push/i.test(label) ? ['push'] : /code|otp|oath|token/i.test(label) ? ['passcode'] : []
    return { value, label, names: kind, code: kind[0] === 'passcode' }
  })
  if (methods.length === 0) throw formFailure('idp-error', `${host} offers nothing to choose from: ${prompt}`)
  return chooseMethod(walk.context, host, methods)
}

/** Beside something else that is asked it is the button to press: the one that goes on. Alone it is a question. */
export async function confirmIn(
  walk: Walk,
  host: string,
  { source, prompt }: Callback,
  all: readonly Callback[],
): Promise<number> {
  const labels = labelsOf(source, 'options')
  const usual = Number(textOf(source, 'defaultOption')) || 0
  const [only, ...others] = labels
  if (only === undefined || others.length === 0) return usual
  if (all.some(({ typed, type }) => typed || type === 'ChoiceCallback')) {
    if (labels[usual] !== undefined && !isNegative(labels[usual])) return usual
    return Math.max(
      labels.findIndex(label => !isNegative(label)),
      0,
    )
  }
  const question = prompt || 'How shall the sign-in go on'
  const choices = labels.map((label, value) => ({ value, label }))
  return walk.context.ask.choose(`${question} (${host})`, choices)
}

function labelsOf(source: unknown, name: string): string[] {
  return listAt({ list: outputOf(source, name) }, 'list').map(label => clean(String(label), 100))
}
