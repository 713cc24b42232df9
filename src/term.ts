/**
 * The only place that asks. Questions go to the terminal itself, not to stdin and stdout, so that
 * `eval "$(cloudtoken env)"` can ask; without a terminal every question is a failure that says what to give instead.
 */
import { Buffer } from 'node:buffer'
import { constants, fstatSync, openSync, readSync } from 'node:fs'
import process from 'node:process'
import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers'
import { ReadStream, WriteStream } from 'node:tty'
import { codeOf, failure } from './errors.ts'
import type { Ask, Choice } from './provider.ts'

export interface Terminal extends Ask {
  /** False when nobody can answer. */
  readonly interactive: boolean
  /** True when a pipe, a socket or a file stands at stdin, so that an answer may come from there. */
  readonly piped: boolean
  /** The next line of a piped stdin; `undefined` at its end. */
  readLine(): Promise<string | undefined>
}

export interface TerminalOptions {
  readonly noInput: boolean
  /** Shown to a person without asking. */
  readonly tell: (message: string) => void
}

interface Streams {
  readonly input: Readable
  readonly output: WriteStream
  /** Between the two the keys are ours; outside of them they are left for the next program at this terminal. */
  listen(): void
  rest(): void
}

export function createTerminal(options: TerminalOptions): Terminal {
  let streams: Streams | undefined | null = options.noInput ? null : undefined
  const open = (): Streams | null => (streams ??= openTerminal() ?? null)
  async function question<T>(message: string, put: (on: Streams, clack: Clack) => Promise<T | Cancelled>): Promise<T> {
    const on = open()
    if (!on) {
      const hint = 'run cloudtoken in a terminal, or give the answer as an option: cloudtoken --help'
      throw failure('person', `a person is needed to answer "${trimmed(message)}", and there is no terminal`, { hint })
    }
    const clack = await import('@clack/prompts')
    on.listen()
    const answer = await put(on, clack).finally(() => on.rest())
    if (clack.isCancel(answer)) throw failure('cancelled', 'cancelled')
    return answer
  }
  return {
    get interactive() {
      return open() !== null
    },
    text: (message, initial) =>
      question(message, (on, clack) =>
        clack.text({
          ...plain(on),
          message: trimmed(message),
          ...(initial !== undefined && { initialValue: initial }),
        }),
      ),
    secret: message =>
      question(message, (on, clack) => clack.password({ ...plain(on), message: trimmed(message), mask: '' })),
    confirm: (message, initial = true) =>
      question(message, (on, clack) => clack.confirm({ ...plain(on), message, initialValue: initial })),
    choose: (message, choices) => question(message, (on, clack) => pick(on, clack, message, choices)),
    tell: options.tell,
    get piped() {
      return isPiped()
    },
    readLine: () => (isPiped() ? nextLine() : Promise.resolve(undefined)),
  }
}

type Clack = typeof import('@clack/prompts')
type Cancelled = Extract<Awaited<ReturnType<Clack['text']>>, symbol>

/** Type to search; in a numbered list a number finds its entry. */
async function pick<T>(
  on: Streams,
  clack: Clack,
  message: string,
  choices: readonly Choice<T>[],
): Promise<T | Cancelled> {
  const ask = (): Promise<number | Cancelled | undefined> =>
    clack.autocomplete<number>({
      ...plain(on),
      message: trimmed(message),
      maxItems: Math.max(5, Math.min(15, (on.output.rows || 24) - 6)),
      options: choices.map((choice, index) => ({
        value: index,
        label: choice.label,
        ...(choice.hint && { hint: choice.hint }),
      })),
      filter: (search, option) => matches(search, `${option.label ?? ''} ${option.hint ?? ''}`),
    })
  let chosen = await ask()
  // Enter, where nothing matches what was typed.
  while (chosen === undefined) chosen = await ask()
  if (typeof chosen !== 'number') return chosen
  const choice = choices[chosen]
  if (!choice) throw failure('unexpected', 'the menu answered with an entry that it does not have')
  return choice.value
}

/** Every word must occur. A number of up to four digits, longer ones being accounts, means the entry `N. …`, and no other. */
function matches(search: string, text: string): boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  const number = /^\d+(?=\. )/.exec(text)?.[0]
  if (number !== undefined && words.length === 1 && /^\d{1,4}$/.test(words[0] ?? '')) return number === words[0]
  return words.every(word => text.toLowerCase().includes(word))
}

function plain({ input, output }: Streams): { input: Readable; output: WriteStream; withGuide: false } {
  return { input, output, withGuide: false }
}

function trimmed(message: string): string {
  return message.replace(/:?\s*$/, ':')
}

/** `/dev/tty`, or the console of Windows; `undefined` without one. */
function openTerminal(): Streams | undefined {
  const [inputName, outputName] = process.platform === 'win32' ? ['CONIN$', 'CONOUT$'] : ['/dev/tty', '/dev/tty']
  try {
    const terminal = new ReadStream(openSync(inputName, 'r+'))
    const output = new WriteStream(openSync(outputName, 'r+'))
    // A terminal that was never sized says 0 columns, and every letter would get a line of its own.
    if (!output.columns) Object.assign(output, { columns: 80, rows: 24 })
    if (process.platform !== 'win32') return { output, ...keysOf(inputName, terminal, output) }
    return { input: terminal, output, listen: () => terminal.ref(), rest: () => terminal.unref() }
  } catch {
    return undefined
  }
}

/**
 * The keys of the terminal, read only when there are some. A stream of the runtime always has one read under way, paused
 * and destroyed ones too, and would take the first line from the program that `exec` starts.
 */
function keysOf(name: string, terminal: ReadStream, output: WriteStream): Pick<Streams, 'input' | 'listen' | 'rest'> {
  const fd = openSync(name, constants.O_RDONLY | constants.O_NONBLOCK)
  const bytes = Buffer.alloc(1024)
  const input = Object.assign(new Readable({ read: () => {} }), {
    isTTY: true,
    setRawMode: (raw: boolean) => terminal.setRawMode(raw),
  })
  let timer: ReturnType<typeof setInterval> | undefined
  // After Ctrl-Z and `fg` the terminal is as the shell wants it, and readline stops reading at the same signal.
  const back = (): void =>
    void setImmediate(() => {
      terminal.setRawMode(true)
      input.resume()
      output.emit('resize')
    })
  const rest = (): void => {
    clearInterval(timer)
    process.off('SIGCONT', back)
  }
  const poll = (): void => {
    try {
      const count = readSync(fd, bytes)
      if (count > 0) return void input.push(Buffer.from(bytes.subarray(0, count)))
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return
    }
    // A terminal that was closed has no more keys.
    rest()
    input.push(null)
  }
  const listen = (): void => {
    timer = setInterval(poll, 10)
    process.on('SIGCONT', back)
  }
  return { input, listen, rest }
}

function isPiped(): boolean {
  try {
    const stdin = fstatSync(0)
    return stdin.isFIFO() || stdin.isSocket() || (stdin.isFile() && stdin.size > 0)
  } catch {
    return false
  }
}

let buffered = ''
let lines: AsyncIterator<unknown> | undefined

async function nextLine(): Promise<string | undefined> {
  lines ??= process.stdin[Symbol.asyncIterator]()
  while (!buffered.includes('\n')) {
    const { done, value } = await lines.next()
    if (done) break
    buffered += String(value)
  }
  if (buffered === '') return undefined
  const end = buffered.indexOf('\n')
  const line = end < 0 ? buffered : buffered.slice(0, end)
  buffered = end < 0 ? '' : buffered.slice(end + 1)
  return line.replace(/\r$/, '')
}
