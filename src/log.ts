/**
 * What people and programs read.
 *
 * Results and the bare command's transcript go to stdout through `print`. Everything else goes to stderr as
 * `cloudtoken: error: …`, then `cloudtoken: hint: …`: lower case, no full stop, and never a secret.
 */
import { writeSync } from 'node:fs'
import { createConsola, type LogObject } from 'consola/core'
import { codeOf } from './errors.ts'

export interface Log {
  /** A line of the result or of the transcript, to stdout, as it is. */
  print(line: string): void
  /** The same without an end of line: a question of the transcript, whose answer follows it. */
  write(text: string): void
  error(message: string, hint?: string): void
  warn(message: string, hint?: string): void
  /** For a person who waits; silent under `--quiet`. */
  info(message: string): void
  /** Lines of the access log, to stderr as they are. */
  access(text: string): void
  /** What a person is to do now: said to them, quiet or not. */
  tell(message: string): void
  /** Only under `--debug`. */
  debug(message: string): void
}

export interface LogOptions extends LogOutput {
  readonly quiet?: boolean
  readonly debug?: boolean
}

/** Elsewhere than the standard streams. */
export interface LogOutput {
  readonly stdout?: (text: string) => void
  readonly stderr?: (text: string) => void
}

const level = { quiet: 1, normal: 3, debug: 4 }

export function createLog(options: LogOptions = {}): Log {
  const stdout = options.stdout ?? writer(1)
  const stderr = options.stderr ?? writer(2)
  const report = (entry: Pick<LogObject, 'type' | 'args'>): void => {
    const kind = entry.type === 'info' ? '' : `${entry.type === 'warn' ? 'warning' : entry.type}: `
    for (const [index, text] of entry.args.entries()) {
      if (text === undefined) continue
      for (const line of printable(redact(String(text))).split('\n'))
        stderr(`cloudtoken: ${index === 0 ? kind : 'hint: '}${line}\n`)
    }
  }
  const logger = createConsola({
    level: options.debug ? level.debug : options.quiet ? level.quiet : level.normal,
    // Equal lines are folded otherwise.
    throttle: 0,
    reporters: [{ log: report }],
  })
  return {
    print: line => stdout(`${line}\n`),
    write: stdout,
    access: stderr,
    error: (message, hint) => logger.error(message, hint),
    warn: (message, hint) => logger.warn(message, hint),
    info: message => logger.info(message),
    tell: message => report({ type: 'info', args: [message] }),
    debug: message => logger.debug(message),
  }
}

const secrets = new Set<string>()

/** From here on every log replaces `value` by stars. Values under six characters would blank half the text. */
export function keepSecret(value: string): void {
  if (value.length >= 6) secrets.add(value)
}

export function redact(text: string): string {
  let clean = text
  for (const secret of secrets) clean = clean.replaceAll(secret, '*****')
  return clean
}

/** What others say must not work the terminal: no control characters but tabs and ends of lines. */
function printable(text: string): string {
  return text.replace(/(?![\t\n])[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu, '')
}

let lost: unknown

/** Why a part of the result was not written: a full disk behind `>`. A closed pipe is nobody's error. */
export function lostOutput(): unknown {
  return lost
}

/** Synchronous, so that nothing is lost when the process ends. */
function writer(fd: 1 | 2): (text: string) => void {
  return text => {
    let rest: Uint8Array = new TextEncoder().encode(text)
    while (rest.length > 0) {
      try {
        rest = rest.subarray(writeSync(fd, rest))
      } catch (error) {
        if (codeOf(error) === 'EAGAIN') continue
        if (fd === 1 && codeOf(error) !== 'EPIPE') lost ??= error
        return
      }
    }
  }
}
