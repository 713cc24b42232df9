/**
 * `bun run demo`: the whole story on loopback. An identity provider with real pages, an STS, the compiled program between
 * them, and the AWS SDK as the one who asks for credentials. Writes to a temporary folder only.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { Readable } from 'node:stream'
import { freePort } from './demo-http.ts'
import { startDemoIdp } from './demo-idp.ts'
import { startDemoSts } from './demo-sts.ts'
import { bun, install, root, say, seconds, shell } from './tools.ts'

const roles = [
  'arn:aws:iam::123456789012:role/developer',
  'arn:aws:iam::123456789012:role/read-only',
  'arn:aws:iam::210987654321:role/ops/admin',
]
const patienceMs = 20_000

const begin = performance.now()
const folder = mkdtempSync(join(tmpdir(), 'cloudtoken-demo-'))
const home = join(folder, 'home')
const undo: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })]

async function demo(): Promise<void> {
  say('# install and build')
  await install()
  if ((await shell(bun, ['scripts/build.ts'])).code !== 0) throw new Error('the build failed')

  const idp = await startDemoIdp({ alice: { password: 'correct horse', roles } })
  const sts = await startDemoSts()
  undo.push(idp.stop, sts.stop)
  mkdirSync(home, { mode: 0o700 })
  writeFileSync(join(home, 'password'), 'correct horse\n', { mode: 0o600 })
  const env = {
    PATH: process.env['PATH'],
    HOME: home,
    USERPROFILE: home,
    AWS_ENDPOINT_URL_STS: sts.origin,
    CLOUDTOKEN_SKIP_KEYRING: 'true',
  }

  say('\n# sign in through the pages of a SimpleSAMLphp, take a role')
  const signIn = ['--provider', 'simplesamlphp', '--url', idp.url, '--username', 'alice', '--password-file', 'password']
  await show(['--role', 'developer', ...signIn], env)

  say('\n# the same, then stay and be the EC2 metadata service (on a loopback port; the real address needs root)')
  const listen = `127.0.0.1:${await freePort()}`
  const args = ['-d', '--listen', listen, '--role', roles[2] ?? '', ...signIn]
  say(`$ cloudtoken ${args.join(' ')}`)
  const daemon = spawn(join(root, 'dist', 'cloudtoken'), args, { cwd: home, env, stdio: ['ignore', 'pipe', 'inherit'] })
  undo.push(() => daemon.kill('SIGKILL'))
  await ready(daemon, daemon.stdout)
  const metadata = `http://${listen}/latest`

  say('\n# read it back: by hand, with a session token as the SDKs do')
  const token = await read(`${metadata}/api/token`, { 'x-aws-ec2-metadata-token-ttl-seconds': '60' }, 'PUT')
  const headers = { 'x-aws-ec2-metadata-token': token }
  say(`$ curl ${metadata}/meta-data\n${await read(`${metadata}/meta-data`, headers)}`)
  const role = await read(`${metadata}/meta-data/iam/security-credentials/`, headers)
  say(`$ curl ${metadata}/meta-data/iam/security-credentials/\n${role}`)
  say(`$ curl ${metadata}/meta-data/iam/security-credentials/${role}`)
  say(stars(await read(`${metadata}/meta-data/iam/security-credentials/${role}`, headers)))

  say('\n# and with the AWS SDK, which finds it by itself: who am I?')
  const client = await shell(bun, ['scripts/demo-client.ts'], { quiet: true, env: strange(sts.origin, listen) })
  say(`$ demo-client\n${client.output.trim()}`)
  if (!client.output.includes(':assumed-role/admin/alice@example.org')) throw new Error('the SDK is somebody else')

  say('\n# stop it')
  daemon.kill('SIGTERM')
  const [code] = await once(daemon, 'exit')
  say(`exit code ${code}`)
  if (code !== 0) throw new Error('the daemon did not end well')
  const taken = sts.assumed().map(each => each.split('/').at(-1))
  say(`\npasswords asked: ${idp.passwords()}, assertions: ${idp.assertions()}, roles taken: ${taken.join(', ')}`)
}

/** A machine with nothing but the SDK on it. */
function strange(sts: string, listen: string): Record<string, string | undefined> {
  const none = Object.keys(process.env).filter(name => name.startsWith('AWS_'))
  return {
    ...Object.fromEntries(none.map(name => [name, undefined])),
    HOME: folder,
    USERPROFILE: folder,
    AWS_ENDPOINT_URL_STS: sts,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://${listen}`,
  }
}

async function show(args: readonly string[], env: Record<string, string | undefined>): Promise<void> {
  say(`$ cloudtoken ${args.join(' ')}`)
  const child = spawn(join(root, 'dist', 'cloudtoken'), [...args], {
    cwd: home,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`cloudtoken ended with exit code ${code}`)
}

/** Shows what the daemon prints; resolves with the line it ends its greeting with. */
function ready(daemon: ChildProcess, output: Readable): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the daemon does not come up')), patienceMs)
    daemon.on('exit', code => reject(new Error(`the daemon ended with exit code ${code}`)))
    let text = ''
    output.setEncoding('utf8').on('data', (chunk: string) => {
      process.stdout.write(chunk)
      text += chunk
      if (!/^-{54}$/m.test(text)) return
      clearTimeout(late)
      resolve()
    })
  })
}

async function read(url: string, headers: Record<string, string>, method = 'GET'): Promise<string> {
  const response = await fetch(url, { method, headers })
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  return response.text()
}

/** The demo's keys are worth nothing, but a transcript is copied. */
function stars(document: string): string {
  return document.replace(/("(?:SecretAccessKey|Token)"\s*:\s*")([^"]{4})[^"]*/g, '$1$2…')
}

let failed = false
try {
  await demo()
} catch (error) {
  failed = true
  process.stderr.write(`demo: error: ${error instanceof Error ? error.message : String(error)}\n`)
}
for (const step of undo.toReversed()) await step()
say(`demo ${failed ? 'failed' : 'done'} in ${seconds(begin)}`)
process.exit(failed ? 1 : 0)
