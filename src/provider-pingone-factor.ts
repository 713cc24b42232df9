/**
 * Second factors of PingOne's flows: devices to choose from, codes, pushes.
 */
import { listAt, textAt } from './api-json.ts'
import { personFor, pushFollows, typeCodes } from './api-secret.ts'
import { formFailure } from './form-failure.ts'
import { clean } from './form-text.ts'
import { chooseUsable, methodsNamed, wishedMethod, type Method } from './mfa-choice.ts'
import { awaitApproval, type Poll } from './mfa-push.ts'
import { act, offers, readFlow, refusedBy, saidBy, stoppedBy, tryAction, type Flow } from './provider-pingone-flow.ts'

interface Device {
  readonly id: string
  readonly way: 'push' | 'code' | 'browser'
  readonly label: string
  /** Nickname, number or model; empty where the flow says nothing of it. */
  readonly about: string
  readonly names: readonly string[]
}

const pollMs = 2000

/** Answers with the state after the factor, or after the choice of one. */
export async function passFactor(flow: Flow, answer: unknown): Promise<unknown> {
  const { walk, url } = flow
  const status = textAt(answer, 'status')
  if (status === 'PUSH_CONFIRMATION_REQUIRED' && walk.last === 'password') pushFollows(walk, url.host)
  personFor(walk, url.host)
  const devices = listAt(answer, '_embedded', 'devices').map(deviceOf)
  const selected = devices.find(({ id }) => id === textAt(answer, 'selectedDevice', 'id'))
  if (status === 'DEVICE_SELECTION_REQUIRED') return select(flow, await choose(flow, devices))
  const other = otherDevice(flow, answer, devices, selected)
  if (other) return select(flow, other)
  if (status === 'ASSERTION_REQUIRED') return select(flow, await insteadOfKey(flow, answer, devices))
  if (status === 'PUSH_CONFIRMATION_REQUIRED') return push(flow, selected)
  const label = selected?.label ?? 'One-time code'
  return typeCodes(walk, url, { label }, async otp => {
    const result = await tryAction(flow, 'otp.check', { otp })
    if (result.status < 400) return { done: result.body }
    // A code that is only wrong; whatever else it may be ends the sign-in.
    const mistyped = listAt(result.body, 'details').some(detail => textAt(detail, 'target') === 'otp')
    if (!mistyped) throw refusedBy(flow, result)
    return { refused: saidBy(result.body) }
  })
}

async function push(flow: Flow, device: Device | undefined): Promise<unknown> {
  const { walk, url } = flow
  walk.last = 'code'
  const what = device?.about ? `the push on ${device.about}` : 'the push'
  return awaitApproval(
    walk.context,
    { host: url.host, what, first: { message: `approve ${what}` }, intervalMs: pollMs },
    async (): Promise<Poll<unknown>> => {
      const answer = await readFlow(flow)
      const status = textAt(answer, 'status')
      if (status === 'PUSH_CONFIRMATION_REQUIRED') return {}
      if (status === 'FAILED' || status === 'PUSH_CONFIRMATION_TIMED_OUT') throw stoppedBy(flow, answer)
      return { done: answer }
    },
  )
}

function select(flow: Flow, { id }: Device): Promise<unknown> {
  flow.walk.pressed.add(stepOf(flow))
  return act(flow, 'device.select', { device: { id } })
}

/** One choice is enough: where it leads back to a choice, something is wrong with the device. */
function stepOf({ url }: Flow): string {
  return `${url.host} device`
}

async function choose(flow: Flow, devices: readonly Device[]): Promise<Device> {
  const { walk, url } = flow
  if (walk.pressed.has(stepOf(flow))) throw formFailure('mfa-refused', `${url.host} asks for the device again`)
  const isUsable = ({ way }: Device): boolean => way !== 'browser'
  return chooseUsable(walk.context, url.host, methodsOf(devices), isUsable, 'one to be set up first')
}

function methodsOf(devices: readonly Device[]): Method<Device>[] {
  return devices.map(value => ({
    value,
    label: value.label,
    names: value.names,
    code: value.way === 'code',
  }))
}

/** The one that `--mfa-method` names, where the flow has begun with another. */
function otherDevice(
  flow: Flow,
  answer: unknown,
  devices: readonly Device[],
  selected: Device | undefined,
): Device | undefined {
  const wish = wishedMethod(flow.walk.context)
  if (wish === undefined || !offers(answer, 'device.select') || flow.walk.pressed.has(stepOf(flow))) return undefined
  const named = methodsNamed(methodsOf(devices), wish).map(({ value }) => value)
  return named.some(({ id }) => id === selected?.id) ? undefined : named.find(({ way }) => way !== 'browser')
}

/** A security key is first in line, and another device may be taken. */
async function insteadOfKey(flow: Flow, answer: unknown, devices: readonly Device[]): Promise<Device> {
  if (offers(answer, 'device.select')) return choose(flow, devices)
  throw formFailure('mfa-unsupported', `${flow.url.host} wants a security key or passkey, which needs a browser`)
}

type Kind = readonly [way: Device['way'], label: string, ...names: string[]]
const kinds = new Map<string, Kind>([
  ['MOBILE', ['push', 'push', 'push', 'mobile']],
  ['SMS', ['code', 'code by SMS', 'sms']],
  ['VOICE', ['code', 'code by phone call', 'call', 'voice']],
  ['EMAIL', ['code', 'code by e-mail', 'email']],
  ['WHATSAPP', ['code', 'code by WhatsApp', 'whatsapp']],
  ['TOTP', ['code', 'code of an app', 'totp', 'passcode']],
  ['OATH_TOKEN', ['code', 'code of a token', 'token', 'passcode']],
])

function deviceOf(device: unknown): Device {
  const type = textAt(device, 'type')
  const [way, kind, ...names] = kinds.get(type) ?? ['browser', `${clean(type, 40)} (needs a browser)`]
  const name = ['nickname', 'name', 'phone', 'email'].map(key => clean(textAt(device, key), 60)).find(Boolean)
  const model = clean(textAt(device, 'model', 'marketingName') || textAt(device, 'model', 'name'), 60)
  const about = name ?? model
  const id = textAt(device, 'id')
  const label = about === '' ? kind : `${kind}: ${about}`
  return { id, way, label, about, names: [id, ...names, about].filter(Boolean) }
}
