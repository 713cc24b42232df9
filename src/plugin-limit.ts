/**
 * Patience with a plugin: how long it may take, not counting the time in which a person is asked.
 */
export interface Limit {
  /** While a person answers. */
  pause(): void
  resume(): void
  /** The plugin showed that it lives. */
  sign(): void
  stop(): void
}

export interface LimitOptions {
  /** Milliseconds of the plugin's own time. */
  readonly ms: number
  onExpire(): void
  /** After 5 s without a sign. */
  onSilence(): void
}

const silence = 5000

export function createLimit({ ms, onExpire, onSilence }: LimitOptions): Limit {
  let left = ms
  let since = 0
  let end: ReturnType<typeof setTimeout> | undefined
  let note: ReturnType<typeof setTimeout> | undefined
  let running = false
  const limit: Limit = {
    pause() {
      if (running) left -= performance.now() - since
      running = false
      clearTimeout(end)
      clearTimeout(note)
    },
    resume() {
      if (running) return
      running = true
      since = performance.now()
      end = setTimeout(onExpire, Math.max(0, left))
      note = setTimeout(onSilence, silence)
    },
    sign() {
      clearTimeout(note)
      if (running) note = setTimeout(onSilence, silence)
    },
    stop: () => limit.pause(),
  }
  limit.resume()
  return limit
}
