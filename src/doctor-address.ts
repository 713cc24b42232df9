/**
 * Does the metadata address belong to the daemon, and does what is sent there arrive?
 */
import { findDaemons, hostOf, lookForDaemons, type DaemonStatus, type FoundDaemon } from './daemon-control.ts'
import { ok, problem, type Env, type Finding } from './doctor.ts'
import { isFailure } from './errors.ts'
import type { Paths } from './paths.ts'
import { findCause } from './linklocal-check.ts'
import { detectForeignMetadata, probeMetadata } from './linklocal-foreign.ts'
import { linkStatus, metadataAddress, type LinkStatus } from './linklocal.ts'
import { formatListen, parseListen } from './serve.ts'

const check = 'address'

export async function judgeAddress(env: Env, paths: Paths): Promise<{ daemons: FoundDaemon[]; found: Finding[] }> {
  const looks = await lookForDaemons(env, paths)
  const daemons = looks.filter(each => 'status' in each)
  const silent = looks.filter(each => isFailure(each) && each.code === 'silent')
  const link = await linkStatus(metadataAddress)
  const found = [...judgeLink(link), ...silent.map(each => problem('daemon', each))]
  for (const daemon of daemons) found.push(...judgeDaemon(daemon.status), await judgeReach(daemon, link, env, paths))
  const ours = daemons.some(({ status }) => hostOf(status).startsWith(`${metadataAddress}:`))
  const foreign = await detectForeignMetadata(metadataAddress, { ours: ours || link.state === 'in-use' })
  if (foreign) {
    const hint = 'cloudtoken -d --listen 127.0.0.1:9911'
    found.push({ check, verdict: 'problem', message: `${foreign}: cloudtoken leaves ${metadataAddress} alone`, hint })
  }
  if (daemons.length + silent.length === 0) found.push(ok('daemon', 'none is running; cloudtoken -d starts one'))
  return { daemons, found }
}

function judgeLink({ address, device, state, pid }: LinkStatus): Finding[] {
  if (state === 'left-behind') {
    const message = `${address} is still on ${device}, left behind by process ${pid}, which is gone`
    return [{ check, verdict: 'warning', message, hint: 'sudo cloudtoken link down' }]
  }
  if (state !== 'foreign') return []
  const message = `${address} is on ${device}, and cloudtoken did not put it there`
  return [{ check, verdict: 'warning', message, hint: `ip address show dev ${device}` }]
}

function judgeDaemon({ state, lastError, url, role }: DaemonStatus): Finding[] {
  const name = 'daemon'
  if (state === 'serving') return [ok(name, `${url} serves ${role}`)]
  const message = `${url}: ${lastError ?? 'it has no credentials yet'}`
  return [{ check: name, verdict: state === 'retrying' ? 'warning' : 'problem', message, hint: 'cloudtoken' }]
}

/** The daemon counts what reaches it: one question more, and its count says whether the way leads to it. */
async function judgeReach({ status }: FoundDaemon, link: LinkStatus, env: Env, paths: Paths): Promise<Finding> {
  const listen = parseListen(hostOf(status))
  if (link.state === 'absent' && listen.hostname === link.address) {
    const message = `something took ${link.address} away from this machine, and with it the way to the daemon`
    return { check, verdict: 'problem', message, hint: 'cloudtoken stop, then cloudtoken -d' }
  }
  const answer = await probeMetadata(listen.hostname, 2000, listen.port)
  const [after] = await findDaemons(env, paths, listen)
  if (answer && (after?.status.requests ?? 0) > status.requests) return ok(check, `${status.url} reaches the daemon`)
  const cause = await findCause(listen.hostname, answer)
  const message = `${formatListen(listen)} does not lead to the daemon: ${cause}`
  return { check, verdict: 'problem', message, hint: `ip route get ${listen.hostname}` }
}
