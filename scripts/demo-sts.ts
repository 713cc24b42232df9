/**
 * The two calls of STS that the demo and tests need, on loopback: AssumeRoleWithSAML looks the role up in the assertion,
 * GetCallerIdentity knows the keys it has handed out.
 */
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listen, readForm, type Loopback } from './demo-http.ts'

export interface DemoSts extends Loopback {
  /** Role ARNs taken, oldest first. */
  assumed(): readonly string[]
}

interface Issued {
  readonly role: string
  readonly arn: string
  readonly token: string
  readonly ends: Date
}

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/'

/** `seconds`: no session lives longer, whatever was asked for, and keys that have ended are refused. */
export async function startDemoSts({ seconds = 43_200 } = {}): Promise<DemoSts> {
  /** By access key id; a Map keeps their order. */
  const issued = new Map<string, Issued>()
  const server = createServer((request, response) => {
    answer(issued, seconds, request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  return { ...(await listen(server)), assumed: () => [...issued.values()].map(each => each.role) }
}

async function answer(
  issued: Map<string, Issued>,
  seconds: number,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const form = await readForm(request)
  const action = form.get('Action')
  if (action === 'AssumeRoleWithSAML') return assume(issued, seconds, form, response)
  if (action === 'GetCallerIdentity') return identify(issued, request, response)
  fail(response, 400, 'InvalidAction', `Could not find operation ${action}`)
}

function assume(issued: Map<string, Issued>, seconds: number, form: URLSearchParams, response: ServerResponse): void {
  const [role, provider] = [form.get('RoleArn') ?? '', form.get('PrincipalArn') ?? '']
  const assertion = Buffer.from(form.get('SAMLAssertion') ?? '', 'base64').toString('utf8')
  if (role === '' || !assertion.includes(`>${role},${provider}<`)) {
    return fail(response, 403, 'AccessDenied', 'Not authorized to perform sts:AssumeRoleWithSAML')
  }
  const [, , , , account] = role.split(':')
  const user = />([^<]*@[^<]*)</.exec(assertion)?.[1] ?? 'demo'
  const arn = `${role.replace(':iam:', ':sts:').replace(/:role\/(?:.*\/)?/, ':assumed-role/')}/${user}`
  const key = `ASIA${randomBytes(10).toString('hex').toUpperCase().slice(0, 16)}`
  const token = randomBytes(120).toString('base64')
  const life = Math.min(seconds, Number(form.get('DurationSeconds') ?? 3600))
  const ends = new Date(Date.now() + life * 1000)
  issued.set(key, { role, arn, token, ends })
  const expiration = ends.toISOString()
  const issuer = /<saml:Issuer>([^<]*)</.exec(assertion)?.[1] ?? ''
  reply(
    response,
    'AssumeRoleWithSAML',
    `<Credentials><AccessKeyId>${key}</AccessKeyId><SecretAccessKey>${randomBytes(30).toString('base64')}</SecretAccessKey>` +
      `<SessionToken>${token}</SessionToken><Expiration>${expiration.replace(/\.\d+/, '')}</Expiration></Credentials>` +
      `<AssumedRoleUser><AssumedRoleId>AROADEMO:${user}</AssumedRoleId><Arn>${arn}</Arn></AssumedRoleUser>` +
      `<Audience>https://signin.aws.amazon.com/saml</Audience><Issuer>${issuer}</Issuer><Subject>${account}</Subject>` +
      '<SubjectType>persistent</SubjectType><NameQualifier>demo</NameQualifier>',
  )
}

function identify(issued: Map<string, Issued>, request: IncomingMessage, response: ServerResponse): void {
  const key = /Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? ''
  const known = issued.get(key)
  if (known === undefined || request.headers['x-amz-security-token'] !== known.token) {
    return fail(response, 403, 'InvalidClientTokenId', 'The security token included in the request is invalid.')
  }
  if (known.ends.getTime() <= Date.now()) {
    return fail(response, 403, 'ExpiredToken', 'The security token included in the request is expired')
  }
  const account = known.arn.split(':')[4] ?? ''
  reply(response, 'GetCallerIdentity', `<Arn>${known.arn}</Arn><UserId>AROADEMO</UserId><Account>${account}</Account>`)
}

function reply(response: ServerResponse, action: string, result: string): void {
  response
    .writeHead(200, { 'content-type': 'text/xml' })
    .end(
      `<${action}Response xmlns="${namespace}"><${action}Result>${result}</${action}Result>` +
        `<ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000000</RequestId></ResponseMetadata></${action}Response>`,
    )
}

function fail(response: ServerResponse, status: number, code: string, message: string): void {
  response
    .writeHead(status, { 'content-type': 'text/xml' })
    .end(
      `<ErrorResponse xmlns="${namespace}"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message>` +
        '</Error><RequestId>00000000-0000-4000-8000-000000000000</RequestId></ErrorResponse>',
    )
}
