/**
 * The command line against the option table. citty takes unknown names, forgets all but the last of a repeated option and
 * reads a missing value as an empty one; so every word is checked first, and citty gets one `--name=value` for each option.
 */
import type { ArgsDef } from 'citty'
import { parseValue } from './config.ts'
import { failure } from './errors.ts'
import { nearest } from './names.ts'
import type { OptionTable, OptionValue } from './option.ts'

/**
 * The same words with long names, `=`, and lists joined by commas. `positionals` is how many the command takes. With
 * `onUnknown` a first look is taken: words that are not understood are told to it and left out. `hintFor` is asked about what
 * is wrong, a word too many or an option.
 */
export function normaliseArgv(
  argv: readonly string[],
  table: OptionTable,
  positionals = 0,
  onUnknown?: (word: string) => void,
  hintFor: (surplus?: string) => string = () => 'cloudtoken --help',
): string[] {
  const split = argv.indexOf('--')
  const own = split < 0 ? argv : argv.slice(0, split)
  const names = spellings(table)
  const values = new Map<string, string>()
  const words: string[] = []
  for (let index = 0; index < own.length; index += 1) {
    const word = own[index] ?? ''
    if (!word.startsWith('-') || word === '-') {
      words.push(word)
      continue
    }
    for (const flag of spelledIn(word, names, table)) {
      const name = names.get(flag.spelled)
      const option = name === undefined ? undefined : table[name]
      if (name === undefined || !option) {
        if (onUnknown) {
          onUnknown(flag.spelled)
          continue
        }
        const long = [...names.keys()].filter(known => known.length > 2)
        const near = nearest(flag.spelled, long)
        throw failure('usage', `unknown option ${flag.spelled}`, {
          hint: near ? `did you mean ${near}?` : hintFor(),
        })
      }
      let value = flag.value
      if (value === undefined && option.type === 'boolean') value = 'true'
      if (value === undefined) {
        index += 1
        value = own[index]
      }
      // An empty one is a variable of a script that was never set; to go on without it could take another role.
      if (value === undefined || (value === '' && !option.mayBeEmpty))
        throw failure('usage', `${flag.spelled} needs a value: ${flag.spelled} ${option.value}`)
      const again = values.has(name) ? option.again : undefined
      const place = again !== undefined && table[again] ? again : name
      const { repeat, verbatim } = table[place] ?? option
      const before = values.get(place)
      values.set(place, repeat && !verbatim && before !== undefined ? `${before},${value}` : value)
    }
  }
  const surplus = words[positionals]
  if (surplus !== undefined && !onUnknown)
    throw failure('usage', `unexpected argument "${surplus}"`, { hint: hintFor(surplus) })
  const flags = [...values].map(([name, value]) => (isNegative(name) ? negative(name, value) : `--${name}=${value}`))
  return [...flags.filter(flag => flag !== ''), ...words, ...(split < 0 ? [] : argv.slice(split))]
}

/**
 * What was said, in long form, as citty declares arguments: it goes through all that it is told of, several times, and a
 * daemon keeps the memory of that. Defaults stay out: an absent option may still come from elsewhere.
 */
export function argsOf(argv: readonly string[], table: OptionTable): ArgsDef {
  const args: ArgsDef = {}
  const said = new Set(argv.map(word => /^--([^=]+)/.exec(word)?.[1]))
  for (const [name, option] of Object.entries(table).filter(([each]) => said.has(each))) {
    args[isNegative(name) ? name.slice(3) : name] = {
      type: option.type === 'boolean' ? 'boolean' : 'string',
      description: option.summary,
      ...(option.value && { valueHint: option.value }),
    }
  }
  return args
}

/** What citty parsed, typed; only the options that were given. */
export function flagsOf(args: Readonly<Record<string, unknown>>, table: OptionTable): Record<string, OptionValue> {
  const flags: Record<string, OptionValue> = {}
  for (const [name, option] of Object.entries(table)) {
    if (isNegative(name)) {
      if (args[name.slice(3)] === false) flags[name] = true
    } else if (args[name] !== undefined) {
      flags[name] = parseValue(option, args[name], `--${name}`, 'usage')
    }
  }
  return flags
}

/** The options of words in long form, without the words and without what follows `--`. */
export function flagsIn(words: readonly string[], table: OptionTable): Record<string, OptionValue> {
  const flags: Record<string, OptionValue> = {}
  for (const word of words) {
    if (word === '--') break
    const [, name = '', value = 'true'] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? []
    const option = table[name]
    if (option) flags[name] = parseValue(option, value, `--${name}`, 'usage')
  }
  return flags
}

/** citty reads every `--no-x` as "x is false", whatever the table says. */
function isNegative(name: string): boolean {
  return name.startsWith('no-')
}

function negative(name: string, value: string): string {
  return value === 'true' ? `--${name}` : ''
}

/** `-u` and `--username` to `username`. */
function spellings(table: OptionTable): Map<string, string> {
  const names = new Map<string, string>()
  for (const [name, option] of Object.entries(table)) {
    names.set(`--${name}`, name)
    for (const alias of option.alias ?? []) names.set(alias.length === 1 ? `-${alias}` : `--${alias}`, name)
  }
  return names
}

interface Flag {
  readonly spelled: string
  readonly value: string | undefined
}

/** `--a=b`, `-a`, `-ab` for two flags; what follows a letter that takes a value is the value: `-r3`, `-r=3`. */
function spelledIn(word: string, names: ReadonlyMap<string, string>, table: OptionTable): Flag[] {
  if (word.startsWith('--')) {
    const equals = word.indexOf('=')
    if (equals < 0) return [{ spelled: word, value: undefined }]
    return [{ spelled: word.slice(0, equals), value: word.slice(equals + 1) }]
  }
  const flags: Flag[] = []
  for (let index = 1; index < word.length; index += 1) {
    const spelled = `-${word[index]}`
    const rest = word.slice(index + 1)
    const option = table[names.get(spelled) ?? '']
    if (!option) return [...flags, { spelled, value: undefined }]
    if (option.type !== 'boolean')
      return [...flags, { spelled, value: rest === '' ? undefined : rest.replace(/^=/, '') }]
    flags.push({ spelled, value: undefined })
  }
  return flags
}
