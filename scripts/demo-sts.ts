/**
 * The calls of STS that the demo and tests need, on loopback: AssumeRoleWithSAML looks the role up in the assertion,
 * AssumeRoleWithWebIdentity wants a token for sts.amazonaws.com, AssumeRole and GetCallerIdentity know the keys handed out.
 */
import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listen, readForm, type Loopback } from './demo-http.ts'

export interface DemoSts extends Loopback {
  /** Role ARNs taken, oldest first. */
  assumed(): readonly string[]
  /** Policy document and seconds that the session with this key was asked for with. */
  wishesOf(accessKeyId: string): { readonly policy: string | null; readonly seconds: string | null } | undefined
  /** From now on this role trusts nobody. */
  refuse(role: string): void
}

interface Issued {
  readonly role: string
  readonly arn: string
  readonly token: string
  readonly ends: Date
  readonly policy: string | null
  readonly seconds: string | null
}

interface Rules {
  readonly seconds: number
  readonly refused: string
}

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/'

/** `seconds`: no session lives longer, whatever was asked for, and keys that have ended are refused. */
export async function startDemoSts({ seconds = 43_200 } = {}): Promise<DemoSts> {
  /** By access key id; a Map keeps their order. */
  const issued = new Map<string, Issued>()
  let refused = ''
  const server = createServer((request, response) => {
    answer(issued, { seconds, refused }, request, response).catch((error: unknown) =>
      response.writeHead(500).end(String(error)),
    )
  })
  return {
    ...(await listen(server)),
    assumed: () => [...issued.values()].map(each => each.role),
    wishesOf: key => issued.get(key),
    refuse: role => void (refused = role),
  }
}

async function answer(
  issued: Map<string, Issued>,
  { seconds, refused }: Rules,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const form = await readForm(request)
  const action = form.get('Action')
  if (form.get('RoleArn') === refused)
    return fail(response, 403, 'AccessDenied', `Not authorized to perform sts:${action}`)
  if (action === 'AssumeRoleWithSAML') return assume(issued, seconds, form, response)
  if (action === 'AssumeRoleWithWebIdentity') return assumeWithToken(issued, seconds, form, response)
  if (action === 'AssumeRole') return assumeFurther(issued, seconds, form, request, response)
  if (action === 'GetCallerIdentity') return identify(issued, request, response)
  fail(response, 400, 'InvalidAction', `Could not find operation ${action}`)
}

function assume(issued: Map<string, Issued>, seconds: number, form: URLSearchParams, response: ServerResponse): void {
  const [role, provider] = [form.get('RoleArn') ?? '', form.get('PrincipalArn') ?? '']
  const assertion = Buffer.from(form.get('SAMLAssertion') ?? '', 'base64').toString('utf8')
  if (role === '' || !assertion.includes(`>${role},${provider}<`)) {
    return fail(response, 403, 'AccessDenied', 'Not authorized to perform sts:AssumeRoleWithSAML')
  }
  const user = />([^<]*@[^<]*)</.exec(assertion)?.[1] ?? 'demo'
  const issuer = /<saml:Issuer>([^<]*)</.exec(assertion)?.[1] ?? ''
  handOut(
    issued,
    seconds,
    form,
    user,
    response,
    `<Audience>https://signin.aws.amazon.com/saml</Audience><Issuer>${issuer}</Issuer><Subject>${role.split(':')[4]}</Subject>` +
      '<SubjectType>persistent</SubjectType><NameQualifier>demo</NameQualifier>',
  )
}

function assumeWithToken(
  issued: Map<string, Issued>,
  seconds: number,
  form: URLSearchParams,
  response: ServerResponse,
): void {
  const payload = Buffer.from(form.get('WebIdentityToken')?.split('.')[1] ?? '', 'base64url').toString('utf8')
  if (!payload.includes('"aud":"sts.amazonaws.com"')) {
    return fail(response, 400, 'InvalidIdentityToken', 'Incorrect token audience')
  }
  const issuer = /"iss":"([^"]*)"/.exec(payload)?.[1] ?? ''
  handOut(issued, seconds, form, form.get('RoleSessionName') ?? '', response, `<Provider>${issuer}</Provider>`)
}

function assumeFurther(
  issued: Map<string, Issued>,
  seconds: number,
  form: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const source = signer(issued, request)
  if (!source)
    return fail(response, 403, 'InvalidClientTokenId', 'The security token included in the request is invalid.')
  if (Number(form.get('DurationSeconds') ?? 3600) > 3600) {
    const message = 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining'
    return fail(response, 400, 'ValidationError', message)
  }
  handOut(issued, seconds, form, form.get('RoleSessionName') ?? '', response, '')
}

function handOut(
  issued: Map<string, Issued>,
  seconds: number,
  form: URLSearchParams,
  user: string,
  response: ServerResponse,
  more: string,
): void {
  const role = form.get('RoleArn') ?? ''
  const arn = `${role.replace(':iam:', ':sts:').replace(/:role\/(?:.*\/)?/, ':assumed-role/')}/${user}`
  const key = `ASIA${randomBytes(10).toString('hex').toUpperCase().slice(0, 16)}`
  const token = randomBytes(120).toString('base64')
  const life = Math.min(seconds, Number(form.get('DurationSeconds') ?? 3600))
  const ends = new Date(Date.now() + life * 1000)
  issued.set(key, { role, arn, token, ends, policy: form.get('Policy'), seconds: form.get('DurationSeconds') })
  const expiration = ends.toISOString()
  reply(
    response,
    form.get('Action') ?? '',
    `<Credentials><AccessKeyId>${key}</AccessKeyId><SecretAccessKey>${randomBytes(30).toString('base64')}</SecretAccessKey>` +
      `<SessionToken>${token}</SessionToken><Expiration>${expiration.replace(/\.\d+/, '')}</Expiration></Credentials>` +
      `<AssumedRoleUser><AssumedRoleId>AROADEMO:${user}</AssumedRoleId><Arn>${arn}</Arn></AssumedRoleUser>${more}`,
  )
}

function signer(issued: Map<string, Issued>, request: IncomingMessage): Issued | undefined {
  const known = issued.get(/Credential=([^/]+)\//.exec(request.headers.authorization ?? '')?.[1] ?? '')
  return known !== undefined && request.headers['x-amz-security-token'] === known.token ? known : undefined
}

function identify(issued: Map<string, Issued>, request: IncomingMessage, response: ServerResponse): void {
  const known = signer(issued, request)
  if (!known) {
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
