/**
 * The recipes for containers: a veth pair between two network namespaces stands in for Docker's bridge. Needs root on Linux.
 */
import { describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { python } from '../../scripts/components.ts'
import { present } from './present.ts'

const able =
  process.getuid?.() === 0 &&
  spawnSync('ip', ['netns', 'list']).status === 0 &&
  spawnSync('unshare', ['-n', 'true']).status === 0
const [host, guest] = [`ctc${process.pid}a`, `ctc${process.pid}b`]

function ip(...args: string[]): void {
  const { status, stderr } = spawnSync('ip', args)
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${String(stderr)}`)
}

/** As Docker does it: the guest's only way out is the host's end of the pair. */
function build(): void {
  for (const space of [host, guest]) {
    ip('netns', 'add', space)
    ip('-n', space, 'link', 'set', 'lo', 'up')
  }
  ip('link', 'add', 'veth0', 'netns', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', guest)
  ip('-n', host, 'addr', 'add', '172.17.0.1/16', 'dev', 'veth0')
  ip('-n', guest, 'addr', 'add', '172.17.0.2/16', 'dev', 'eth0')
  ip('-n', host, 'link', 'set', 'veth0', 'up')
  ip('-n', guest, 'link', 'set', 'eth0', 'up')
  ip('-n', guest, 'route', 'add', 'default', 'via', '172.17.0.1')
  // The one step of the recipe with a token that docs/containers.md leaves to the person.
  ip('-n', host, 'addr', 'add', '169.254.170.2/32', 'dev', 'lo')
}

interface Result {
  readonly words: readonly string[]
  readonly said: string
  readonly got: string
  readonly code: number
}

describe.skipIf(!able || !(await present('boto3')))('containers', () => {
  test('each recipe of docker-args gives boto3 in the container its credentials', () => {
    let results: Record<string, Result>
    try {
      build()
      const child = join(import.meta.dirname, 'containers-child.ts')
      const { stdout, stderr } = spawnSync('ip', ['netns', 'exec', host, process.execPath, child, guest], {
        encoding: 'utf8',
        timeout: 100_000,
        env: { ...process.env, PYTHON: python('python3') ?? 'python3' },
      })
      expect(stderr).toBe('')
      results = JSON.parse(stdout)
    } finally {
      for (const space of [host, guest]) spawnSync('ip', ['netns', 'del', space])
    }
    const metadata = expect.stringMatching(/^iam-role ASIA\w+ True$/)
    const container = expect.stringMatching(/^container-role ASIA\w+ True$/)
    expect(Object.fromEntries(Object.entries(results).map(([name, { got }]) => [name, got]))).toEqual({
      bridge: metadata,
      refused: 'none',
      'bridge address': metadata,
      host: metadata,
      'host, with a token': container,
      'bridge, with a token': container,
    })
    expect(results['refused']?.said).toContain('--allow-from')
    expect(Object.values(results).map(({ code }) => code)).toEqual([0, 0, 0, 0, 0, 0])
  }, 120_000)
})
