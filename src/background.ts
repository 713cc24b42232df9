/**
 * A daemon without a terminal, in two processes. The one behind takes the address and the port, serves, and belongs to
 * no terminal from its first moment; the one in front keeps the terminal for the sign-in, hands over what came of it,
 * and ends. Between them lines of JSON on the standard streams of the one behind: nothing secret in arguments or files,
 * and no end of the terminal that would stay open.
 */
import process from 'node:process'
import { failureOf, failureValue } from './control.ts'
import { failure, isFailure, type Failure } from './errors.ts'
import { readFields } from './json.ts'
import { createLog, type Log } from './log.ts'
import { coreOptions, type Settings } from './options.ts'
import { takeSecrets } from './privilege-sudo.ts'
import { start } from './run.ts'
import { selfCommand } from './runtime-self.ts'
import type { Carried } from './session.ts'
import { revived } from './tokens.ts'
import type { Credentials, Role } from './types.ts'

/** What a sign-in brought: the current role, and those beside it on the container endpoint. */
export interface Taken {
  readonly credentials: Credentials
  readonly role: Role
  readonly others: readonly Credentials[]
}

/** What the one in front hands over. */
export interface HandedOver {
  /** The sign-in, or why there is none yet. */
  readonly first: Taken | Failure
  readonly carried: Carried
}

/** The one behind, seen from the front. */
export interface Behind {
  readonly url: string
  /** From here on it is the person's: their environment and configuration. Rejects with what is wrong there. */
  prepare(env: NodeJS.ProcessEnv): Promise<void>
  /** From here on it lives by itself. `file` is its log, `lines` are for clients of the container endpoint. */
  serve(handedOver: HandedOver): Promise<{ file: string; lines: readonly string[] }>
  /** Ends it, and waits for that, unless it lives by itself. */
  close(): Promise<void>
}

/** As whoever may take the address. `argv` is in long form; what is secret in it is handed over with the environment. */
export async function startBehind(
  argv: readonly string[],
  { listen, systemUsername }: Pick<Settings, 'listen' | 'systemUsername'>,
  log: Log,
): Promise<Behind> {
  const { rest, secrets } = takeSecrets(argv, coreOptions)
  const words = rest.filter(word => !/^--(background|listen|system-username)=/.test(word))
  const user = systemUsername === undefined ? [] : [`--system-username=${systemUsername}`]
  const self = selfCommand()
  const args = [...self.args, '--handover=-', ...words, `--listen=${listen}`, ...user]
  const child = start(self.command, args, { detached: true, windowsHide: true, stdio: ['pipe', 'pipe', 'ignore'] })
  const { stdin, stdout } = child
  if (!stdin || !stdout) throw failure('unexpected', 'the daemon has no streams')
  // When it is gone its failure has been read, or its silence will be noticed.
  stdin.on('error', () => {})
  const ended = new Promise<void>(resolve => {
    child.on('exit', () => resolve())
    child.on('error', () => resolve())
  })
  const messages = messagesOf(stdout)
  const send = (message: object): void => void stdin.write(`${JSON.stringify(message)}\n`)
  let alone = false

  /** Passes on what it says until it has come that far. */
  async function until(step: string): Promise<Record<string, unknown>> {
    for (;;) {
      const { value: message } = await messages.next()
      if (!message) throw failure('unexpected', 'the daemon ended before it served')
      if (message['failure'] !== undefined) throw failureOf(message['failure'])
      if (typeof message['out'] === 'string') log.write(message['out'])
      if (typeof message['err'] === 'string') log.access(message['err'])
      if (message['step'] === step) return message
    }
  }

  async function close(): Promise<void> {
    if (alone) return
    stdin?.end()
    await until('').catch(() => {})
    await ended
  }

  try {
    const { url } = await until('open')
    return {
      url: String(url),
      async prepare(env) {
        send({ env: { ...env, ...secrets } })
        await until('prepared')
      },
      async serve({ first, carried }) {
        send(isFailure(first) ? { failure: failureValue(first), carried } : { first, carried })
        const { log: file, lines } = await until('serving')
        alone = true
        stdin.destroy()
        stdout.destroy()
        child.unref()
        return { file: String(file), lines: Array.isArray(lines) ? lines.map(String) : [] }
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** The one in front, seen from behind. */
export interface Front {
  send(message: object): void
  /** `undefined` when it is gone. */
  environment(): Promise<unknown>
  handedOver(): Promise<HandedOver | undefined>
}

export function openFront(): Front {
  const messages = messagesOf(process.stdin)
  const { print } = createLog()
  return {
    send: message => print(JSON.stringify(message)),
    async environment() {
      return (await messages.next()).value?.['env']
    },
    async handedOver() {
      const message = (await messages.next()).value
      if (!message) return undefined
      const carried = message['carried'] as Carried
      if (message['failure'] !== undefined) return { first: failureOf(message['failure']), carried }
      return { first: revivedTaken(message['first'] as Taken), carried }
    },
  }
}

/** JSON has no dates. */
export function revivedTaken({ credentials, role, others }: Taken): Taken {
  return { role, credentials: revived(credentials), others: others.map(revived) }
}

async function* messagesOf(stream: NodeJS.ReadableStream): AsyncGenerator<Record<string, unknown>, undefined> {
  let text = ''
  stream.setEncoding('utf8')
  for await (const chunk of stream) {
    const lines = (text + String(chunk)).split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) yield readFields(line)
  }
  return undefined
}
