/**
 * A stage for cloudtoken: before the sign-in, is the VPN up? It is when a host that is only inside answers.
 *
 * plugins:
 *     pre_auth: [vpn-reachable]
 * defaults:
 *     vpn-host: intranet.corp.example:443
 */
import { connect } from 'node:net'
import type { Api, StagePlugin } from './cloudtoken.d.ts'

export default (api: Api): StagePlugin => ({
  name: 'vpn-reachable',
  summary: 'a check that the VPN is up, before the sign-in',
  options: {
    'vpn-host': { type: 'string', value: 'HOST:PORT', summary: 'what only the VPN makes reachable' },
  },
  async run({ settings }) {
    const [, host, port] = /^(.+):(\d+)$/.exec(String(settings.extra['vpnHost'] ?? '')) ?? []
    if (!host) throw api.failure('config', 'it does not know what to reach', { hint: '--vpn-host HOST:PORT' })
    const start = performance.now()
    if (!(await answers(host, Number(port), 3000))) {
      throw api.failure('network', `${host}:${port} does not answer`, { hint: 'connect the VPN' })
    }
    return { reached: `${host}:${port}`, ms: Math.round(performance.now() - start) }
  },
})

function answers(host: string, port: number, patience: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port })
    const end = (good: boolean): void => {
      socket.destroy()
      resolve(good)
    }
    socket.setTimeout(patience, () => end(false))
    socket.once('connect', () => end(true))
    socket.once('error', () => end(false))
  })
}
