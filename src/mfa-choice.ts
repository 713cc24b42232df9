/**
 * Which second factor, and on which device: as set, as chosen before, or as the person says.
 */
import { formFailure } from './form-failure.ts'
import { readMemory, remember } from './form-memory.ts'
import { clean } from './form-text.ts'
import { hasCode } from './mfa-code.ts'
import type { ProviderContext } from './provider.ts'

export interface Method<T> {
  readonly value: T
  readonly label: string
  /** What `--mfa-method` may say beside the label: a kind such as `push`, the identity provider's own name. */
  readonly names: readonly string[]
  /** A code is typed. */
  readonly code?: boolean
}

/** `--mfa-method` without the word that asks for the menu. */
export function wishedMethod({ settings }: Pick<ProviderContext, 'settings'>): string | undefined {
  return settings.mfaMethod && settings.mfaMethod !== 'ask' ? settings.mfaMethod : undefined
}

/** Those whose name it is; else those whose label holds it. */
export function methodsNamed<T>(methods: readonly Method<T>[], wish: string): readonly Method<T>[] {
  const word = wish.toLowerCase()
  const exact = methods.filter(({ label, names }) => [label, ...names].some(name => name.toLowerCase() === word))
  return exact.length > 0 ? exact : methods.filter(({ label }) => label.toLowerCase().includes(word))
}

/** `methods` has at least one entry. Remembers what the person chose, for this identity and host. */
export async function chooseMethod<T>(
  context: ProviderContext,
  host: string,
  methods: readonly Method<T>[],
): Promise<T> {
  const { ask, log, settings, store } = context
  const wish = wishedMethod(context)
  const wished = wish === undefined ? [] : methodsNamed(methods, wish)
  if (wish !== undefined && wished.length === 0 && methods.length > 1) {
    log.warn(
      `${host} offers no second factor “${clean(wish, 60)}”`,
      methods.map(({ label }) => clean(label, 60)).join(', '),
    )
  }
  const withCode = wish === undefined && hasCode(context) ? methods.filter(({ code }) => code) : []
  const left = [wished, withCode].find(list => list.length > 0) ?? methods
  const [only, ...others] = left
  if (only && others.length === 0) return only.value
  const key = `${host} second factor`
  const before = settings.mfaMethod === 'ask' ? undefined : readMemory(store).choices[key]
  const known = left.find(({ label }) => label === before)
  if (known) {
    ask.tell(`second factor as before: ${clean(known.label, 60)} (--mfa-method ask offers the others)`)
    return known.value
  }
  const choices = left.map(method => ({ value: method, label: clean(method.label, 100) }))
  const chosen = await ask.choose(`Choose the second factor (${host})`, choices)
  remember(store, memory => ({ choices: { ...memory.choices, [key]: chosen.label } }))
  return chosen.value
}

/**
 * The same where some of them can only be used in a browser: those are offered beside several others, lest anybody miss
 * them. Fails with `mfa-unsupported` where there is nothing else, or where one of them is chosen.
 */
export async function chooseUsable<T>(
  context: ProviderContext,
  host: string,
  methods: readonly Method<T>[],
  isUsable: (value: T) => boolean,
  none = 'none that is known',
): Promise<T> {
  const usable = methods.filter(({ value }) => isUsable(value))
  const labels = methods.map(({ label }) => label).join(', ') || none
  const unsupported = formFailure('mfa-unsupported', `${host} wants a second factor: ${labels}`)
  if (usable.length === 0) throw unsupported
  const offered = usable.length === 1 && wishedMethod(context) === undefined ? usable : methods
  const chosen = await chooseMethod(context, host, offered)
  if (!isUsable(chosen)) throw unsupported
  return chosen
}
