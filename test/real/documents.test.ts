/**
 * The blocks of the documents, run as they stand by bash: against the demo's identity provider and STS, with the real AWS
 * CLI and curl. What cannot run here stands in a list, with the test that has it instead.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { python } from '../../scripts/components.ts'
import { freePort } from '../../scripts/demo-http.ts'
import { startDemoIdp, type DemoIdp } from '../../scripts/demo-idp.ts'
import { startDemoSts, type DemoSts } from '../../scripts/demo-sts.ts'
import { blocksOf, documents, scriptOf } from '../documents.ts'
import { command, password, roles } from '../e2e/cli.ts'
import { present } from './present.ts'

/** By what the block begins with: why it is not run here. */
const elsewhere: Readonly<Record<string, string>> = {
  'npx -y bun@1.4.5': 'the suites themselves, and test/real/release.test.ts',
  'minisign -G': 'test/real/release.test.ts signs a release',
  'cd dist/releases': 'needs a release: test/real/release.test.ts',
  'sh install.sh': 'needs a release: test/install.test.ts, test/real/release.test.ts',
  'cloudtoken upgrade': 'needs a newer release: test/e2e/upgrade.test.ts',
  'cloudtoken -d --allow-from': 'the address itself: test/real/announcement.test.ts, containers.test.ts',
  'docker build': 'needs an engine; the steps of the Dockerfile: test/real/release.test.ts',
  'systemctl --user': 'needs systemd; test/real/service.test.ts',
  'docker run': 'needs an engine; the flags are tried in test/real/containers.test.ts',
  'cloudtoken exec --role User-Role -- \\\n  docker run': 'needs an engine',
  'cloudtoken exec --serve --role Sysadmin-Role -- terraform':
    'needs Terraform; other clients in test/real/exec.test.ts',
  'cloudtoken --provider web-identity': 'needs the system of a CI: test/e2e/ci.test.ts',
  'cloudtoken\ncloudtoken --ca-file': 'needs an authority: test/e2e/network.test.ts',
  'cloudtoken --client-cert': 'needs a certificate: test/e2e/network.test.ts',
  'openssl pkcs12': 'needs a certificate: test/e2e/network.test.ts',
  'export HTTPS_PROXY': 'needs a proxy: test/e2e/network.test.ts',
  'cloudtoken --url https://adfs.example.com': 'test/provider-adfs.test.ts',
  'cloudtoken --url https://org.okta.com': 'test/provider-okta.test.ts',
  'cloudtoken grant': 'needs a daemon with a policy: test/e2e/grant.test.ts',
  'cloudtoken console': 'needs the sign-in page of AWS: test/e2e/console.test.ts',
  'cloudtoken -r 1 -g': 'needs the sign-in page of AWS: test/e2e/console.test.ts',
  'cloudtoken --sso-start-url': 'needs a browser: test/e2e/identity-center.test.ts',
  'cloudtoken --device-code': 'needs a person at a terminal: test/e2e/identity-center.test.ts',
  'cloudtoken service install': 'needs the manager of a session: test/real/service.test.ts',
  'cloudtoken --provider f5': 'test/provider-f5.test.ts',
  "cloudtoken --url 'https://accounts.google.com": 'test/real/google.test.ts',
  'cloudtoken --browser': 'needs a browser: test/real/browser-command.test.ts',
}

// Some of them change addresses and kernel settings.
const alone = process.env['CLOUDTOKEN_NAMESPACE'] === 'own'

const base = 'arn:aws:iam::123456789012:role/Base'
const admin = 'arn:aws:iam::123456789012:role/Admin'
const readOnly = 'arn:aws:iam::210987654321:role/ReadOnly'
let idp: DemoIdp
let sts: DemoSts
let place: string
beforeAll(async () => {
  idp = await startDemoIdp({ charlie: { password, roles: [...roles, base, admin, readOnly] } })
  sts = await startDemoSts()
  place = mkdtempSync(join(tmpdir(), 'cloudtoken-documents-'))
  const program = join(place, 'cloudtoken')
  writeFileSync(program, `#!/bin/sh\nexec ${command.map(word => `'${word}'`).join(' ')} "$@"\n`)
  const aws = python('aws')
  if (aws !== undefined)
    writeFileSync(join(place, 'aws'), `#!/bin/sh\nexec '${aws}' --endpoint-url '${sts.origin}' "$@"\n`)
  // Root needs no sudo.
  writeFileSync(join(place, 'sudo'), '#!/bin/sh\nexec "$@"\n')
  for (const name of ['cloudtoken', 'aws', 'sudo']) chmodSync(join(place, name), 0o755)
})
afterAll(async () => {
  // The tests that follow have the same namespace: what the blocks set up for good is taken back.
  if (alone) {
    const undo = ['cloudtoken link down', 'ip address delete 169.254.170.2/32 dev lo']
    for (const line of [...undo, 'sysctl -q net.ipv4.ip_unprivileged_port_start=1024'])
      await bash(place, `${line} || true`)
  }
  await Promise.all([idp.stop(), sts.stop()])
  rmSync(place, { recursive: true, force: true })
})

interface Ran {
  readonly code: number | null
  readonly output: string
}

/** In a home of its own that is set up as the documents have it; `seen` ends the wait for one that stays. */
async function bash(home: string, script: string, seen?: RegExp): Promise<Ran> {
  const env = {
    HOME: home,
    PATH: `${place}:${process.env['PATH'] ?? ''}`,
    SHELL: '/bin/bash',
    AWS_ENDPOINT_URL_STS: sts.origin,
    AWS_DEFAULT_REGION: 'eu-west-1',
    CLOUDTOKEN_NO_INPUT: 'true',
  }
  const child = spawn('bash', ['-euo', 'pipefail', '-c', script], {
    cwd: home,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve({ code, output }))
  })
  const there = new Promise<Ran>(resolve => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        output += text
        if (seen?.test(output)) resolve({ code: 0, output })
      })
    }
  })
  const ran = await Promise.race([ended, there])
  if (child.exitCode === null && child.pid !== undefined) {
    process.kill(-child.pid, 'SIGTERM')
    await ended
  }
  return ran
}

function newHome(): string {
  const home = mkdtempSync(join(place, 'home-'))
  const folder = join(home, '.config/cloudtoken')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(join(folder, 'password'), `${password}\n`, { mode: 0o600 })
  const config = {
    identities: { work: { url: idp.url, username: 'charlie', 'password-file': join(folder, 'password') } },
    defaults: { 'role-number': 3, 'skip-keyring': true },
    aliases: { audit: 'arn:aws:iam::210987654321:role/Audit' },
    accounts: { '123456789012': 'production' },
  }
  writeFileSync(join(folder, 'config.yaml'), JSON.stringify(config), { mode: 0o600 })
  return home
}

const scripts = documents.flatMap(file =>
  blocksOf(file).flatMap(block => {
    const script = scriptOf(block)
    return script === undefined ? [] : [{ name: `${file}:${block.line}`, script }]
  }),
)
const isElsewhere = (script: string): boolean => Object.keys(elsewhere).some(start => script.startsWith(start))

test('the list of what is not run here has nothing that is gone', () => {
  expect(Object.keys(elsewhere).filter(start => !scripts.some(({ script }) => script.startsWith(start)))).toEqual([])
})

test('the tests that have it instead are there', () => {
  const named = Object.values(elsewhere).flatMap(reason => reason.match(/test\/[\w/.-]+\.test\.ts/g) ?? [])
  expect(named.filter(file => !existsSync(join(import.meta.dirname, '../..', file)))).toEqual([])
})

describe.skipIf(!alone || !(await present('cli')))('the documents', () => {
  test.each(scripts.filter(({ script }) => !isElsewhere(script)))('$name', async ({ script }) => {
    const home = newHome()
    const port = await freePort()
    const talks = /^cloudtoken (status|simulate)/m.test(script)
    const stays = /^cloudtoken (?:[^#]*[^-\w])?-d\b(?!.*--background)/m.test(script)
    const text = script
      .replaceAll(/'?https:\/\/idp\.example\.com[^'\s]*'?/g, `'${idp.url}'`)
      .replaceAll('127.0.0.1:9911', `127.0.0.1:${port}`)
      .replaceAll(/:9912\b/g, ':0')
      .replaceAll('http://169.254.169.254', `http://127.0.0.1:${port}`)
      // There is no S3 here; who one is says the same of the credentials.
      .replaceAll('aws s3 ls', 'aws sts get-caller-identity')
      // The address of a machine that has none.
      .replaceAll(/^cloudtoken -d$/gm, `cloudtoken -d --listen 127.0.0.1:${port}`)
      // It finds the problems of this machine, which has no way to AWS.
      .replaceAll(/^(cloudtoken doctor.*?)( *#.*)?$/gm, '$1 || [ $? = 1 ]')
    if (talks) expect((await bash(home, `cloudtoken -d --background --listen 127.0.0.1:${port}`)).code).toBe(0)
    const { code, output } = await bash(home, text, stays ? /-{54}/ : undefined)
    if (talks) await bash(home, 'cloudtoken stop || true')
    expect([code, output]).toEqual([0, expect.any(String)])
  })
})
