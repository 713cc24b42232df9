/**
 * Signing in with a code on any device (RFC 8628, as IAM Identity Center has it): nothing has to come back to this machine.
 */
import { at, textAt } from './api-json.ts'
import { failure } from './errors.ts'
import { keepSecret } from './log.ts'
import type { ProviderContext } from './provider.ts'
import { askSso } from './sso-call.ts'
import type { SsoToken } from './sso-cache.ts'
import type { Portal } from './sso-portal.ts'
import { createToken, refusedPortal, refusedToken, registerClient } from './sso-token.ts'

const grantType = 'urn:ietf:params:oauth:grant-type:device_code'

/** Shows the code and waits until it is confirmed. Fails with `refused` where it is not, or not in time. */
export async function signInWithDevice(context: ProviderContext, portal: Portal): Promise<SsoToken> {
  const { clock, ask, signal } = context
  const registration = await registerClient(context, portal, {})
  const { clientId, clientSecret } = registration
  const url = `${portal.oidcUrl}/device_authorization`
  const answer = await askSso(context, { url, body: { clientId, clientSecret, startUrl: portal.startUrl } })
  if (answer.refused !== undefined) throw refusedPortal(url, portal, answer)
  const [deviceCode, userCode] = [textAt(answer.body, 'deviceCode'), textAt(answer.body, 'userCode')]
  keepSecret(deviceCode)
  const page = textAt(answer.body, 'verificationUriComplete') || textAt(answer.body, 'verificationUri')
  ask.tell(`open ${page} in any browser, and confirm the code ${userCode}`)
  const end = clock.elapsed() + (Number(at(answer.body, 'expiresIn')) || 600) * 1000
  let seconds = Math.min(Math.max(Number(at(answer.body, 'interval')) || 5, 1), 60)
  while (clock.elapsed() < end) {
    await clock.sleep(seconds * 1000, signal)
    signal.throwIfAborted()
    const token = await createToken(context, portal, registration, { grantType, deviceCode })
    if (!('refused' in token)) return token
    // RFC 8628, section 3.5.
    if (token.refused === 'SlowDown') seconds += 5
    else if (token.refused !== 'AuthorizationPending') throw refusedToken(portal, token)
  }
  throw failure('refused', `the code ${userCode} was not confirmed in time`, {
    hint: 'cloudtoken',
    code: 'sso-expired',
  })
}
