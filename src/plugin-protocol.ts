/**
 * Protocol 1 between cloudtoken and an executable plugin: one JSON object per line, written down in
 * docs/plugin-protocol.schema.json. What comes from the plugin is hostile until it was read here.
 */
import type { Stage } from './config.ts'
import type { FailureKind } from './errors.ts'
import { isDeeper } from './json.ts'
import type { Option, OptionTable, OptionValue } from './option.ts'
import type { DataEntry, Description, PluginKind } from './plugin.ts'
import { fromTokens, type Tokens } from './tokens.ts'
import type { Assertion } from './types.ts'

export const protocol = 1

/** The first line from the host. */
export interface Hello {
  readonly type: 'hello'
  readonly protocol: number
  readonly plugin: string
  readonly stage: Stage
  /** `forget`: take back what earlier runs left. */
  readonly action: 'run' | 'forget'
  readonly mode: 'login' | 'refresh'
  readonly flags: { readonly daemon_mode?: true }
  readonly username: string
  /** Its own options by their names, and `url` and `region` where they are set. */
  readonly settings: Readonly<Record<string, OptionValue>>
  /** A private folder of this plugin for this login; it goes at `cloudtoken logout`. */
  readonly folder: string
  readonly data: readonly DataEntry[]
  /** True when the metadata daemon serves the keys. */
  readonly daemon?: boolean
  readonly credentials?: Tokens
}

/** What the host answers to `ask` and `tell`. */
export type Answer =
  | { readonly type: 'answer'; readonly value: unknown }
  | { readonly type: 'refused'; readonly reason: 'person' | 'invalid'; readonly message: string }

export type AskKind = 'text' | 'secret' | 'password' | 'choose' | 'confirm'

export interface AskMessage {
  readonly type: 'ask'
  readonly kind: AskKind
  readonly message: string
  readonly choices: readonly { readonly label: string; readonly value: unknown; readonly hint?: string }[]
  readonly initial?: string | boolean
  /** Of a password: the last one was wrong. */
  readonly refused: boolean
}

export type Message =
  | AskMessage
  | { readonly type: 'tell'; readonly message: string }
  | { readonly type: 'result'; readonly assertion?: Assertion; readonly data?: unknown }
  | {
      readonly type: 'error'
      readonly message: string
      readonly hint?: string
      readonly kind: FailureKind
      readonly code?: string
    }

const askKinds: readonly AskKind[] = ['text', 'secret', 'password', 'choose', 'confirm']
/** What a plugin may say that its failure is. */
const errorKinds: readonly FailureKind[] = ['plugin', 'refused', 'person', 'role', 'config', 'network', 'sts']
const kinds: readonly PluginKind[] = ['provider', 'exporter', 'stage']

type Fields = Readonly<Record<string, unknown>>

/** `undefined` for a type that this version does not know. Throws an `Error` that says what is wrong with the line. */
export function readMessage(line: string): Message | undefined {
  const fields = readObject(line)
  switch (fields['type']) {
    case 'ask':
      return readAsk(fields)
    case 'tell':
      return { type: 'tell', message: words(fields, 'message', true) }
    case 'result': {
      const assertion = fields['assertion'] === undefined ? undefined : readAssertion(fields['assertion'])
      if (isDeeper(fields['data'], deepest)) throw new Error(`data that is nested more than ${deepest} times`)
      return { type: 'result', ...(assertion && { assertion }), data: fields['data'] }
    }
    case 'error': {
      const [hint, code] = [optionalWords(fields, 'hint'), optionalWords(fields, 'code')]
      const kind = fields['kind'] === undefined ? 'plugin' : errorKinds.find(each => each === fields['kind'])
      if (!kind) throw new Error(`an error of a kind that is none of ${errorKinds.join(', ')}`)
      return { type: 'error', message: words(fields, 'message'), kind, ...(hint && { hint }), ...(code && { code }) }
    }
    default:
      if (typeof fields['type'] !== 'string') throw new Error('a message without a type')
      return undefined
  }
}

function readObject(line: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new Error('a line that is not JSON')
  }
  if (!isFields(value)) throw new Error('a line that is not a JSON object')
  return value
}

function readAsk(fields: Fields): AskMessage {
  const kind = askKinds.find(each => each === fields['kind'])
  if (!kind) throw new Error(`a question of a kind that is none of ${askKinds.join(', ')}`)
  const { initial, refused = false } = fields
  if (typeof refused !== 'boolean') throw new Error('a question whose "refused" is not true or false')
  const wanted = kind === 'confirm' ? 'boolean' : 'string'
  if (initial !== undefined && typeof initial !== wanted) throw new Error(`a question whose "initial" is no ${wanted}`)
  const choices = kind === 'choose' ? readChoices(fields['choices']) : []
  return {
    type: 'ask',
    kind,
    message: words(fields, 'message'),
    choices,
    refused,
    ...((typeof initial === 'string' || typeof initial === 'boolean') && { initial }),
  }
}

function readChoices(value: unknown): AskMessage['choices'] {
  if (!Array.isArray(value) || value.length === 0 || value.length > 10_000) throw new Error('a choice without choices')
  return value.map((each: unknown) => {
    if (!isFields(each)) throw new Error('a choice that is not an object')
    const label = words(each, 'label')
    const hint = optionalWords(each, 'hint')
    return { label, value: each['value'] ?? each['label'], ...(hint && { hint }) }
  })
}

/** What a sign-in may bring home, out of hands that are not ours. */
export function readAssertion(value: unknown): Assertion {
  if (!isFields(value)) throw new Error('an assertion that is not an object')
  if (value['kind'] === 'saml') {
    const response = typeof value['response'] === 'string' ? value['response'].replace(/\s+/g, '') : ''
    if (!/^[A-Za-z0-9+/]+={0,2}$/.test(response)) throw new Error('a SAMLResponse that is not base64')
    return { kind: 'saml', response }
  }
  if (value['kind'] === 'oidc') {
    const { token, role } = value
    if (typeof token !== 'string' || !/^[\w-]+\.[\w-]+\.[\w-]*$/.test(token)) throw new Error('a token that is no JWT')
    if (role !== undefined && typeof role !== 'string') throw new Error('an assertion whose "role" is no text')
    return { kind: 'oidc', token, ...(role !== undefined && { role }) }
  }
  if (value['kind'] === 'credentials' && isFields(value['credentials'])) {
    const given = value['credentials']
    const complete = { Token: given['SessionToken'], LastUpdated: new Date().toISOString(), ...given }
    const credentials = fromTokens(JSON.stringify(complete))
    if (!credentials) throw new Error('credentials that are not complete')
    return { kind: 'credentials', credentials }
  }
  throw new Error('an assertion that is none of saml, oidc, credentials')
}

/** The one line that `--describe` prints. Throws an `Error` that says what is wrong with it. */
export function readDescription(text: string, name: string): Description {
  const fields = readObject(text)
  if (fields['protocol'] !== protocol) throw new Error(`a description that is not of protocol ${protocol}`)
  const kind = kinds.find(each => each === fields['kind'])
  if (!kind) throw new Error(`a description whose kind is none of ${kinds.join(', ')}`)
  const help = optionalWords(fields, 'help', true)
  const options = readOptions(fields['options'])
  return { name, kind, summary: words(fields, 'summary'), options, ...(help && { help }) }
}

/** Options as a plugin declares them, checked: they become part of the command line. */
export function readOptions(value: unknown): OptionTable {
  if (value === undefined) return {}
  if (!isFields(value)) throw new Error('options that are not an object')
  const table: Record<string, Option> = {}
  for (const [name, given] of Object.entries(value)) {
    if (!/^(?!no-)[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name))
      throw new Error(`an option with the name ${JSON.stringify(name)}`)
    if (!isFields(given)) throw new Error(`an option ${name} that is not an object`)
    table[name] = readOption(name, given)
  }
  return table
}

function readOption(name: string, given: Fields): Option {
  const wrong = (field: string): Error => new Error(`an option ${name} with a wrong "${field}"`)
  const type = (['boolean', 'string', 'integer'] as const).find(each => each === given['type'])
  if (!type) throw wrong('type')
  const { alias, values, range, repeat, secret, default: initial } = given
  if (alias !== undefined && !isTexts(alias, /^([A-Za-z]|(?!no-)[a-z][a-z0-9-]+)$/)) throw wrong('alias')
  if (values !== undefined && !isTexts(values, /./)) throw wrong('values')
  if (range !== undefined && !isRange(range)) throw wrong('range')
  if (repeat !== undefined && repeat !== true) throw wrong('repeat')
  if (secret !== undefined && secret !== true) throw wrong('secret')
  const wanted = type === 'integer' ? 'number' : type
  if (initial !== undefined && (repeat || typeof initial !== wanted)) throw wrong('default')
  const fallback = type === 'boolean' ? undefined : 'VALUE'
  const shown = optionalWords(given, 'value') ?? fallback
  return {
    type,
    summary: words(given, 'summary'),
    ...(alias !== undefined && { alias }),
    ...(shown !== undefined && { value: shown }),
    ...(values !== undefined && { values }),
    ...(range !== undefined && { range }),
    ...(repeat === true && { repeat }),
    ...(secret === true && { secret }),
    ...(isValue(initial) && { default: initial }),
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTexts(value: unknown, pattern: RegExp): value is readonly string[] {
  return Array.isArray(value) && value.every(each => typeof each === 'string' && pattern.test(each))
}

function isRange(value: unknown): value is readonly [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every(each => Number.isInteger(each))
}

function isValue(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value)
}

/** What is deeper can be read, but not written any more. */
const deepest = 100

const longest = 4000

/** What will be shown to a person: no control characters, which could rewrite the terminal. */
function words(fields: Fields, key: string, lines = false): string {
  const value = fields[key]
  if (typeof value !== 'string' || value.trim() === '') throw new Error(`a message without "${key}"`)
  const clean = value.replace(lines ? /[^\P{Control}\n]/gu : /\p{Control}+/gu, ' ').trim()
  if (clean === '') throw new Error(`a message without "${key}"`)
  return clean.slice(0, longest)
}

function optionalWords(fields: Fields, key: string, lines = false): string | undefined {
  return fields[key] === undefined ? undefined : words(fields, key, lines)
}
