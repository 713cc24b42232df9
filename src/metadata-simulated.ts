/**
 * What is made up on demand, so that an application can be tested against it: notices, events, tags, user data. It lies over
 * whatever tree is served, and the credentials stay real.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instances-status-check_sched.html
 */
import { Buffer } from 'node:buffer'
import { createPage, toJson, type Pages } from './metadata-document.ts'
import { changeVersions, putPage, removePage } from './metadata-overlay.ts'
import { userDataPage } from './metadata-values.ts'

/** Times as `2026-11-22T10:00:00Z`; travels as JSON. */
export interface Simulated {
  readonly 'spot-interruption'?: { readonly action: string; readonly time: string }
  readonly rebalance?: { readonly time: string }
  readonly maintenance?: Maintenance
  /** The credentials are answered as if they ended then. */
  readonly expiry?: { readonly time: string }
  /** Every answer comes that much later. */
  readonly slow?: { readonly milliseconds: number }
  /** Every answer is this status; `until` absent: until it is taken back. */
  readonly error?: { readonly status: number; readonly until?: string }
  readonly 'user-data'?: { readonly base64: string }
  readonly tags?: Readonly<Record<string, string>>
}

interface Maintenance {
  readonly code: string
  readonly from: string
  readonly to: string
  readonly deadline?: string
  /** `active` without it. */
  readonly state?: string
  readonly id?: string
}

export type SimulationName = keyof Simulated

export const simulationNames: readonly SimulationName[] = [
  ...(['spot-interruption', 'rebalance', 'maintenance', 'expiry', 'slow', 'error', 'user-data', 'tags'] as const),
]

/** What `simulate` says to the daemon: begin these, end those. */
export interface SimulationOrder {
  readonly begin?: Simulated
  readonly end?: readonly SimulationName[]
}

export const spotActions = ['terminate', 'stop', 'hibernate'] as const
export const maintenanceCodes = [
  ...['system-reboot', 'instance-reboot', 'system-maintenance', 'instance-retirement', 'instance-stop'],
] as const

/** The pages with what is simulated in every version of them. */
export function withSimulated(pages: Pages, simulated: Simulated | undefined, modified: Date): Pages {
  const { tags, 'user-data': userData } = simulated ?? {}
  const leaves = simulated ? simulatedLeaves(simulated) : []
  if (leaves.length === 0 && !tags && !userData) return pages
  return changeVersions(pages, version => {
    if (tags) removePage(version, 'meta-data/tags', modified)
    for (const [path, text] of leaves) putPage(version, `meta-data/${path}`, createPage(text, { modified }), modified)
    if (!userData) return
    putPage(version, 'user-data', userDataPage(Buffer.from(userData.base64, 'base64'), modified), modified)
  })
}

function simulatedLeaves(simulated: Simulated): (readonly [path: string, text: string])[] {
  const { 'spot-interruption': spot, rebalance, maintenance, tags } = simulated
  return [
    ...(spot
      ? [
          ['instance-life-cycle', 'spot'] as const,
          ['spot/instance-action', JSON.stringify({ action: spot.action, time: spot.time })] as const,
          ...(spot.action === 'terminate' ? [['spot/termination-time', spot.time] as const] : []),
        ]
      : []),
    ...(rebalance
      ? [['events/recommendations/rebalance', JSON.stringify({ noticeTime: rebalance.time })] as const]
      : []),
    ...(maintenance
      ? [
          ['events/maintenance/history', '[]'] as const,
          ['events/maintenance/scheduled', scheduled(maintenance)] as const,
        ]
      : []),
    ...Object.entries(tags ?? {}).map(([key, value]) => [`tags/instance/${key}`, value] as const),
  ]
}

function scheduled({ code, from, to, deadline, state = 'active', id }: Maintenance): string {
  const event = {
    NotBefore: worded(from),
    Code: code,
    Description: `scheduled ${code.replace(/^(system|instance)-/, '')}`,
    EventId: id ?? 'instance-event-0123456789abcdef0',
    NotAfter: worded(to),
    ...(deadline !== undefined && { NotBeforeDeadline: worded(deadline) }),
    State: state,
  }
  return `[ ${toJson(event)} ]`
}

/** `21 Jan 2019 09:00:43 GMT` */
function worded(time: string): string {
  return new Date(time).toUTCString().replace(/^\w+, 0?/, '')
}
