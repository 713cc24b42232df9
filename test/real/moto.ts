/**
 * moto as the AWS services, with a bridge in front that makes its STS as strict as the real one.
 *
 * moto 5.2 answers 500 to an assertion with more than one role, takes any role for granted and lets the assertion's
 * SessionDuration win. The bridge looks the role up, refuses a pair the assertion does not offer, and hands on an
 * assertion with that one role and the shorter of both durations.
 */
import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { python } from '../../scripts/components.ts'
import { freePort } from '../../scripts/demo-http.ts'
import { startServer } from './server.ts'

export interface Moto {
  /** For `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_STS`. */
  readonly url: string
  /** Roles taken through AssumeRoleWithSAML, oldest first. */
  assumed(): readonly string[]
  stop(): Promise<void>
}

export async function startMoto(): Promise<Moto> {
  const program = python('moto_server')
  if (program === undefined) throw new Error('moto_server is not installed')
  const port = await freePort()
  const inner = `http://127.0.0.1:${port}`
  const server = await startServer(program, ['-H', '127.0.0.1', '-p', String(port)], { probe: `${inner}/moto-api/` })
  const assumed: string[] = []
  const bridge = createServer((request, response) => {
    handOn(inner, assumed, request, response).catch((error: unknown) => response.writeHead(502).end(String(error)))
  })
  bridge.listen(0, '127.0.0.1')
  await once(bridge, 'listening')
  const address = bridge.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    assumed: () => [...assumed],
    stop: async () => {
      bridge.closeAllConnections()
      bridge.close()
      await server.stop()
    },
  }
}

async function handOn(
  inner: string,
  assumed: string[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Uint8Array[] = []
  for await (const chunk of request) if (chunk instanceof Uint8Array) chunks.push(chunk)
  let body = Buffer.concat(chunks)
  const form = new URLSearchParams(body.toString('utf8'))
  if (form.get('Action') === 'AssumeRoleWithSAML') {
    const refusal = narrow(form)
    if (refusal !== undefined) {
      response.writeHead(refusal.status, { 'content-type': 'text/xml' }).end(errorDocument(refusal))
      return
    }
    assumed.push(form.get('RoleArn') ?? '')
    body = Buffer.from(form.toString())
  }
  const { host: _, 'content-length': __, connection: ___, ...kept } = request.headers
  const headers = new Headers()
  for (const [name, value] of Object.entries(kept)) headers.set(name, String(value))
  const answer = await fetch(`${inner}${request.url ?? '/'}`, {
    method: request.method ?? 'GET',
    headers,
    ...(body.length > 0 && { body }),
  })
  const type = answer.headers.get('content-type') ?? 'text/xml'
  response.writeHead(answer.status, { 'content-type': type }).end(Buffer.from(await answer.arrayBuffer()))
}

interface Refusal {
  readonly status: number
  readonly code: string
  readonly message: string
}

/** Rewrites the assertion for the one role that is asked for, or says in the words of STS why not. */
function narrow(form: URLSearchParams): Refusal | undefined {
  const text = Buffer.from(form.get('SAMLAssertion') ?? '', 'base64').toString('utf8')
  const role = form.get('RoleArn') ?? ''
  const provider = form.get('PrincipalArn') ?? ''
  const offered = attributeValues(text, 'Role').map(value => value.split(',').map(part => part.trim()))
  if (!text.includes('<saml:Assertion')) {
    return { status: 400, code: 'InvalidIdentityToken', message: 'Invalid base64 SAMLResponse' }
  }
  if (!offered.some(pair => pair.includes(role) && pair.includes(provider))) {
    return { status: 403, code: 'AccessDenied', message: 'Not authorized to perform sts:AssumeRoleWithSAML' }
  }
  const limits = [Number(form.get('DurationSeconds') ?? 3600), ...attributeValues(text, 'SessionDuration').map(Number)]
  const duration = Math.min(...limits)
  if (duration < 900 || duration > 43_200) {
    return { status: 400, code: 'ValidationError', message: 'DurationSeconds exceeds the MaxSessionDuration' }
  }
  const [session = ''] = attributeValues(text, 'RoleSessionName')
  const attributes = { Role: `${role},${provider}`, RoleSessionName: session, SessionDuration: String(duration) }
  form.set('SAMLAssertion', Buffer.from(assertionDocument(attributes)).toString('base64'))
  return undefined
}

const namespace = 'https://aws.amazon.com/SAML/Attributes'

/** As SimpleSAMLphp writes them; this reads test data, not anything hostile. */
function attributeValues(text: string, name: string): string[] {
  const element =
    new RegExp(`<saml:Attribute Name="${namespace}/${name}".*?</saml:Attribute>`, 's').exec(text)?.[0] ?? ''
  return [...element.matchAll(/<saml:AttributeValue[^>]*>([^<]*)</g)].map(match => match[1] ?? '')
}

function assertionDocument(values: Readonly<Record<string, string>>): string {
  const attributes = Object.entries(values).map(
    ([name, value]) =>
      `<saml:Attribute Name="${namespace}/${name}"><saml:AttributeValue>${value}</saml:AttributeValue></saml:Attribute>`,
  )
  return (
    '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"><saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">' +
    `<saml:AttributeStatement>${attributes.join('')}</saml:AttributeStatement></saml:Assertion></samlp:Response>`
  )
}

function errorDocument({ code, message }: Refusal): string {
  return (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>' +
    `<Code>${code}</Code><Message>${message}</Message></Error><RequestId>0</RequestId></ErrorResponse>`
  )
}
