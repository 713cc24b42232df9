/**
 * Signing in at the page of IAM Identity Center in the person's browser: authorization code with PKCE (RFC 7636).
 */
import { createHash, randomBytes } from 'node:crypto'
import { failure } from './errors.ts'
import { keepSecret } from './log.ts'
import { openPage, type OpenPage } from './open-page.ts'
import type { ProviderContext } from './provider.ts'
import type { SsoToken } from './sso-cache.ts'
import { openLoopback, registeredRedirect } from './sso-loopback.ts'
import type { Portal } from './sso-portal.ts'
import { createToken, refusedToken, registerClient, scopes } from './sso-token.ts'

export type Machine = Pick<OpenPage, 'platform' | 'env' | 'run'>

/** Fails with code `browser-missing` where there is no browser to open, `sso-timeout` where nobody signs in. */
export async function signInWithBrowser(context: ProviderContext, portal: Portal, machine: Machine): Promise<SsoToken> {
  const [state, codeVerifier] = [randomBytes(24).toString('base64url'), randomBytes(48).toString('base64url')]
  keepSecret(codeVerifier)
  const loopback = await openLoopback(state)
  try {
    const { redirectUri } = loopback
    const grants = ['authorization_code', 'refresh_token']
    const registration = await registerClient(context, portal, {
      grantTypes: grants,
      redirectUris: [registeredRedirect],
      issuerUrl: portal.startUrl,
    })
    const page = new URL(`${portal.oidcUrl}/authorize`)
    page.search = new URLSearchParams({
      response_type: 'code',
      client_id: registration.clientId,
      redirect_uri: redirectUri,
      state,
      code_challenge_method: 'S256',
      // Not `scope`, as the standard has it: the service reads this one.
      scopes: scopes.join(' '),
      code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    }).toString()
    const code = await answerOf(context, page.href, machine, loopback.code)
    keepSecret(code)
    const grant = { grantType: 'authorization_code', code, redirectUri, codeVerifier }
    const token = await createToken(context, portal, registration, grant)
    if ('refused' in token) throw refusedToken(portal, token)
    return token
  } finally {
    loopback.close()
  }
}

/** Is there a screen, and is it the person's? Over ssh a browser would open somewhere else. */
export function hasBrowser({ platform, env }: Pick<Machine, 'platform' | 'env'>): boolean {
  if (env['SSH_CONNECTION'] || env['SSH_TTY']) return false
  if (platform === 'darwin' || platform === 'win32') return true
  return Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY'] || env['WSL_DISTRO_NAME'])
}

async function answerOf(
  context: ProviderContext,
  url: string,
  machine: Machine,
  code: Promise<string>,
): Promise<string> {
  const { settings, ask, clock, signal, store } = context
  const folder = store.pathOf?.('page')
  if (folder === undefined) throw failure('unexpected', 'there is no folder for a private file')
  const ending = new AbortController()
  const end = (): void => ending.abort()
  signal.addEventListener('abort', end, { once: true })
  ask.tell(`sign in at IAM Identity Center in the browser; where no window opens: ${url}`)
  const { platform, env, run } = machine
  const opening = openPage({
    url,
    folder,
    title: 'IAM Identity Center',
    platform,
    env,
    run,
    clock,
    signal: ending.signal,
  })
  const limit = settings.browserTimeout
  const late = async (): Promise<never> => {
    await clock.sleep(limit * 1000, ending.signal)
    signal.throwIfAborted()
    throw failure('person', `nobody signed in within ${limit} seconds`, {
      hint: '--browser-timeout SECONDS; or with a code on any device: cloudtoken --device-code',
      code: 'sso-timeout',
    })
  }
  try {
    // A browser that was opened says nothing; only one that is missing ends the wait.
    const missing = opening.then(() => new Promise<never>(() => {}))
    return await Promise.race([code, missing, late()])
  } finally {
    end()
    signal.removeEventListener('abort', end)
    // Some browsers end only when the person closes them; what they were given is swept up the next time.
    await Promise.race([opening.catch(() => {}), clock.sleep(1000)])
  }
}
