/**
 * What the sign-in engine costs by itself: processor time of the whole program through five pages, over the same program with
 * a response that was given. Waiting for the identity provider takes none; the best of many runs is the one that
 * nothing else disturbed.
 */
import { Buffer } from 'node:buffer'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import process from 'node:process'
import { assertionOf } from './demo-idp.ts'
import { listen, readForm } from './demo-http.ts'

const rounds = 40
const person = { password: 'correct horse', roles: ['arn:aws:iam::123456789012:role/bench'] }
const answers = { user: 'alice', password: person.password, code: '246810', accept: 'yes' }
/** What stands around the form: 100 elements and 5 kB of script, as on the larger log-in pages. */
const menu = '<li class="nav-item"><a href="/help">Help &amp; contact</a></li>'.repeat(50)
const script =
  'function show(id) { var found = document.getElementById(id); if (found) { found.hidden = false; } }\n'.repeat(50)
const theme = `<ul>${menu}</ul><script>${script}</script>`

/** Milliseconds of processor time. */
export interface SignInTimes {
  readonly signIn: number
  readonly given: number
}

export async function signInTimes(program: string, folder: string): Promise<SignInTimes> {
  const server = createServer((request, response) => void answer(request, response))
  const { origin, stop } = await listen(server)
  const file = join(folder, 'response-bench')
  const xml = assertionOf(origin, answers.user, person)
  writeFileSync(file, Buffer.from(xml).toString('base64'), { mode: 0o600 })
  const common = ['--list', '--no-input']
  const words = ['--provider', 'form', '--url', `${origin}/user`, '-u', answers.user, '--mfa-code', answers.code]
  const env = { HOME: folder, CLOUDTOKEN_PASSWORD: person.password, CLOUDTOKEN_SKIP_KEYRING: 'true' }
  let [signIn, given] = [Infinity, Infinity]
  try {
    for (let round = 0; round < rounds; round += 1) {
      signIn = Math.min(signIn, await processorTime([program, ...common, ...words, '--consent', 'accept'], env))
      given = Math.min(given, await processorTime([program, ...common, '--saml-response', file], env))
    }
  } finally {
    await stop()
  }
  return { signIn, given }
}

const pages = ['user', 'password', 'code', 'accept', 'response'] as const

/** Each page asks for one thing and leads to the next; none is left out for who was here before. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const at = pages.findIndex(page => request.url === `/${page}`)
  const before = pages[at - 1]
  const form = request.method === 'POST' ? await readForm(request) : undefined
  const fits = before === undefined || before === 'response' || form?.get(before) === answers[before]
  if (at < 0 || !fits) return void response.writeHead(400).end('not what was asked for')
  response.setHeader('set-cookie', `step${at}=${at}; Path=/; HttpOnly`)
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' })
  response.end(`<!DOCTYPE html><html><head><title>Sign in</title></head><body>${theme}${formOf(at)}</body></html>`)
}

function formOf(at: number): string {
  const next = `method="post" action="/${pages[at + 1]}"`
  switch (pages[at]) {
    case 'user':
      return `<form ${next}><input name="user" autocomplete="username"><button>Next</button></form>`
    case 'password':
      return `<form ${next}><input type="password" name="password"><button>Sign in</button></form>`
    case 'code':
      return `<form ${next}><label>Code <input name="code" autocomplete="one-time-code"></label><button>Verify</button></form>`
    case 'accept':
      return `<form ${next}><h1>Terms of use</h1><p>Do you accept the terms of use?</p><button name="accept" value="yes">Accept</button><button name="decline" value="no">Decline</button></form>`
    default: {
      const saml = Buffer.from(assertionOf('http://127.0.0.1', answers.user, person)).toString('base64')
      return `<form method="post" action="https://signin.aws.amazon.com/saml"><input type="hidden" name="SAMLResponse" value="${saml}"><button>Go on</button></form>`
    }
  }
}

async function processorTime(command: string[], env: Readonly<Record<string, string>>): Promise<number> {
  const child = Bun.spawn(command, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [output, errors, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (code !== 0 || !output.includes('role/bench')) throw new Error(`${command[0]} ended with ${code}: ${errors}`)
  return Number(child.resourceUsage()?.cpuTime.total ?? Number.NaN) / 1000
}
