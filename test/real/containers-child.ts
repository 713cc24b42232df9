/**
 * The daemon on one machine and a client on another, for the test of containers: `bun containers-child.ts CLIENT-NAMESPACE`
 * runs inside the namespace of the first, with an identity provider and an STS of its own, and prints one line of JSON.
 */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { makePlace, password, type Running } from '../e2e/cli.ts'

const [space = ''] = process.argv.slice(2)
const place = await makePlace()
const HOME = mkdtempSync(join(place.home, 'home-'))
const env = { HOME, CLOUDTOKEN_PASSWORD: password }
const show =
  'import boto3; s = boto3.Session(); c = s.get_credentials(); print(c.method, c.access_key, c.token is not None)'

/** boto3 in the container, with what `docker run` was told: `-e NAME=VALUE`, `-v FROM:TO:ro`. */
async function client(words: readonly string[]): Promise<string> {
  const mounts = new Map<string, string>()
  const variables: string[] = []
  for (const [index, word] of words.entries()) {
    const [from = '', to = ''] = word.split(':')
    if (words[index - 1] === '-v') mounts.set(to, from)
    if (words[index - 1] === '-e') variables.push(word)
  }
  // No mount namespace here: what is mounted is read where it is.
  const resolved = variables.map(word => [...mounts].reduce((text, [to, from]) => text.replace(to, from), word))
  const python = process.env['PYTHON'] ?? 'python3'
  const alone = ['env', '-i', `PATH=${place.env['PATH']}`, 'HOME=/nonexistent', ...resolved, python, '-c', show]
  const host = words.includes('host')
  const child = Bun.spawn(host ? alone : ['ip', 'netns', 'exec', space, ...alone], { stdout: 'pipe', stderr: 'pipe' })
  const text = (await new Response(child.stdout).text()).trim()
  return (await child.exited) === 0 ? text : 'none'
}

interface Recipe {
  readonly daemon: readonly string[]
  readonly args?: readonly string[]
}

/** The key that the daemon has, what the container gets, and what is said where that differs. */
async function tryOut({ daemon, args = daemon }: Recipe): Promise<object> {
  const running: Running = place.start(['-d', '--role', 'User-Role', '--force', ...daemon], { env })
  await running.seen(/-{54}/)
  await Bun.sleep(200)
  const { stdout, stderr } = await place.run(['docker-args', ...args], { env })
  const words = stdout.trim().split(' ')
  const got = await client(words)
  running.child.kill('SIGTERM')
  const { code } = await running.done
  return { words, said: stderr, got, code }
}

const recipes: Readonly<Record<string, Recipe>> = {
  bridge: { daemon: ['--allow-from', '172.17.0.0/16'] },
  refused: { daemon: [] },
  'bridge address': { daemon: ['--listen', '172.17.0.1:9911', '--allow-from', '172.17.0.0/16'] },
  host: { daemon: ['--listen', '127.0.0.1:9911'] },
  'host, with a token': { daemon: ['--listen', '127.0.0.1:0', '--container-endpoint', '127.0.0.1:9912'] },
  'bridge, with a token': {
    daemon: [
      ...['--listen', '127.0.0.1:0', '--container-endpoint', '169.254.170.2:9912'],
      ...['--allow-from', '172.17.0.0/16'],
    ],
  },
}

const results: Record<string, object> = {}
try {
  for (const [name, recipe] of Object.entries(recipes)) {
    // docker-args knows nothing of a metadata service on a port of its own.
    const args = recipe.daemon.includes('127.0.0.1:0') ? recipe.daemon.slice(2) : recipe.daemon
    results[name] = await tryOut({ ...recipe, args })
  }
} finally {
  await place.stop()
}
process.stdout.write(`${JSON.stringify(results)}\n`)
process.exit(0)
