/**
 * Second factors of Entra ID: begun, asked about or given a code, then handed to the page.
 */
import { addressOf, askJson, at, formOf, listAt, textAt } from './api-json.ts'
import { personFor, typeCodes } from './api-secret.ts'
import { formFailure } from './form-failure.ts'
import { readMemory } from './form-memory.ts'
import { clean } from './form-text.ts'
import { hide, type Walk } from './form-walk.ts'
import type { HttpRequest } from './http.ts'
import type { Page } from './html.ts'
import { chooseMethod, type Method } from './mfa-choice.ts'
import { hasCode } from './mfa-code.ts'
import { awaitApproval, type Poll } from './mfa-push.ts'
import { flowToken } from './provider-entra-config.ts'

interface Proof {
  readonly id: string
  readonly way: 'push' | 'call' | 'code' | 'browser'
  readonly label: string
  readonly usual: boolean
}

const retry = '500121'

export async function answerEntraFactor(walk: Walk, page: Page, config: unknown): Promise<HttpRequest> {
  const { host } = new URL(page.url)
  personFor(walk, host)
  const proof = await choose(walk, host, config)
  if (proof.way === 'browser') throw formFailure('mfa-unsupported', `${host}: ${proof.label} needs a browser`)
  const begun = await ask(walk, page, textAt(config, 'urlBeginAuth'), {
    AuthMethodId: proof.id,
    Method: 'BeginAuth',
    Ctx: textAt(config, 'sCtx'),
    FlowToken: textAt(config, 'sFT'),
  })
  if (at(begun, 'Success') !== true) throw refused(host, proof, begun)
  const end = createEnd(walk, page, config, proof, begun)
  const ended =
    proof.way === 'code' ? await code(walk, page, proof, end) : await approval(walk, host, config, proof, begun, end)
  return formOf(page, textAt(config, 'urlPost'), {
    ...flowToken(config, textAt(ended, 'FlowToken')),
    request: textAt(ended, 'Ctx'),
    login: textAt(config, 'sPOST_Username'),
    mfaAuthMethod: proof.id,
    canary: textAt(config, 'canary'),
    hpgrequestid: textAt(config, 'sessionId'),
  })
}

type End = (code?: string) => Promise<unknown>

/** Each answer carries the tokens of the next question. */
function createEnd(walk: Walk, page: Page, config: unknown, { id }: Proof, begun: unknown): End {
  let last = begun
  return async given => {
    const answer = await ask(walk, page, textAt(config, 'urlEndAuth'), {
      AuthMethodId: id,
      Method: 'EndAuth',
      Ctx: textAt(last, 'Ctx'),
      FlowToken: textAt(last, 'FlowToken'),
      SessionId: textAt(last, 'SessionId') || textAt(begun, 'SessionId'),
      ...(given !== undefined && { AdditionalAuthData: given }),
    })
    if (textAt(answer, 'FlowToken')) last = answer
    return answer
  }
}

async function code(walk: Walk, page: Page, proof: Proof, end: End): Promise<unknown> {
  const { host } = new URL(page.url)
  return typeCodes(walk, new URL(page.url), { label: proof.label }, async given => {
    const answer = await end(given)
    if (at(answer, 'Success') === true) return { done: answer }
    if (at(answer, 'Retry') !== true && textAt(answer, 'ErrCode') !== retry) throw refused(host, proof, answer)
    return { refused: clean(textAt(answer, 'Message'), 200) }
  })
}

async function approval(
  walk: Walk,
  host: string,
  config: unknown,
  proof: Proof,
  begun: unknown,
  end: End,
): Promise<unknown> {
  const entropy = textAt(begun, 'Entropy')
  const first = {
    message: proof.way === 'call' ? `answer the call: ${proof.label}` : `approve the sign-in: ${proof.label}`,
    number: entropy === '0' ? '' : entropy,
  }
  const seconds = Number(textAt(config, 'oPerAuthPollingInterval', proof.id)) || 1
  const wait = { host, what: 'the sign-in', first, intervalMs: seconds * 1000 }
  return awaitApproval(walk.context, wait, async (): Promise<Poll<unknown>> => {
    const answer = await end()
    if (at(answer, 'Success') === true) return { done: answer }
    if (at(answer, 'Retry') !== true) throw refused(host, proof, answer)
    return {}
  })
}

/** The page's default, unless something else is wished for or was chosen before. */
async function choose(walk: Walk, host: string, config: unknown): Promise<Proof> {
  const { context } = walk
  const proofs = listAt(config, 'arrUserProofs').map(proofOf)
  const usable = proofs.filter(({ way }) => way !== 'browser')
  if (usable.length === 0) {
    const labels = proofs.map(({ label }) => label).join(', ') || 'none that is known'
    throw formFailure('mfa-unsupported', `${host} wants a second factor that needs a browser: ${labels}`)
  }
  const open =
    context.settings.mfaMethod !== undefined ||
    hasCode(context) ||
    readMemory(context.store).choices[`${host} second factor`] !== undefined
  const usual = usable.find(proof => proof.usual)
  if (usual && !open) return usual
  const methods = (usable.length === 1 && !open ? usable : proofs).map((value): Method<Proof> => ({
    value,
    label: value.label,
    names: [value.id, value.way === 'code' ? 'passcode' : value.way],
    code: value.way === 'code',
  }))
  return chooseMethod(context, host, methods)
}

const ways = new Map<string, readonly [Proof['way'], string]>([
  ['PhoneAppNotification', ['push', 'Authenticator app']],
  ['CompanionAppsNotification', ['push', 'Outlook app']],
  ['PhoneAppOTP', ['code', 'code of the Authenticator app']],
  ['OneWaySMS', ['code', 'code by SMS']],
  ['ConsolidatedTelephony', ['code', 'code by SMS']],
  ['TwoWayVoiceMobile', ['call', 'phone call']],
  ['TwoWayVoiceAlternateMobile', ['call', 'phone call']],
  ['TwoWayVoiceOffice', ['call', 'call to the office phone']],
  ['FidoKey', ['browser', 'security key or passkey']],
])

function proofOf(entry: unknown): Proof {
  const id = textAt(entry, 'authMethodId')
  const [way, label] = ways.get(id) ?? ['browser', clean(id, 40)]
  const display = clean(textAt(entry, 'display'), 60)
  return { id, way, label: display ? `${label}: ${display}` : label, usual: at(entry, 'isDefault') === true }
}

async function ask(walk: Walk, page: Page, address: string, body: Readonly<Record<string, string>>): Promise<unknown> {
  const request = { url: addressOf(page, address), headers: { referer: page.url }, body, sensitive: true }
  const { body: answer } = await askJson(walk.context, request)
  for (const name of ['FlowToken', 'Ctx']) if (textAt(answer, name)) hide(walk, textAt(answer, name))
  return answer
}

function refused(host: string, { label }: Proof, answer: unknown): Error {
  const words = [textAt(answer, 'ResultValue'), textAt(answer, 'Message')].filter(Boolean).join(': ')
  const said = words && ` (${clean(words, 200)})`
  if (/NoResponse|Timeout|TimedOut/i.test(words)) {
    return formFailure('mfa-timeout', `${host}: nobody answered (${label})${said}`)
  }
  return formFailure('mfa-refused', `${host} refused the second factor (${label})${said}`)
}
