/**
 * Second factors of Akamai's portal: codes by app, SMS and e-mail, and Duo in its classic frame.
 */
import { askJson, listAt, textAt, type JsonAnswer } from './api-json.ts'
import { personFor, typeCodes } from './api-secret.ts'
import { codeOfText, formFailure } from './form-failure.ts'
import { readMemory } from './form-memory.ts'
import { clean } from './form-text.ts'
import { hide } from './form-walk.ts'
import { chooseMethod, type Method } from './mfa-choice.ts'
import { hasCode } from './mfa-code.ts'
import { signedAnswer } from './mfa-duo-frame.ts'
import { isGood, saidBy, wordsOf, type Portal } from './provider-akamai-api.ts'

interface Factor {
  /** As the portal calls it. */
  readonly kind: string
  readonly way: 'code' | 'sent' | 'duo' | 'browser'
  readonly label: string
  /** What the portal knows of this device. */
  readonly device: unknown
}

/** To the end of the second factor; the session knows of it then. */
export async function passAkamaiFactor(portal: Portal): Promise<void> {
  const { walk, host, origin } = portal
  personFor(walk, host)
  const factor = await choose(portal)
  if (factor.way === 'duo') return duo(portal, factor)
  const uuid = textAt(factor.device, 'uuid')
  const base = `/api/v1/mfa/user/${factor.kind === 'sms' ? 'phone' : factor.kind}/token`
  if (factor.way === 'sent') {
    const begun = await post(portal, `${base}/push`, { force: false, uuid })
    if (!isGood(begun)) throw formFailure('idp-error', `${host} could not send the code${saidBy(begun)}`)
  }
  await typeCodes(walk, new URL(`${base}/verify`, origin), { label: factor.label }, async token => {
    const answer = await post(portal, `${base}/verify`, { category: factor.kind, uuid, token })
    if (isGood(answer)) return { done: true }
    const code = codeOfText(saidBy(answer))
    if (code === 'account-locked' || code === 'account-disabled') {
      throw formFailure(code, `${host} refused the one-time code${saidBy(answer)}`)
    }
    return { refused: wordsOf(answer) }
  })
}

async function duo(portal: Portal, { device }: Factor): Promise<void> {
  const { walk, origin, host } = portal
  const request = hide(walk, textAt(device, 'token'))
  const answer = await signedAnswer(walk.context, `${origin}/#/token`, { host: textAt(device, 'duo_host'), request })
  const body = { category: 'duo', uuid: 'duo', sig_request: request, sig_response: hide(walk, answer) }
  const result = await post(portal, '/api/v1/mfa/user/duo/token/verify', body)
  if (!isGood(result)) throw formFailure('mfa-refused', `${host} refused the answer of Duo${saidBy(result)}`)
}

function post({ walk, origin, headers }: Portal, path: string, body: unknown): Promise<JsonAnswer> {
  return askJson(walk.context, { url: `${origin}${path}`, headers, body, sensitive: true })
}

/** The one that the person prefers at Akamai, unless something else is wished for or was chosen before. */
async function choose({ walk, origin, host, headers }: Portal): Promise<Factor> {
  const { context } = walk
  const config = await askJson(context, { url: `${origin}/api/v1/config/mfa`, headers })
  const { body } = await askJson(context, { url: `${origin}/api/v1/mfa/token/settings`, headers })
  const factors = listAt(config.body, 'mfa', 'config', 'options').flatMap(kind =>
    typeof kind === 'string' ? factorsOf(kind, listAt(body, 'mfa', 'settings', kind)) : [],
  )
  const usable = factors.filter(({ way }) => way !== 'browser')
  const labels = factors.map(({ label }) => label).join(', ') || 'none that is known'
  const unsupported = formFailure('mfa-unsupported', `${host} wants a second factor: ${labels}`)
  if (usable.length === 0) throw unsupported
  const open =
    context.settings.mfaMethod !== undefined ||
    hasCode(context) ||
    readMemory(context.store).choices[`${host} second factor`] !== undefined
  const usual = textAt(body, 'mfa', 'settings', 'preferred', 'option')
  const preferred = usable.filter(({ kind }) => kind === usual)
  const alone = usable.length === 1 ? usable : factors
  const offered = open ? factors : preferred.length > 0 ? preferred : alone
  const methods = offered.map((value): Method<Factor> => ({
    value,
    label: value.label,
    names: [value.kind, { code: 'passcode', sent: value.kind, duo: 'push', browser: value.kind }[value.way]],
    code: value.way === 'code',
  }))
  const chosen = await chooseMethod(context, host, methods)
  if (chosen.way === 'browser') throw unsupported
  return chosen
}

const ways = new Map<string, readonly [Factor['way'], string]>([
  ['totp', ['code', 'code of an app']],
  ['sms', ['sent', 'code by SMS']],
  ['email', ['sent', 'code by e-mail']],
  ['duo', ['duo', 'Duo']],
])

/** A kind may be offered by the portal without a device of this person. */
function factorsOf(kind: string, devices: readonly unknown[]): Factor[] {
  const [way, label] = ways.get(kind) ?? ['browser', `${clean(kind, 40)} (needs a browser)`]
  if (way === 'browser') return [{ kind, way, label, device: undefined }]
  return devices.map((device, index) => ({
    kind,
    way,
    label: devices.length === 1 ? label : `${label}, ${index + 1}`,
    device,
  }))
}
