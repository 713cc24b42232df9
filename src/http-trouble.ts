/**
 * Plain words for what goes wrong below HTTP. The texts of the runtimes differ, and some repeat the whole URL with the
 * secrets in its query, so they are read here and never shown.
 */
import { codeOf, failure, messageOf, type Failure } from './errors.ts'
import type { Way } from './http-network.ts'
import { probe, type Probed } from './http-probe.ts'
import type { Proxy } from './http-proxy.ts'

const network = 'check the network, the VPN and HTTPS_PROXY'
const clientCertificate = 'cloudtoken --client-cert FILE --client-key FILE'

interface Trouble {
  readonly code: string
  readonly sign: RegExp
  readonly text: (host: string) => string
  readonly hint: string
}

/** First match wins: TLS texts mention certificates and connections alike. */
const troubles: readonly Trouble[] = [
  {
    code: 'dns',
    sign: /ENOTFOUND|EAI_|dns error|failed to lookup|invalid dns name/i,
    text: host => `no address is known for ${host}`,
    hint: 'check the address, the network and the VPN',
  },
  {
    code: 'tls-name',
    sign: /ALTNAME|NotValidForName|not valid for name|hostname mismatch/i,
    text: host => `the certificate that ${host} shows is for another name`,
    hint: 'check the address; somebody may be in between',
  },
  {
    code: 'tls-expired',
    sign: /CERT_HAS_EXPIRED|peer certificate.*expired|certificate has expired|CERT_NOT_YET_VALID|not.yet.valid/i,
    text: host => `the certificate of ${host} is out of date`,
    hint: "check this machine's clock; if it is right, tell whoever runs that server",
  },
  {
    code: 'tls-authority',
    sign: /UNABLE_TO_(?:GET|VERIFY)|SELF_SIGNED|UnknownIssuer|self.signed|local issuer|CaUsedAsEndEntity/i,
    text: host => `the certificate of ${host} is from an authority that is not known here`,
    hint: 'cloudtoken --ca-file FILE, the certificate of that authority as PEM; your help desk has it',
  },
  {
    code: 'tls',
    sign: /EPROTO|\bTLS\b|SSL|certificate|handshake|InvalidContentType|CERT_|fatal alert/i,
    text: host => `no TLS connection to ${host}`,
    hint: 'check the address and HTTPS_PROXY',
  },
  {
    code: 'refused',
    sign: /ECONNREFUSED|connection ?refused/i,
    text: host => `${host} refuses the connection`,
    hint: network,
  },
  {
    code: 'unreachable',
    sign: /EHOSTUNREACH|ENETUNREACH|ENETDOWN|ETIMEDOUT|unreachable|timed out/i,
    text: host => `${host} cannot be reached`,
    hint: network,
  },
  {
    code: 'reset',
    sign: /ECONNRESET|EPIPE|ECONNABORTED|ConnectionClosed|connection (?:was )?(?:closed|reset)|connection error|body from connection|SendRequest|socket hang up|end of file/i,
    text: host => `${host} closed the connection before its answer was complete`,
    hint: network,
  },
]

interface Finding {
  readonly code: string
  readonly message: string
  readonly hint: string
}

/** @param step method and path, such as `POST /idp/login` */
export async function networkFailure(error: unknown, url: string, step: string, way: Way): Promise<Failure> {
  const { host } = new URL(url)
  const said = described(error)
  const finding = proxyTrouble(said, host, way) ?? (await trouble(said, url, host, way))
  if (finding) {
    const { code, message, hint } = finding
    return failure('network', `${message} (${step})`, { code, hint, cause: error })
  }
  const code = codeOf(error)
  return failure('network', `no answer from ${host} (${step})${code === undefined ? '' : `: ${code}`}`, {
    hint: network,
    cause: error,
  })
}

/** The proxy answered in the place of the server, with 407: it wants to know who we are, or does not believe it. */
export function proxyRefusal(proxy: Proxy, step: string): Failure {
  const { code, message, hint } = wantsUser(proxy)
  return failure('network', `${message} (${step})`, { code, hint })
}

async function trouble(said: string, url: string, host: string, way: Way): Promise<Finding | undefined> {
  const found = troubles.find(({ sign }) => sign.test(said))
  if (!found) return undefined
  const { code, text, hint } = found
  const plain = { code, message: text(host), hint }
  if (code !== 'tls' && code !== 'tls-authority') return plain
  const probed = await probe(url, way, code === 'tls')
  if (code === 'tls') return handshakeTrouble(host, way, probed) ?? plain
  return probed.issuer === undefined ? plain : { ...plain, message: `${plain.message}: ${probed.issuer}` }
}

/** By the names that alerts have in OpenSSL (RFC 8446, section 6.2). */
function handshakeTrouble(host: string, { certificate }: Way, { said = '' }: Probed): Finding | undefined {
  if (/WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH/.test(said))
    return { code: 'tls', message: `${host} does not speak TLS there`, hint: 'check the address and its port' }
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/.test(said)) {
    const message = `${host} speaks only a TLS that is too old`
    return { code: 'tls', message, hint: 'tell whoever runs that server: it needs TLS 1.2 or 1.3' }
  }
  if (!/ALERT/.test(said)) return undefined
  if (certificate) {
    const reason = said
      .replace(/^.*ALERT_/, '')
      .toLowerCase()
      .replaceAll('_', ' ')
    const hint = 'check that --client-cert is the one for this server, with all certificates up to its authority'
    return { code: 'tls-client-refused', message: `${host} refuses the client certificate: ${reason}`, hint }
  }
  if (/CERTIFICATE_REQUIRED/.test(said))
    return { code: 'tls-client-wanted', message: `${host} wants a client certificate`, hint: clientCertificate }
  if (/HANDSHAKE_FAILURE|BAD_CERTIFICATE/.test(said)) {
    const message = `${host} refuses the TLS connection; it may want a client certificate`
    return { code: 'tls-client-wanted', message, hint: clientCertificate }
  }
  return undefined
}

/** The runtimes speak to the proxy and not to the host, and say so in their own words. */
function proxyTrouble(said: string, host: string, { proxy }: Way): Finding | undefined {
  if (!proxy) return undefined
  const status = /PROXY_TUNNEL.*?: (\d{3})/.exec(said)?.[1]
  // Of a wrong password tinyproxy says 401.
  if (/^40[17]$/.test(status ?? '') || /proxy authentication required/i.test(said)) return wantsUser(proxy)
  if (status !== undefined || /unsuccessful|tunneling/.test(said)) {
    const message = `the proxy ${proxy.host} does not let us through to ${host}${status ? `: ${status}` : ''}`
    return { code: 'proxy', message, hint: `NO_PROXY=${host.replace(/:\d+$/, '')}, or ask whoever runs the proxy` }
  }
  const found = troubles.find(({ code, sign }) => /^(?:dns|refused|unreachable)$/.test(code) && sign.test(said))
  return found && { code: 'proxy', message: found.text(`the proxy ${proxy.host}`), hint: `check ${proxy.variable}` }
}

function wantsUser({ host, variable, user }: Proxy): Finding {
  const message = user
    ? `the proxy ${host} refuses the user name or the password`
    : `the proxy ${host} wants a user name and a password`
  return { code: 'proxy-user', message, hint: `${variable}=http://USER:PASSWORD@${host}` }
}

/** Codes and messages of the error and its causes. */
function described(error: unknown): string {
  const parts: string[] = []
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth += 1) {
    parts.push(codeOf(current) ?? '', messageOf(current).replace(/\bhttps?:\S+/g, ''))
  }
  return parts.join(' ')
}
