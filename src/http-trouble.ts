/**
 * Plain words for what goes wrong below HTTP. The texts of the runtimes differ, and some repeat the whole URL with the
 * secrets in its query, so they are read here and never shown.
 */
import { codeOf, failure, messageOf, type Failure } from './errors.ts'

const network = 'check the network, the VPN and HTTPS_PROXY'
const authority = "set NODE_EXTRA_CA_CERTS to the PEM file of your company's certificate authority"

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
    sign: /ENOTFOUND|EAI_|dns error|failed to lookup/i,
    text: host => `the host ${host} is not known here`,
    hint: 'check the address, the network and the VPN',
  },
  {
    code: 'tls-name',
    sign: /ALTNAME|NotValidForName|hostname mismatch/i,
    text: host => `the certificate that ${host} shows is for another name`,
    hint: 'check the address; somebody may be in between',
  },
  {
    code: 'tls-expired',
    sign: /CERT_HAS_EXPIRED|certificate.*expired|CERT_NOT_YET_VALID|NotValidYet/i,
    text: host => `the certificate of ${host} is out of date`,
    hint: "check this machine's clock",
  },
  {
    code: 'tls-authority',
    sign: /UNABLE_TO_(?:GET|VERIFY)|SELF_SIGNED|UnknownIssuer|self.signed|local issuer|CaUsedAsEndEntity/i,
    text: host => `the certificate of ${host} is from an authority that is not known here`,
    hint: authority,
  },
  {
    code: 'tls',
    sign: /EPROTO|\bTLS\b|SSL|certificate|handshake|InvalidContentType|CERT_/i,
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

/** @param step method and path, such as `POST /idp/login` */
export function networkFailure(error: unknown, host: string, step: string): Failure {
  const said = described(error)
  const trouble = troubles.find(({ sign }) => sign.test(said))
  if (trouble) {
    const { code, text, hint } = trouble
    return failure('network', `${text(host)} (${step})`, { code, hint, cause: error })
  }
  const code = codeOf(error)
  return failure('network', `no answer from ${host} (${step})${code === undefined ? '' : `: ${code}`}`, {
    hint: network,
    cause: error,
  })
}

/** Codes and messages of the error and its causes. */
function described(error: unknown): string {
  const parts: string[] = []
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth += 1) {
    parts.push(codeOf(current) ?? '', messageOf(current).replace(/\bhttps?:\S+/g, ''))
  }
  return parts.join(' ')
}
