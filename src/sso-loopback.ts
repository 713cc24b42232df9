/**
 * Where the browser comes back to after a sign-in: one address on loopback, for one answer (RFC 8252, section 7.3).
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { failure } from './errors.ts'

const callbackPath = '/oauth/callback'

/** What a client is registered with; the port may differ with each sign-in. */
export const registeredRedirect: string = `http://127.0.0.1${callbackPath}`

export interface Loopback {
  readonly redirectUri: string
  /** What the page answered; only an answer with our own `state` counts. Rejects with `refused` where it is an error. */
  readonly code: Promise<string>
  close(): void
}

export async function openLoopback(state: string): Promise<Loopback> {
  const { promise: code, resolve, reject } = Promise.withResolvers<string>()
  code.catch(() => {})
  const server = createServer((request, response) => {
    const answer = readAnswer(request, host(), state)
    if (answer.code !== undefined) resolve(answer.code)
    if (answer.error !== undefined) {
      const message = `IAM Identity Center refused the sign-in: ${answer.error}`
      reject(failure('refused', message, { hint: 'cloudtoken --device-code', code: 'sso-denied' }))
    }
    respond(response, answer.status, answer.text)
  })
  const host = (): string => {
    const address = server.address()
    return `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  }
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(0, '127.0.0.1', listening)
  })
  return {
    redirectUri: `http://${host()}${callbackPath}`,
    code,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly code?: string
  readonly error?: string
}

/** Anybody on this machine may call; a page of somebody else may send a browser here. */
function readAnswer({ method, url = '', headers }: IncomingMessage, host: string, state: string): Answer {
  const target = URL.canParse(url, `http://${host}`) ? new URL(url, `http://${host}`) : undefined
  if (method !== 'GET' || headers.host !== host || target?.pathname !== callbackPath)
    return { status: 404, text: 'There is nothing here.' }
  const given = (name: string): string | undefined => target.searchParams.get(name) ?? undefined
  const [code, error] = [given('code'), given('error')]
  if (given('state') !== state || (code === undefined && error === undefined))
    return { status: 400, text: 'This is not the answer to the sign-in that cloudtoken has begun.' }
  if (error !== undefined)
    return { status: 200, text: 'The sign-in was refused.', error: plain(given('error_description') ?? error) }
  return { status: 200, text: 'You are signed in. You can close this window.', ...(code !== undefined && { code }) }
}

function respond(response: ServerResponse, status: number, text: string): void {
  const page = `<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>cloudtoken</title>\n<p>${text}\n</html>\n`
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    connection: 'close',
  })
  response.end(page)
}

/** It came over an address, so whoever wrote it: one line of letters for the terminal. */
function plain(text: string): string {
  return text.replace(/[^\p{L}\p{N}\p{P}\p{S} ]+/gu, ' ').slice(0, 200)
}
