/**
 * Callbacks of ForgeRock and OpenAM: what they say, what they ask, which of them only a browser could answer. Pure.
 */
import { at, listAt, textAt } from './api-json.ts'
import { formFailure, type FormCode } from './form-failure.ts'
import { clean } from './form-text.ts'

export interface Callback {
  /** Place in the step. */
  readonly index: number
  readonly type: string
  readonly prompt: string
  /** A person types its answer. */
  readonly typed: boolean
  readonly source: unknown
}

const typed = new Set(['NameCallback', 'PasswordCallback', 'TextInputCallback'])
/** They go back as they came. */
const silent = new Set(['TextOutputCallback', 'HiddenValueCallback', 'PollingWaitCallback', 'MetadataCallback'])
const chosen = new Set(['ChoiceCallback', 'ConfirmationCallback'])

export function callbacksOf(step: unknown): Callback[] {
  return listAt(step, 'callbacks').map((source, index) => {
    const type = textAt(source, 'type')
    const prompt = clean(textOf(source, 'prompt'), 100)
    return { index, type, prompt, typed: typed.has(type), source }
  })
}

/** `output` is a list of `{ name, value }`. */
export function outputOf(source: unknown, name: string): unknown {
  return at(
    listAt(source, 'output').find(entry => textAt(entry, 'name') === name),
    'value',
  )
}

export function textOf(source: unknown, name: string): string {
  return textAt({ value: outputOf(source, name) }, 'value')
}

/** The step as it goes back; what is not answered keeps the value that it came with. */
export function filled(step: unknown, values: ReadonlyMap<Callback, unknown>): unknown {
  const callbacks = listAt(step, 'callbacks').map((source, index) => {
    const answer = [...values].find(([callback]) => callback.index === index)
    if (!answer) return source
    const [first, ...rest] = listAt(source, 'input')
    return { ...Object(source), input: [{ ...Object(first), value: answer[1] }, ...rest] }
  })
  return { ...Object(step), callbacks }
}

const codePrompt =
  /\b(?:one[- ]?time|otp|passcode|verification|token|oath|authenticator|recovery|[26][- ]digit)\b|\bcode\b/i

/** Says so; a field behind the password is one in any language. */
export function isCode({ typed: asks, prompt }: Callback): boolean {
  return asks && codePrompt.test(prompt)
}

/** What is said beside the questions: information, warnings, errors. Scripts are none. */
export function textsIn(callbacks: readonly Callback[]): string {
  const texts = callbacks
    .filter(({ type, source }) => type === 'TextOutputCallback' && textOf(source, 'messageType') !== scriptType)
    .map(({ source }) => clean(textOf(source, 'message'), 200))
  return [...new Set(texts.filter(Boolean))].join('; ')
}

const scriptType = '4'

/** How long to wait before the next question, within reason. */
export function waitIn(callbacks: readonly Callback[]): { readonly ms: number; readonly message: string } | undefined {
  const found = callbacks.find(({ type }) => type === 'PollingWaitCallback')
  if (!found) return undefined
  return { ms: Number(textOf(found.source, 'waitTime')) || 2000, message: clean(textOf(found.source, 'message'), 200) }
}

/** The number to be chosen on the device. */
export function numberIn(callbacks: readonly Callback[]): string | undefined {
  const found = callbacks.find(({ source }) => textOf(source, 'id') === 'pushChallengeNumber')
  return found && textOf(found.source, 'value')
}

const stops: readonly (readonly [type: RegExp, code: FormCode, what: string])[] = [
  [/^ReCaptcha/, 'captcha', 'wants a captcha solved'],
  [/^(?:TermsAndConditions|ConsentMapping)/, 'action-required', 'wants terms or a consent accepted'],
  [/^ValidatedCreatePassword/, 'password-expired', 'wants the password changed'],
  [
    /^(?:ValidatedCreateUsername|KbaCreate|\w+AttributeInput)/,
    'action-required',
    'wants the profile of the account completed',
  ],
  [/^SuspendedTextOutput/, 'action-required', 'has sent you an e-mail with a link to go on with'],
  [/^(?:Redirect|SelectIdP|IdP)Callback/, 'mfa-unsupported', 'hands the sign-in over to another identity provider'],
  [/^(?:DeviceProfile|DeviceBinding|DeviceSigning|PingOneProtect)/, 'mfa-unsupported', 'wants to look at the device'],
]

/** Rejects where a callback wants what is not to be had here, in plain words. */
export function checkSupported(host: string, callbacks: readonly Callback[]): void {
  for (const { type, source } of callbacks) {
    if (isKey(type, source)) {
      throw formFailure('mfa-unsupported', `${host} wants a security key or passkey, which needs a browser`)
    }
    if (typed.has(type) || silent.has(type) || chosen.has(type)) continue
    const stop = stops.find(([pattern]) => pattern.test(type))
    if (stop) throw formFailure(stop[1], `${host} ${stop[2]}`)
    throw formFailure('mfa-unsupported', `${host} wants something that needs a browser: ${clean(type, 60) || '?'}`)
  }
}

/** By script in older versions, as data in newer ones. */
function isKey(type: string, source: unknown): boolean {
  if (type === 'HiddenValueCallback') return textOf(source, 'id') === 'webAuthnOutcome'
  if (type === 'MetadataCallback') return textAt(outputOf(source, 'data'), '_type') === 'WebAuthn'
  return type === 'TextOutputCallback' && /\bnavigator\.credentials\b/.test(textOf(source, 'message'))
}
