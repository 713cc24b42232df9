/**
 * STS for users of IAM, on loopback, as strict as the real one about who signs: it works out each signature again, takes a
 * code once, and lets a role want a code.
 */
import { Buffer } from 'node:buffer'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listen, type Loopback } from '../scripts/demo-http.ts'

export interface FakeUser {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly arn: string
  readonly mfaSerial?: string
}

export interface IamRequest {
  readonly parameters: Readonly<Record<string, string>>
  /** ARN of who signed. */
  readonly by: string
}

export interface FakeIam extends Loopback {
  readonly requests: readonly IamRequest[]
  actions(): string[]
  /** The next code of the device; each is good once. */
  code(): string
  /** From now on this role is for sessions that took a code. */
  wantCode(role: string): void
  /** No session lives longer. */
  shorten(seconds: number): void
}

interface Signer {
  readonly secret: string
  readonly arn: string
  readonly serial: string | undefined
  /** Of a session. */
  readonly token?: string
  readonly mfa?: boolean
  readonly ends?: number
}

const namespace = 'https://sts.amazonaws.com/doc/2011-06-15/'

export async function startFakeIam(users: readonly FakeUser[]): Promise<FakeIam> {
  const signers = new Map<string, Signer>(
    users.map(user => [
      user.accessKeyId,
      { secret: user.secretAccessKey, arn: user.arn, serial: user.mfaSerial } satisfies Signer,
    ]),
  )
  const requests: IamRequest[] = []
  const codes = new Set<string>()
  const withCode = new Set<string>()
  let longest = 129_600
  const server = createServer((request, response) => {
    answer(request).then(
      body => response.writeHead(200, { 'content-type': 'text/xml' }).end(body),
      (error: unknown) => refuse(response, error),
    )
  })

  async function answer(request: IncomingMessage): Promise<string> {
    const chunks: Uint8Array[] = []
    for await (const chunk of request) if (chunk instanceof Uint8Array) chunks.push(chunk)
    const body = new TextDecoder().decode(Uint8Array.from(chunks.flatMap(chunk => [...chunk])))
    const parameters = Object.fromEntries(new URLSearchParams(body))
    const signer = check(request, body)
    requests.push({ parameters, by: signer.arn })
    const action = parameters['Action'] ?? ''
    const account = signer.arn.split(':')[4] ?? ''
    if (action === 'GetCallerIdentity')
      return success(action, `<Arn>${signer.arn}</Arn><UserId>AIDAFAKE</UserId><Account>${account}</Account>`)
    if (action === 'GetSessionToken') {
      if (signer.token) throw new Refusal(403, 'AccessDenied', 'Cannot call GetSessionToken with session credentials')
      const mfa = codeIn(parameters, signer)
      return success(action, handOut(parameters, 43_200, { arn: signer.arn, serial: signer.serial, mfa }))
    }
    if (action === 'AssumeRole') {
      const role = parameters['RoleArn'] ?? ''
      const mfa = codeIn(parameters, signer) || signer.mfa === true
      if (withCode.has(role) && !mfa)
        throw new Refusal(403, 'AccessDenied', `User: ${signer.arn} is not authorized to perform: sts:AssumeRole`)
      const name = parameters['RoleSessionName'] ?? ''
      const arn = `${role.replace(':iam:', ':sts:').replace(/:role\/(?:.*\/)?/, ':assumed-role/')}/${name}`
      if (signer.arn.includes(':assumed-role/') && Number(parameters['DurationSeconds']) > 3600)
        throw new Refusal(400, 'ValidationError', 'exceeds the 1 hour session limit for roles assumed by role chaining')
      const user = `<AssumedRoleUser><AssumedRoleId>AROAFAKE:${name}</AssumedRoleId><Arn>${arn}</Arn></AssumedRoleUser>`
      return success(action, handOut(parameters, 3600, { arn, serial: undefined, mfa: false }) + user)
    }
    throw new Refusal(400, 'InvalidAction', `Could not find operation ${action}`)
  }

  function check(request: IncomingMessage, body: string): Signer {
    const { headers, method = '', url = '' } = request
    const [, id = '', scope = '', names = '', signature] =
      /^AWS4-HMAC-SHA256 Credential=([^/]+)\/([^,]+), SignedHeaders=([^,]+), Signature=(\w+)$/.exec(
        headers.authorization ?? '',
      ) ?? []
    const signer = signers.get(id)
    if (!signer || signer.token !== headers['x-amz-security-token'])
      throw new Refusal(403, 'InvalidClientTokenId', 'The security token included in the request is invalid.')
    const canonical = [
      method,
      url,
      '',
      ...names.split(';').map(name => `${name}:${String(headers[name]).trim()}`),
      '',
      names,
      createHash('sha256').update(body).digest('hex'),
    ].join('\n')
    const digest = createHash('sha256').update(canonical).digest('hex')
    const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, digest].join('\n')
    const key = scope
      .split('/')
      .reduce<Uint8Array>((by, part) => hmac(by, part), new TextEncoder().encode(`AWS4${signer.secret}`))
    if (Buffer.from(hmac(key, text)).toString('hex') !== signature)
      throw new Refusal(403, 'SignatureDoesNotMatch', 'The request signature we calculated does not match')
    if (signer.ends !== undefined && signer.ends <= Date.now())
      throw new Refusal(403, 'ExpiredToken', 'The security token included in the request is expired')
    return signer
  }

  function codeIn({ SerialNumber, TokenCode = '' }: IamRequest['parameters'], signer: Signer): boolean {
    if (SerialNumber === undefined) return false
    const good = SerialNumber === signer.serial && codes.delete(TokenCode)
    const message = 'MultiFactorAuthentication failed with invalid MFA one time pass code. '
    if (!good) throw new Refusal(403, 'AccessDenied', message)
    return true
  }

  function handOut(
    { DurationSeconds }: IamRequest['parameters'],
    usual: number,
    session: Pick<Signer, 'arn' | 'serial' | 'mfa'>,
  ): string {
    const id = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`
    const [secret, token] = [randomBytes(30).toString('base64'), randomBytes(60).toString('base64')]
    const ends = Date.now() + Math.min(Number(DurationSeconds ?? usual), longest) * 1000
    signers.set(id, { ...session, secret, token, ends })
    const expiration = new Date(ends).toISOString().replace(/\.\d+/, '')
    return (
      `<Credentials><AccessKeyId>${id}</AccessKeyId><SecretAccessKey>${secret}</SecretAccessKey>` +
      `<SessionToken>${token}</SessionToken><Expiration>${expiration}</Expiration></Credentials>`
    )
  }

  return {
    ...(await listen(server)),
    requests,
    actions: () => requests.map(({ parameters }) => parameters['Action'] ?? ''),
    code() {
      const code = String(100_000 + Math.floor(Math.random() * 900_000))
      codes.add(code)
      return code
    },
    wantCode: role => void withCode.add(role),
    shorten: seconds => void (longest = seconds),
  }
}

class Refusal extends Error {
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  const { status, code, message } =
    error instanceof Refusal ? error : { status: 500, code: 'InternalFailure', message: String(error) }
  const text = `<Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error>`
  response
    .writeHead(status, { 'content-type': 'text/xml' })
    .end(`<ErrorResponse xmlns="${namespace}">${text}<RequestId>1</RequestId></ErrorResponse>`)
}

function success(action: string, result: string): string {
  return `<${action}Response xmlns="${namespace}"><${action}Result>${result}</${action}Result></${action}Response>`
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return createHmac('sha256', key).update(text).digest()
}
