/** What `doctor` says of variables, files and clocks; the rest needs a daemon and is in e2e. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { judgeEnvironment } from '../src/doctor-environment.ts'
import { judgeFiles } from '../src/doctor-files.ts'
import { judgeSkew } from '../src/doctor-machine.ts'
import type { Finding } from '../src/doctor.ts'

const here = 'http://169.254.169.254'
const words = (found: readonly Finding[]): string[] =>
  found.map(({ verdict, message }) => `${verdict} ${message.split(/[ :]/)[0]}`)

describe('variables', () => {
  const cases: [env: Record<string, string>, url: string | undefined, expected: string[]][] = [
    [{}, here, ['ok no']],
    [{ AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 's' }, here, ['problem AWS_ACCESS_KEY_ID,']],
    // Without a daemon they may be what `cloudtoken env` printed.
    [{ AWS_ACCESS_KEY_ID: 'ASIA' }, undefined, ['warning AWS_ACCESS_KEY_ID']],
    [{ AWS_ACCESS_KEY_ID: '' }, here, ['ok no']],
    [{ AWS_EC2_METADATA_DISABLED: 'True' }, undefined, ['warning AWS_EC2_METADATA_DISABLED']],
    [{ AWS_EC2_METADATA_DISABLED: 'false' }, here, ['ok no']],
    [{ AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://x' }, here, ['problem AWS_CONTAINER_CREDENTIALS_FULL_URI']],
    [{ AWS_WEB_IDENTITY_TOKEN_FILE: '/t' }, here, ['problem AWS_WEB_IDENTITY_TOKEN_FILE']],
    [{ http_proxy: 'http://proxy:3128' }, here, ['problem http_proxy']],
    [{ http_proxy: 'http://proxy:3128' }, undefined, ['warning http_proxy']],
    [{ HTTP_PROXY: 'http://proxy:3128', NO_PROXY: 'localhost, 169.254.169.254' }, here, ['ok no']],
    [{ ALL_PROXY: 'http://proxy:3128', no_proxy: '*' }, here, ['ok no']],
    // HTTPS alone is no way to a service that speaks HTTP.
    [{ HTTPS_PROXY: 'http://proxy:3128' }, here, ['ok no']],
    [{}, 'http://127.0.0.1:9254', ['problem the']],
    [{ AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:9254/' }, 'http://127.0.0.1:9254', ['ok no']],
    [{ AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:9254' }, here, ['problem the']],
  ]
  test.each(cases)('%j with a daemon at %p: %j', (env, url, expected) => {
    expect(words(judgeEnvironment(env, url))).toEqual(expected)
  })

  test('no value of a variable is shown, and each problem says what to type', () => {
    const env = {
      AWS_SECRET_ACCESS_KEY: 'hush',
      http_proxy: 'http://me:hush@proxy',
      AWS_WEB_IDENTITY_TOKEN_FILE: 'hush',
    }
    const found = judgeEnvironment(env, here)
    expect(JSON.stringify(found)).not.toContain('hush')
    expect(found.map(({ hint }) => hint?.split(' ')[0])).toEqual(['unset', 'unset', 'export'])
  })
})

describe('shared files', () => {
  let home = ''
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'cloudtoken-doctor-'))
    mkdirSync(join(home, '.aws'))
  })
  afterEach(() => rmSync(home, { recursive: true, force: true }))

  const now = Date.parse('2026-01-01T12:00:00Z')
  function judge(credentials: string, config = '', env: Record<string, string> = {}, serving = true): Finding[] {
    writeFileSync(join(home, '.aws/credentials'), credentials, { mode: 0o600 })
    writeFileSync(join(home, '.aws/config'), config)
    return judgeFiles({ home, config: home, state: home }, env, serving, now)
  }
  const keys = 'aws_access_key_id = AKIAX\naws_secret_access_key = hush\n'

  test('keys of [default] win over the daemon', () => {
    expect(words(judge(`[default]\n${keys}`))).toEqual(['problem [default]'])
    expect(words(judge(`[default]\n${keys}`, '', {}, false))).toEqual(['warning [default]'])
    expect(words(judge(`[other]\n${keys}`))).toEqual(['ok nothing'])
    expect(words(judge(`[other]\n${keys}`, '', { AWS_PROFILE: 'other' }))).toEqual(['problem [other]'])
  })

  test('a section of ours is fine until it ends', () => {
    const ours = (end: string): string =>
      `[default]\naws_access_key_id = ASIAX\ncloudtoken = true\nexpiration = ${end}\n`
    expect(words(judge(ours('2026-01-01T12:30:00Z')))).toEqual(['ok nothing'])
    expect(words(judge(ours('2026-01-01T11:30:00Z')))).toEqual(['problem the'])
  })

  test('a profile that is in no file, and one with a source of its own', () => {
    expect(words(judge('', '', { AWS_PROFILE: 'gone' }))).toEqual(['problem AWS_PROFILE'])
    expect(words(judge('', '[profile there]\nregion = x\n', { AWS_PROFILE: 'there' }))).toEqual(['ok nothing'])
    expect(words(judge('', '[default]\nsso_session = corp\n'))).toEqual(['warning the'])
  })

  test('files that others can read; files that are not there', () => {
    writeFileSync(join(home, '.aws/credentials'), '')
    chmodSync(join(home, '.aws/credentials'), 0o644)
    const paths = { home, config: home, state: home }
    expect(words(judgeFiles(paths, {}, true, now))).toEqual(['warning other'])
    rmSync(join(home, '.aws'), { recursive: true })
    expect(words(judgeFiles(paths, {}, true, now))).toEqual(['ok nothing'])
  })
})

test.each([
  [undefined, 'ok'],
  [59_000, 'ok'],
  [-61_000, 'warning'],
  [299_000, 'warning'],
  [-301_000, 'problem'],
] as const)('a clock that is off by %p ms: %s', (skew, verdict) => {
  expect(judgeSkew(skew, 'sts.example').verdict).toBe(verdict)
})
