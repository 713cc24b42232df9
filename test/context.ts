/**
 * A `ProviderContext` for tests: real cookies and sockets, a person who answers from a list, files in memory.
 */
import { createHttp } from '../src/http.ts'
import type { Network } from '../src/http-network.ts'
import { failure } from '../src/errors.ts'
import { createLog } from '../src/log.ts'
import { camelCase, type Option, type OptionValue } from '../src/option.ts'
import { coreOptions, type Settings } from '../src/options.ts'
import type { ProviderContext } from '../src/provider.ts'

/** What the person says: a text, a yes or no, or for a choice the label. */
type Answer = string | boolean

export interface TestContextOptions {
  readonly settings?: Partial<Settings>
  readonly username?: string
  /** `undefined`: nobody knows it without asking, and nobody is there. */
  readonly password?: string
  /** Answers in order, each with a part of the question it belongs to. */
  readonly answers?: readonly (readonly [question: string | RegExp, answer: Answer])[]
  readonly mode?: 'login' | 'refresh'
  readonly network?: Network
  /** Cookies and files of an earlier run. */
  readonly earlier?: TestContext
}

export interface TestContext {
  readonly context: ProviderContext
  /** Every question put to the person. */
  readonly asked: string[]
  readonly told: string[]
  /** Everything logged, debug included. */
  readonly logged: string[]
  readonly files: Map<string, string>
  /** How often the password was wanted. */
  passwords(): number
  /** Milliseconds that were slept through; no time passes. */
  waited(): number
  cookies(): Promise<string | undefined>
}

export function testSettings(settings: Partial<Settings> = {}): Settings {
  const values: Record<string, OptionValue | undefined | Record<string, OptionValue>> = { extra: {} }
  for (const [name, option] of Object.entries<Option>(coreOptions)) {
    values[camelCase(name)] = option.default ?? (option.repeat ? [] : option.type === 'boolean' ? false : undefined)
  }
  return { ...(values as unknown as Settings), ...settings }
}

export async function testContext(options: TestContextOptions = {}): Promise<TestContext> {
  const { mode = 'login', earlier } = options
  const asked: string[] = []
  const told: string[] = []
  const logged: string[] = []
  const files = earlier?.files ?? new Map<string, string>()
  const answers = [...(options.answers ?? [])]
  let passwords = 0
  let waited = 0
  const line = (text: string): void => void logged.push(text)
  const log = createLog({ debug: true, stdout: line, stderr: line })
  const cookies = await earlier?.cookies()
  const http = createHttp({ log, cookies, ...(options.network && { network: options.network }) })

  function answer(question: string): Answer {
    asked.push(question)
    if (mode === 'refresh') throw failure('person', 'nobody is asked in the background')
    const [next] = answers
    const fits = typeof next?.[0] === 'string' ? question.includes(next[0]) : next?.[0].test(question)
    if (!next || !fits) throw failure('person', `the test has no answer to “${question}”`)
    answers.shift()
    return next[1]
  }

  const context: ProviderContext = {
    settings: testSettings(options.settings),
    username: options.username ?? 'jane',
    async password() {
      passwords += 1
      if (options.password === undefined) throw failure('person', 'the password is not stored, and nobody is there')
      return options.password
    },
    ask: {
      text: async message => String(answer(message)),
      secret: async message => String(answer(message)),
      confirm: async message => answer(message) === true,
      async choose(message, choices) {
        const label = answer(`${message}: ${choices.map(choice => choice.label).join(', ')}`)
        const choice = choices.find(each => each.label === label)
        if (!choice) throw new Error(`no choice “${String(label)}” in ${choices.map(each => each.label).join(', ')}`)
        return choice.value
      },
      tell: message => void told.push(message),
    },
    http,
    store: {
      read: name => files.get(name),
      write: (name, text) => void files.set(name, text),
      remove: name => void files.delete(name),
      pathOf: name => `/state/${name}`,
    },
    secrets: {
      read: async name => files.get(name),
      write: async (name, text) => files.set(name, text).size > 0,
      remove: name => void files.delete(name),
      guarded: async () => true,
    },
    mode,
    signal: new AbortController().signal,
    clock: {
      now: () => Date.now() + waited,
      random: () => 0.5,
      elapsed: () => waited,
      async sleep(ms) {
        waited += ms
      },
    },
    log,
  }
  return {
    context,
    asked,
    told,
    logged,
    files,
    passwords: () => passwords,
    waited: () => waited,
    cookies: () => http.serializeCookies(),
  }
}
