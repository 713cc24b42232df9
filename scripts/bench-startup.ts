/**
 * How long a program takes from its start to its end. Programs take turns, so that a busy moment of the machine hits all
 * of them, and medians are compared.
 */
import { spawnSync } from 'node:child_process'
import process from 'node:process'

export interface Start {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** What it has to print; a program that fails fast must not win. */
  readonly prints: string
}

/** Median milliseconds of each, in the order given. */
export function startTimes(starts: readonly Start[], rounds: number): number[] {
  const times = starts.map((): number[] => [])
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, start] of starts.entries()) {
      const env = { PATH: process.env['PATH'] ?? '', ...start.env }
      const begin = performance.now()
      const { status, stdout, stderr } = spawnSync(start.program, [...start.args], { env, encoding: 'utf8' })
      const time = performance.now() - begin
      if (status !== 0 || !stdout.includes(start.prints)) {
        throw new Error(`${start.program} ${start.args.join(' ')} ended with ${status}: ${stdout}${stderr}`)
      }
      times[index]?.push(time)
    }
  }
  return times.map(median)
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
