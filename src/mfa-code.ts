/**
 * A one-time code: given with the command line, made by a command, or typed. No code is ever handed out twice.
 */
import { failure } from './errors.ts'
import { formFailure } from './form-failure.ts'
import { clean } from './form-text.ts'
import { keepSecret } from './log.ts'
import type { Settings } from './options.ts'
import type { ProviderContext } from './provider.ts'
import { run } from './run.ts'
import { splitWords } from './words.ts'

export interface CodeContext extends Pick<ProviderContext, 'settings' | 'mode' | 'ask' | 'signal'> {
  readonly log: Pick<ProviderContext['log'], 'debug'>
}

export interface CodeQuestion {
  readonly host: string
  /** What the page calls it; empty where it does not say. */
  readonly label: string
  /** Nothing is shown while it is typed. */
  readonly hidden?: boolean
  /** Codes that were sent already. */
  readonly sent: readonly string[]
}

const maxTries = 3
/** Settings whose `--mfa-code` has been handed out. */
const spent = new WeakSet<Settings>()

/** True when a code can be had without asking anybody. */
export function hasCode(context: Pick<ProviderContext, 'settings' | 'mode'>): boolean {
  return Boolean(context.settings.mfaCommand) || givenCode(context) !== undefined
}

/** `--mfa-code`, which was for the sign-in that a renewal follows, maybe in another process. */
function givenCode({ settings, mode }: Pick<ProviderContext, 'settings' | 'mode'>): string | undefined {
  return mode === 'login' && settings.mfaCode && !spent.has(settings) ? settings.mfaCode : undefined
}

/** Rejects with `mfa-refused` when there is none, with `config` and `mfa-command` when the command fails. */
export async function codeFor(context: CodeContext, question: CodeQuestion): Promise<string> {
  const { settings, ask } = context
  const given = givenCode(context)
  if (given !== undefined) {
    spent.add(settings)
    return secret(given)
  }
  if (settings.mfaCommand) {
    const code = await made(context, settings.mfaCommand)
    if (!question.sent.includes(code)) return code
    throw formFailure('mfa-refused', `${question.host} refused the code of --mfa-command, and it gave the same again`)
  }
  const label = clean(question.label, 80).replace(/\s*[:*]+$/, '') || 'One-time code'
  const message = `${label} (${question.host})`
  for (let tries = 0; tries < maxTries; tries += 1) {
    const code = (await (question.hidden ? ask.secret(message) : ask.text(message))).trim()
    if (code === '') break
    if (!question.sent.includes(code)) return secret(code)
    ask.tell('that code was sent already; a new one is needed')
  }
  throw formFailure('mfa-refused', 'no new one-time code was given')
}

/** The first line that the command prints. */
async function made({ log, signal }: CodeContext, command: string): Promise<string> {
  const [program = '', ...args] = splitWords(command)
  log.debug(`running ${program} for a one-time code`)
  const { code, stdout, stderr } = await run(program, args, {
    signal,
    timeoutMs: 60_000,
  })
  const line = stdout.trim().split(/\r?\n/)[0]?.trim() ?? ''
  if (code === 0 && line !== '') return secret(line)
  const what = code === 0 ? 'printed no code' : `ended with exit code ${code}`
  const said = clean(stderr, 200)
  throw failure('config', `${program} ${what}${said && `: ${said}`}`, {
    code: 'mfa-command',
    hint: 'run the command of --mfa-command by itself: it has to print the code',
  })
}

function secret(code: string): string {
  keepSecret(code)
  return code
}
