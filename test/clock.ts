/** A clock that stands until it is told to move; sleepers wake in order. */
import type { Clock } from '../src/types.ts'

export interface FakeClock extends Clock {
  /** Lets `ms` pass on both clocks, waking sleepers on the way and letting their work settle. */
  pass(ms: number): Promise<void>
  /** The machine sleeps: the wall clock goes on, the other stands, nobody wakes. */
  suspend(ms: number): void
  /** Somebody sets the wall clock. */
  set(ms: number): void
}

export function fakeClock(start = Date.UTC(2026, 0, 1), random = 0): FakeClock {
  let wall = start
  let steady = 0
  let sleepers: { at: number; wake: () => void }[] = []
  return {
    now: () => wall,
    elapsed: () => steady,
    random: () => random,
    sleep(ms, signal) {
      return new Promise(resolve => {
        if (signal?.aborted) return resolve()
        const sleeper = { at: steady + ms, wake: resolve }
        sleepers.push(sleeper)
        signal?.addEventListener('abort', () => resolve(), { once: true })
      })
    },
    async pass(ms) {
      const end = steady + ms
      await settle()
      for (;;) {
        const next = sleepers.filter(sleeper => sleeper.at <= end).sort((a, b) => a.at - b.at)[0]
        if (!next) break
        const step = Math.max(0, next.at - steady)
        wall += step
        steady += step
        sleepers = sleepers.filter(sleeper => sleeper !== next)
        next.wake()
        await settle()
      }
      wall += end - steady
      steady = end
    },
    suspend(ms) {
      wall += ms
    },
    set(ms) {
      wall = ms
    },
  }
}

/** Long enough for a chain of promises to run out. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await Promise.resolve()
}
