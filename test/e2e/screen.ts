/**
 * A person before a terminal: what they see, what they type.
 */
import type { Place } from './cli.ts'

export interface Screen {
  readonly ended: Promise<number>
  type(text: string): Promise<void>
  /** Waits for something new on the screen. */
  seen(pattern: RegExp, patience?: number): Promise<void>
}

/** A program at a terminal of its own, 91 columns by 33 lines. */
export function atTerminal(place: Place, words: readonly string[], env: Readonly<Record<string, string>> = {}): Screen {
  let shown = ''
  const child = Bun.spawn([...words], {
    env: { ...place.env, CLOUDTOKEN_NO_INPUT: '', TERM: 'xterm', PS1: '$ ', ...env },
    cwd: place.home,
    terminal: { cols: 91, rows: 33, data: (_, bytes) => void (shown += new TextDecoder().decode(bytes)) },
  })
  return {
    ended: child.exited,
    async type(text) {
      for (const key of text) {
        child.terminal?.write(key)
        await Bun.sleep(5)
      }
    },
    async seen(pattern, patience = 20_000) {
      for (const end = Date.now() + patience; Date.now() < end; await Bun.sleep(20)) {
        const found = pattern.exec(shown)
        if (!found) continue
        shown = shown.slice(found.index + found[0].length)
        return
      }
      child.kill('SIGKILL')
      throw new Error(`never saw ${pattern}: ${JSON.stringify(shown)}`)
    },
  }
}
