/**
 * action.yml: its steps as a runner runs them, one after the other, with a release and a token service on loopback.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { parse } from 'yaml'
import pkg from '../../package.json' with { type: 'json' }
import { root, which } from '../../scripts/tools.ts'
import { startFakeRunner, type FakeRunner } from '../fake-runner.ts'
import { startReleaseServer, type ReleaseServer } from '../release-server.ts'
import { runProgram, type Ran } from '../run-program.ts'
import { command, usePlace } from './cli.ts'

interface Step {
  readonly name: string
  readonly if?: string
  readonly shell: string
  readonly env: Readonly<Record<string, string>>
  readonly run: string
}
interface Action {
  readonly inputs: Readonly<Record<string, { readonly default: string }>>
  readonly runs: { readonly steps: readonly Step[] }
}

const action: Action = parse(readFileSync(join(root, 'action.yml'), 'utf8'))
const role = 'arn:aws:iam::123456789012:role/Deploy'
const place = await usePlace()
let runner: FakeRunner
let server: ReleaseServer

beforeAll(async () => {
  // The program of the release is the one under test; it notes what it was started with.
  const program = `#!/bin/sh\nprintf '%s\\n' "$@" >>"$RUNNER_TEMP/args"\nexec ${command.map(word => `'${word}'`).join(' ')} "$@"\n`
  const target = `${process.platform}-${process.arch}`
  server = await startReleaseServer(place.home, ['0.0.1', pkg.version], [target], { program: () => program })
})
afterAll(() => server.stop())
beforeEach(async () => {
  runner = await startFakeRunner()
})
afterEach(() => runner.stop())

const read = (name: string): string => {
  const file = join(place.home, name)
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

/** The steps whose condition holds, until one fails; what they print together. */
async function use(inputs: Readonly<Record<string, string>>, job: Readonly<Record<string, string>>): Promise<Ran> {
  const given = (name: string): string => inputs[name] ?? action.inputs[name]?.default ?? 'no such input'
  const wanted = (condition: string | undefined): boolean => {
    if (condition === undefined || condition === "runner.os != 'Windows'") return true
    if (condition === "inputs.role != ''") return given('role') !== ''
    if (condition === "runner.os == 'Windows'") return false
    throw new Error(`no such condition: ${condition}`)
  }
  let result: Ran = { code: 0, stdout: '', stderr: '' }
  for (const { run, shell, env, if: condition } of action.runs.steps) {
    if (!wanted(condition) || result.code !== 0) continue
    expect(shell).toBe('bash')
    const variables = Object.entries(env).map(([name, text]) => [
      name,
      text.replaceAll(/\$\{\{ inputs\.([\w-]+) \}\}/g, (_, input: string) => given(input)),
    ])
    const script = join(place.home, 'step.sh')
    // What is between double braces would be put into the script as it stands, whoever has written it.
    expect(run).not.toContain('${{')
    writeFileSync(script, run)
    const { code, stdout, stderr } = await bash(script, { ...job, ...Object.fromEntries(variables) })
    result = { code, stdout: result.stdout + stdout, stderr: result.stderr + stderr }
  }
  return result
}

function bash(script: string, env: Readonly<Record<string, string>>): Promise<Ran> {
  const added = read('path').trim()
  return runProgram('bash', ['--noprofile', '--norc', '-eo', 'pipefail', script], {
    cwd: place.home,
    env: {
      HOME: place.home,
      PATH: [...(added === '' ? [] : [added]), process.env['PATH']].join(':'),
      AWS_ENDPOINT_URL_STS: place.sts.origin,
      CI: 'true',
      DENO_NO_UPDATE_CHECK: '1',
      GITHUB_ACTIONS: 'true',
      RUNNER_TEMP: place.home,
      GITHUB_ACTION_PATH: root,
      GITHUB_PATH: join(place.home, 'path'),
      GITHUB_ENV: join(place.home, 'env'),
      ...env,
    },
  })
}

const absent = which('bash') === undefined

test.skipIf(absent)('one step installs the program of its version and gives the role to the next steps', async () => {
  const inputs = { role, region: 'eu-west-1', 'session-duration': '900', 'base-url': server.url }
  const { code, stdout, stderr } = await use(inputs, runner.github)
  expect([code, stderr]).toEqual([0, expect.stringContaining(`installed cloudtoken ${pkg.version}`)])
  const found = Object.fromEntries([...read('env').matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]))
  expect(found['AWS_ACCESS_KEY_ID']).toMatch(/^ASIA/)
  expect(found['AWS_REGION']).toBe('eu-west-1')
  const secrets = [found['AWS_ACCESS_KEY_ID'], found['AWS_SECRET_ACCESS_KEY'], found['AWS_SESSION_TOKEN']]
  expect(stdout).toBe(`Using role ${role}\n${secrets.map(secret => `::add-mask::${secret}\n`).join('')}`)
  // Nothing secret among the words it was started with, and no file of keys but the job's own.
  const words = read('args')
  expect(words).toContain('--session-duration\n900')
  for (const secret of [...secrets, runner.github['ACTIONS_ID_TOKEN_REQUEST_TOKEN'] ?? 'none']) {
    expect(words).not.toContain(secret ?? 'none')
  }
  expect([existsSync(join(place.home, '.aws')), readdirSync(join(place.home, 'cloudtoken'))]).toEqual([
    false,
    ['cloudtoken'],
  ])
})

test.skipIf(absent)('without a role it installs, and asks for no token', async () => {
  const { code, stdout } = await use({ 'base-url': server.url }, {})
  expect([code, stdout, read('env'), runner.given()]).toEqual([0, '', '', 0])
  expect(read('path')).toBe(`${place.home}/cloudtoken\n`)
})

test.skipIf(absent)('a job without the right to a token is told which right', async () => {
  const { code, stdout } = await use({ role, 'base-url': server.url }, {})
  expect([code, stdout]).toEqual([1, expect.stringContaining('::error title=cloudtoken::')])
  expect(stdout).toContain('id-token: write')
})

test.skipIf(absent)('an input is a word, whatever is in it', async () => {
  const hostile = `x"; touch '${join(place.home, 'mine')}'; $(touch '${join(place.home, 'mine')}')`
  for (const name of ['role', 'region', 'audience', 'session-duration', 'version']) {
    const { code } = await use({ role, 'base-url': server.url, [name]: hostile }, runner.github)
    if (name !== 'audience') expect([name, code]).not.toEqual([name, 0])
    expect(existsSync(join(place.home, 'mine'))).toBe(false)
  }
})

test.skipIf(absent)('what was tampered with is not run', async () => {
  const list = join(server.folder('0.0.1'), 'SHA256SUMS')
  writeFileSync(list, readFileSync(list, 'utf8').replaceAll(/^[0-9a-f]{8}/gm, '00000000'))
  const { code, stderr } = await use({ role, version: '0.0.1', 'base-url': server.url }, runner.github)
  expect([code, stderr, read('args')]).toEqual([1, expect.stringContaining('checksum of'), ''])
  expect(runner.given()).toBe(0)
})
