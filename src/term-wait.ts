/**
 * What a person sees while a server takes its time: one line that turns, and is gone when the answer is there.
 */
import { isatty } from 'node:tty'

export interface WaitOptions {
  /** To the terminal, as it is. */
  readonly write: (text: string) => void
  /** Of the terminal, in letters. */
  readonly columns?: number | undefined
  /** Milliseconds; only differences count. */
  readonly elapsed: () => number
  /** How long it was waited before. */
  readonly waitedMs: number
}

const turnMs = 150
const clearLine = '\r\u001B[K'

/** Is there a person to see it? A log in a file would get every turn of it. */
export function canShowWait(env: Readonly<Record<string, string | undefined>>): boolean {
  return isatty(2) && env['TERM'] !== 'dumb'
}

/** Shows `waiting for HOST` with the seconds so far; what it answers takes the line away. */
export function showWait(host: string, { write, columns = 80, elapsed, waitedMs }: WaitOptions): () => void {
  const start = elapsed() - waitedMs
  let turn = 0
  const draw = (): void => {
    const sign = '|/-\\'.charAt(turn % 4)
    const seconds = Math.floor((elapsed() - start) / 1000)
    write(`${clearLine}${`${sign} waiting for ${host}${seconds > 0 ? `, ${seconds} s` : ''}`.slice(0, columns - 1)}`)
    turn += 1
  }
  draw()
  const timer = setInterval(draw, turnMs)
  return () => {
    clearInterval(timer)
    write(clearLine)
  }
}
