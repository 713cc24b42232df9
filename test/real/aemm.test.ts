/**
 * The end-to-end tests that amazon-ec2-metadata-mock has for itself, as they stand, with our service in its place. Each
 * assertion that fails is in the list here, with the reason.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawn } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { aemm, goSource } from '../../scripts/components.ts'
import { present } from './present.ts'

const ready = await present('aemm', 'jq', 'curl', 'unshare')

const page =
  'our pages for 401 and 404 are those that EC2 was seen to send; its own differ in white space and document type'
const early = 'it lists spot/ and events/ while they are not there yet'

/**
 * Not run: `spot`, which ends at the termination time of a hibernation, since EC2 has none; `asglifecycle`, since that state
 * is a value here and no subcommand.
 */
const expected: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  dynamic: {},
  static: {},
  userdata: {},
  handlers: {},
  imdsv2: {
    'imdsv2::invalid_token': 'it waits for the 400 of a server that chokes on a token with line ends in it',
    'imdsv2::expired_token': page,
  },
  events: {
    'subcommand_paths_404::spot-instance-action': page,
    'subcommand_paths_404::spot-termination-time': page,
    'test_events_404::mock-ip-count': 'every caller sees the same here',
  },
  root: {
    'test_root::versions': 'it has the version latest alone',
    'test_root::paths_with_delay': early,
    'test_root::unsupported_paths': page,
    'test_root_delay::pre-delay_response': page,
    'test_root_mock_trigger_time::pre-trigger_response': page,
  },
}

async function run(script: string, place: string): Promise<string[]> {
  const source = goSource(aemm)
  const folder = join(place, script)
  const cases = join(folder, 'test/e2e')
  mkdirSync(join(folder, 'build'), { recursive: true })
  cpSync(join(source, 'test/e2e'), cases, {
    recursive: true,
    filter: file => !/\/cmd\/./.test(file) || file.endsWith(`/${script}-test`),
  })
  const defaults = join(source, 'pkg/config/defaults/aemm-metadata-default-values.json')
  const program = join(folder, 'build/ec2-metadata-mock')
  writeFileSync(
    program,
    `#!/bin/sh\nexec '${process.execPath}' '${join(import.meta.dirname, 'aemm-child.ts')}' '${defaults}' "$@"\n`,
  )
  chmodSync(program, 0o755)
  chmodSync(join(cases, 'cmd', `${script}-test`), 0o755)
  const suite = join(cases, 'run-tests')
  chmodSync(suite, 0o644)
  // A difference is to be shown, not to end all.
  writeFileSync(suite, readFileSync(suite, 'utf8').replace('| tail -n +3', '| tail -n +3 || true'))
  // It takes ports by number, and ends programs by their name: in namespaces of its own.
  const child = spawn(
    'unshare',
    ['-n', '-p', '-f', '--mount-proc', 'sh', '-c', 'ip link set lo up && exec bash "$0"', suite],
    {
      env: { ...process.env, TERM: 'linux' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', chunk => (text += chunk))
  await new Promise(resolve => child.once('close', resolve))
  if (!text.includes('✅ Verified')) throw new Error(text)
  return [
    ...new Set(
      [...text.matchAll(/❌ Failed (.*?) verification|❌ (actual and expected.*)/g)].map(
        match => match[1] ?? match[2] ?? '',
      ),
    ),
  ]
}

describe.skipIf(!ready || process.geteuid?.() !== 0)('the tests of amazon-ec2-metadata-mock', () => {
  let place: string
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), 'aemm-'))
  })
  afterAll(() => rmSync(place, { recursive: true, force: true }))

  test.concurrent.each(Object.keys(expected))(
    '#100 %s',
    async script => {
      const failed = await run(script, place)
      expect(failed.toSorted()).toEqual(Object.keys(expected[script] ?? {}).toSorted())
    },
    240_000,
  )
})
