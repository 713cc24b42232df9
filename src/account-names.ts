/**
 * Names of accounts, from the page where AWS lets people choose a role. Nice to have: AWS changes that page as it
 * likes, so whatever goes wrong here, account ids are shown and nobody waits.
 */
import { isAwsSignIn, type Partition, signInOrigin } from './arn.ts'
import { messageOf } from './errors.ts'
import type { Http } from './http.ts'
import type { Log } from './log.ts'

export interface FetchAccountNames {
  readonly http: Http
  /** `SamlResponse.response`. Showing it here does not use it up for STS. */
  readonly response: string
  /** `SamlResponse.destination`; the partition's own page where that is missing. */
  readonly acsUrl?: string | undefined
  readonly partition: Partition
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: Pick<Log, 'debug'>
  /** How long the menu may wait; the assertion lives five minutes. */
  readonly timeoutMs?: number
}

const maxLength = 8_000_000

/** Account id to alias; empty when it did not work. Never rejects. Ask only when a menu is about to be shown. */
export async function fetchAccountNames(options: FetchAccountNames): Promise<Map<string, string>> {
  const { http, response, log, timeoutMs = 4000 } = options
  const { promise: expired, resolve: expire } = Promise.withResolvers<undefined>()
  const timer = setTimeout(expire, timeoutMs, undefined)
  try {
    const request = http.request({
      url: pageUrl(options),
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ SAMLResponse: response, RelayState: '' }).toString(),
      sensitive: true,
    })
    const page = await Promise.race([request, expired])
    if (!page) log.debug(`no account names: no answer within ${timeoutMs} ms`)
    else if (page.status !== 200) log.debug(`no account names: HTTP ${page.status}`)
    else return await readAccountNames(page.text)
  } catch (error) {
    log.debug(`no account names: ${messageOf(error)}`)
  } finally {
    clearTimeout(timer)
  }
  return new Map()
}

/** Never anywhere but to AWS, or to the address that AWS_ENDPOINT_URL_SIGNIN puts in its place. */
function pageUrl({ acsUrl, partition, env }: FetchAccountNames): string {
  const page = new URL(acsUrl && isAwsSignIn(acsUrl) ? acsUrl : '/saml', signInOrigin(partition))
  const override = env['AWS_ENDPOINT_URL_SIGNIN']
  return override ? new URL(page.pathname + page.search, override).href : page.href
}

/** Account id to alias, for the accounts that have one. Rejects for nothing that a page may hold. */
export async function readAccountNames(html: string): Promise<Map<string, string>> {
  const names = new Map<string, string>()
  if (html.length > maxLength || !/saml-account-name|roles_accounts|<meta/i.test(html)) return names
  try {
    const { parseHTML } = await import('linkedom')
    const { document } = parseHTML(html)
    const labels = [...document.querySelectorAll('.saml-account-name')].map(element => element.textContent ?? '')
    const data = [...document.querySelectorAll('meta[name="data"]')].map(
      element => element.getAttribute('content') ?? '',
    )
    for (const label of [...labels, ...data.flatMap(readData)]) {
      const [id, alias] = splitLabel(label)
      if (id && alias) names.set(id, alias)
    }
  } catch {
    // No page, or one that the parser chokes on: the ids will do.
  }
  return names
}

/** The page of 2023 carries its data as JSON in base64; the keys of `roles_accounts` are the labels. */
function readData(content: string): string[] {
  try {
    const bytes = Uint8Array.from(atob(content.replace(/\s+/g, '')), character => character.charCodeAt(0))
    const data: unknown = JSON.parse(new TextDecoder().decode(bytes))
    const accounts = typeof data === 'object' && data !== null && 'roles_accounts' in data && data.roles_accounts
    return typeof accounts === 'object' && accounts !== null ? Object.keys(accounts) : []
  } catch {
    return []
  }
}

/** `Account: alias (123456789012)`, the word in front not always there. The alias may hold parentheses itself. */
function splitLabel(label: string): [id: string, alias: string] | [] {
  const line = label.replace(/[\s\p{Control}\p{Format}]+/gu, ' ').trim()
  const open = line.lastIndexOf('(')
  const id = /^\(\s*(\d+)\s*\)$/.exec(open < 0 ? '' : line.slice(open))?.[1]
  return id
    ? [
        id,
        line
          .slice(0, open)
          .replace(/^[^:(]*:/, '')
          .trim()
          .slice(0, 100),
      ]
    : []
}
