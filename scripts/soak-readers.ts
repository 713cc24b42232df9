/**
 * Clients that read credentials all the time, and what they must never see.
 */
import { setTimeout as delay } from 'node:timers/promises'

export interface Seen {
  reads: number
  /** Different sets. */
  sets: number
  expired: number
  /** Parts of two sets in one answer. */
  torn: number
  /** Answers of another status than 200, or with another Code than Success. */
  refused: number
  broken: number
  /** Milliseconds. */
  p99: number
  first?: string
}

/** `count` readers until the signal aborts. */
export async function read(base: string, count: number, signal: AbortSignal): Promise<Seen> {
  const folder = `${base}/latest/meta-data/iam/security-credentials/`
  const sets = new Map<string, string>()
  const times: number[] = []
  const seen: Seen = { reads: 0, sets: 0, expired: 0, torn: 0, refused: 0, broken: 0, p99: 0 }
  const bad = (kind: 'expired' | 'torn' | 'refused' | 'broken', text: string): void => {
    seen[kind] += 1
    seen.first ??= `${kind}: ${text}`
  }

  async function get(url: string, init: RequestInit = {}): Promise<string | undefined> {
    const begin = performance.now()
    const response = await fetch(url, init)
    const text = await response.text()
    times.push(performance.now() - begin)
    seen.reads += 1
    if (response.status !== 200) bad('refused', `${response.status} from ${url}`)
    return response.status === 200 ? text : undefined
  }

  async function turn(): Promise<void> {
    const ttl = { 'x-aws-ec2-metadata-token-ttl-seconds': '60' }
    const token =
      Math.random() < 0.5 ? await get(`${base}/latest/api/token`, { method: 'PUT', headers: ttl }) : undefined
    const headers = token === undefined ? {} : { 'x-aws-ec2-metadata-token': token }
    const role = await get(folder, { headers })
    const text = role && (await get(`${folder}${role}`, { headers }))
    if (!text) return
    const set = JSON.parse(text) as Record<string, string>
    if (set['Code'] !== 'Success') return bad('refused', text)
    const { AccessKeyId: key = '', SecretAccessKey, Token, Expiration = '' } = set
    if (Date.parse(Expiration) <= Date.now()) bad('expired', `${key} ended at ${Expiration}`)
    const rest = JSON.stringify([SecretAccessKey, Token, Expiration])
    if ((sets.get(key) ?? rest) !== rest) bad('torn', key)
    sets.set(key, rest)
  }

  async function reader(): Promise<void> {
    while (!signal.aborted) {
      await turn().catch((error: unknown) => bad('broken', String(error)))
      await delay(20 + Math.random() * 60)
    }
  }

  await Promise.all(Array.from({ length: count }, reader))
  seen.sets = sets.size
  seen.p99 = times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? 0
  return seen
}
