/**
 * What a plugin costs: one conversation beyond the plugin's own start, and a start with one that is configured and not used.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { createLog } from '../src/log.ts'
import { converse } from '../src/plugin-exchange.ts'
import { run } from '../src/run.ts'

const rounds = 40

/** Medians in ms: the plugin with its two lines at hand, and in conversation with us. */
export async function exchangeTimes(folder: string): Promise<{ own: number; whole: number }> {
  const path = join(folder, 'cloudtoken-plugin-bench')
  const ask = '{"type":"ask","kind":"text","message":"bench"}'
  const script = `#!/bin/sh\nread -r hello\necho '${ask}'\nread -r answer\necho '{"type":"result"}'\n`
  writeFileSync(path, script, { mode: 0o700 })
  const env = { PATH: process.env['PATH'] }
  const [own, whole]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round += 1) {
    own.push(await timed(() => run(path, [], { env, input: '{}\n{}\n' })))
    const conversation = {
      name: 'bench',
      path,
      env,
      opening: [{ type: 'hello' }],
      answer: () => Promise.resolve('answer'),
      tell: () => {},
      log: createLog(),
      debug: false,
      timeoutMs: 10_000,
    }
    whole.push(await timed(() => converse(conversation)))
  }
  return { own: median(own), whole: median(whole) }
}

/** A home whose config.yaml names an exporter of its own, which a list of roles does not need. */
export function homeWithPlugin(folder: string): string {
  const home = join(folder, 'with-plugin')
  const plugins = join(home, '.config', 'cloudtoken', 'plugins')
  mkdirSync(plugins, { recursive: true, mode: 0o700 })
  const about = JSON.stringify({ protocol: 1, kind: 'exporter', summary: 'not used' })
  writeFileSync(join(plugins, 'cloudtoken-plugin-idle'), `#!/bin/sh\necho '${about}'\n`, { mode: 0o700 })
  writeFileSync(join(plugins, '..', 'config.yaml'), 'plugins: {post_auth: [idle]}\n')
  return home
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
}
