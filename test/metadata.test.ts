/** The contract of the metadata service over real sockets. Numbers are those of the conformance list; they are stable. */
import { afterAll, describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import type { MetadataSnapshot } from '../src/metadata-document.ts'
import { versions } from '../src/metadata-tree.ts'
import { createCredentials, startMetadata, type TestOptions, type TestService } from './metadata-server.ts'
import { crawl, openRaw, raw, requestText } from './raw.ts'

const started: TestService[] = []

async function start(options?: TestOptions): Promise<TestService> {
  const service = await startMetadata(options)
  started.push(service)
  return service
}

afterAll(async () => {
  await Promise.all(started.map(service => service.stop()))
})

const service = await start()
const strict = await start({ requireToken: true, userData: Buffer.from('hello') })
const ttl = 'X-aws-ec2-metadata-token-ttl-seconds'
const root = '/latest/meta-data'
const roleName = 'Read-Only-Role'

function put(path: string, ...headers: string[]) {
  return service.get(path, { method: 'PUT', headers })
}

describe('token', () => {
  test('#1 #2 #19 a token is visible ASCII without a line end, 56 characters, with its time echoed', async () => {
    const { status, text, headers } = await put('/latest/api/token', `${ttl}: 21600`)
    expect(status).toBe(200)
    expect(text).toMatch(/^AQAEA[A-Za-z0-9_-]{49}==$/)
    expect(headers['x-aws-ec2-metadata-token-ttl-seconds']).toBe('21600')
    expect(headers['content-type']).toBe('text/plain')
    expect(headers['content-length']).toBe('56')
  })

  test.each(['1', '60', '300', '900'])('#3 the time %s is echoed', async seconds => {
    const { status, headers } = await put('/latest/api/token', `${ttl}: ${seconds}`)
    expect(status).toBe(200)
    expect(headers['x-aws-ec2-metadata-token-ttl-seconds']).toBe(seconds)
  })

  test('#4 without a time: 400', async () => {
    expect((await put('/latest/api/token')).status).toBe(400)
  })

  const bad = ['0', '21601', 'abc', '-1', '1.5', '', '60 x', '+60', '0x10', '1e2', '99999999999999999999', '60, 60']
  test.each(bad)('#5 #6 #7 #8 the time %p: 400', async seconds => {
    expect((await put('/latest/api/token', `${ttl}: ${seconds}`)).status).toBe(400)
  })

  test('#8 the time twice: 400', async () => {
    expect((await put('/latest/api/token', `${ttl}: 60`, `${ttl}: 60`)).status).toBe(400)
  })

  test('#9 the name of the header in any case', async () => {
    expect((await put('/latest/api/token', 'x-AWS-EC2-metadata-token-TTL-seconds: 60')).status).toBe(200)
  })

  test.each(['X-Forwarded-For: 1.2.3.4', 'X-Forwarded-For:'])('#10 #11 with %p: 403, nothing said', async header => {
    const { status, text } = await put('/latest/api/token', `${ttl}: 60`, header)
    expect(status).toBe(403)
    expect(text).toBe('')
  })

  test('#12 a dated version hands out no tokens: 403', async () => {
    expect((await put('/2021-03-23/api/token', `${ttl}: 60`)).status).toBe(403)
  })

  test.each(['GET', 'HEAD', 'POST', 'DELETE', 'PATCH', 'OPTIONS'])('#13 #14 %s on the token: 405', async method => {
    const { status, headers, bytes } = await service.get('/latest/api/token', { method })
    expect(status).toBe(405)
    expect(headers['allow']).toBe('OPTIONS, PUT')
    expect(headers['content-length'] ?? '0').toBe('0')
    expect(bytes).toHaveLength(0)
  })

  test.each(['/latest/api', '/latest/api/', '/2021-03-23/api/token'])('#15 GET %s: 404', async path => {
    expect((await service.get(path)).status).toBe(404)
  })

  test('#16 two tokens differ and both are good', async () => {
    const tokens = [await service.token(), await service.token()]
    expect(new Set(tokens).size).toBe(2)
    for (const header of tokens) expect((await service.get(root, { headers: [header] })).status).toBe(200)
  })

  test('#17 #18 no body, no length; an empty chunked body', async () => {
    expect((await put('/latest/api/token', `${ttl}: 60`)).status).toBe(200)
    const head = requestText(service, '/latest/api/token', {
      method: 'PUT',
      headers: [`${ttl}: 60`, 'Transfer-Encoding: chunked'],
    })
    expect((await raw(service, `${head}0\r\n\r\n`)).status).toBe(200)
  })

  test('#20 with a slash at the end: no redirect', async () => {
    const { status, text } = await put('/latest/api/token/', `${ttl}: 60`)
    expect(status).toBe(200)
    expect(text).toHaveLength(56)
  })

  test('a body of a megabyte is refused and the service lives', async () => {
    const head = requestText(service, '/latest/api/token', {
      method: 'PUT',
      headers: [`${ttl}: 60`, 'Content-Length: 1048576'],
    })
    expect((await raw(service, head)).status).toBe(413)
    expect((await put('/latest/api/token', `${ttl}: 60`)).status).toBe(200)
  })
})

describe('reads with and without token', () => {
  test('#21 a leaf without token', async () => {
    const { status, text } = await service.get(`${root}/instance-id`)
    expect(status).toBe(200)
    expect(text).toMatch(/^i-[0-9a-f]{8,17}$/)
  })

  test('#22 with a token: the seconds left', async () => {
    const { status, headers } = await service.get(`${root}/instance-id`, { headers: [await service.token(60)] })
    expect(status).toBe(200)
    const left = headers['x-aws-ec2-metadata-token-ttl-seconds'] ?? ''
    expect(left).toMatch(/^\d+$/)
    expect(Number(left)).toBeGreaterThanOrEqual(1)
    expect(Number(left)).toBeLessThanOrEqual(60)
  })

  test('#22 without a token: no such header', async () => {
    expect((await service.get(root)).headers).not.toHaveProperty('x-aws-ec2-metadata-token-ttl-seconds')
  })

  test.each(['garbage', '', 'AQAEA'.padEnd(54, 'A') + '=='])('#23 with the token %p: 401', async token => {
    const headers = [`X-aws-ec2-metadata-token: ${token}`]
    expect((await service.get(`${root}/instance-id`, { headers })).status).toBe(401)
  })

  test('#24 a token that has ended: 401', async () => {
    let now = Date.now()
    const timed = await start({ now: () => now })
    const headers = [await timed.token(1)]
    now += 999
    const last = await timed.get(root, { headers })
    expect([last.status, last.headers['x-aws-ec2-metadata-token-ttl-seconds']]).toEqual([200, '1'])
    now += 1
    expect((await timed.get(root, { headers })).status).toBe(401)
  })

  const everywhere = [
    ...[`${root}/instance-id`, root, `${root}/`, '/', '/latest', '/latest/', `${root}/placement/`],
    ...[`${root}/iam/security-credentials/`, `${root}/iam/security-credentials/${roleName}`],
    ...['/latest/dynamic/instance-identity/document', '/latest/user-data', '/2021-03-23/meta-data/'],
  ]
  test.each(everywhere)('#25-#31 token required: %s', async path => {
    const refused = await strict.get(path)
    expect(refused.status).toBe(401)
    expect(refused.text).not.toContain('ASIA')
    expect((await strict.get(path, { headers: [await strict.token()] })).status).toBe(200)
  })

  test('#25 token required: not even what is missing is said', async () => {
    expect((await strict.get('/nothing/here')).status).toBe(401)
    expect((await strict.get(`${root}/instance-id`, { method: 'HEAD' })).status).toBe(401)
  })

  test('#32 #33 a token lives as long as its key', async () => {
    const headers = [await service.token()]
    const restarted = await start()
    const foreign = await start({ key: new Uint8Array(32).fill(8) })
    expect((await restarted.get(root, { headers })).status).toBe(200)
    expect((await foreign.get(root, { headers })).status).toBe(401)
  })

  test('#34 the pages of 401 and 404', async () => {
    const lost = await service.get('/latest/nothing')
    const refused = await service.get(root, { headers: ['X-aws-ec2-metadata-token: x'] })
    expect([lost.status, lost.headers['content-type']]).toEqual([404, 'text/html'])
    expect(lost.text).toContain('<h1>404 - Not Found</h1>')
    expect(refused.headers['content-type']).toBe('text/html')
    expect(refused.text).toContain('<title>401 - Unauthorized</title>')
  })

  test('#35 a 404 with a good token says the seconds left', async () => {
    const { status, headers } = await service.get('/latest/nothing', { headers: [await service.token(300)] })
    expect(status).toBe(404)
    expect(headers['x-aws-ec2-metadata-token-ttl-seconds']).toBe('300')
  })
})

const listing = `ami-id
ami-launch-index
ami-manifest-path
block-device-mapping/
hostname
iam/
instance-action
instance-id
instance-type
kernel-id
local-hostname
local-ipv4
mac
metrics/
network/
placement/
profile
public-keys/
reservation-id
security-groups
services/`

describe('tree', () => {
  const text = async (path: string): Promise<string> => {
    const response = await service.get(path)
    expect([path, response.status]).toEqual([path, 200])
    return response.text
  }
  const document = async (): Promise<Record<string, unknown>> =>
    JSON.parse(await text('/latest/dynamic/instance-identity/document'))

  test.each([root, `${root}/`])('#36 #37 %s lists the 21 entries in their order', async path => {
    const response = await service.get(path)
    expect(response.status).toBe(200)
    expect(response.text).toBe(listing)
  })

  test('#38 #39 every version that is listed serves the tree', async () => {
    const listed = (await text('/')).split('\n')
    expect(listed).toEqual([...versions])
    expect(listed.at(-1)).toBe('latest')
    expect(listed).toContain('2009-04-04')
    expect(listed).toContain('2021-03-23')
    const id = await text(`${root}/instance-id`)
    for (const version of listed) expect(await text(`/${version}/meta-data/instance-id`)).toBe(id)
  })

  test.each(['/2030-01-01/meta-data/', '/foo', '/2030-01-01', '/latest2', '/LATEST/meta-data'])(
    '#40 %s: 404',
    async path => {
      expect((await service.get(path)).status).toBe(404)
    },
  )

  test('#41 the top of a version, with user data only where there is some', async () => {
    for (const path of ['/latest', '/latest/', '/2016-09-02/']) expect(await text(path)).toBe('dynamic\nmeta-data')
    const other = await start({ userData: Buffer.from('x') })
    expect((await other.get('/latest/')).text).toBe('dynamic\nmeta-data\nuser-data')
  })

  test('#42 a leaf with a slash is the leaf', async () => {
    expect(await text(`${root}/placement/availability-zone/`)).toBe(await text(`${root}/placement/availability-zone`))
  })

  test.each([
    '//latest//meta-data/instance-id',
    '/latest/meta-data//instance-id///',
    '///latest/meta-data/instance-id',
  ])('#43 %s', async path => {
    expect(await text(path)).toBe(await text(`${root}/instance-id`))
  })

  test('#44 every entry that is listed resolves and is not empty', async () => {
    const count = [...(await crawl(service, '/latest/meta-data/')), ...(await crawl(service, '/latest/dynamic/'))]
      .length
    expect(count).toBeGreaterThan(50)
    expect(count).toBeLessThan(500)
  })

  test.each([
    ...[`${root}/nothing`, `${root}/instance-id/x`, `${root}/instance`, `${root}/instance-idx`, `${root}/iam/infox`],
    ...[
      `${root}/public-keys/1`,
      `${root}/public-keys/0=cloudtoken/x`,
      `${root}/network/interfaces/macs/00:00:00:00:00:00/`,
    ],
  ])('#45 #46 #47 %s: 404', async path => {
    expect((await service.get(path)).status).toBe(404)
  })

  test('#48 zone, region and identity document agree', async () => {
    for (const region of ['eu-west-1', 'us-east-1']) {
      const other = await start({ region })
      const zone = (await other.get(`${root}/placement/availability-zone`)).text
      expect(zone.slice(0, -1)).toBe(region)
      expect(zone).toMatch(/[a-z]$/)
      expect((await other.get(`${root}/placement/region`)).text).toBe(region)
      expect(JSON.parse((await other.get('/latest/dynamic/instance-identity/document')).text)).toMatchObject({
        region,
        availabilityZone: zone,
      })
    }
  })

  test("#48 a role of another partition has that partition's region and domain", async () => {
    const credentials = createCredentials({ roleArn: 'arn:aws-cn:iam::210987654321:role/R', accountId: '210987654321' })
    const snapshot = { credentials }
    const other = await start({ region: 'eu-west-1', snapshot: () => snapshot })
    expect((await other.get(`${root}/placement/region`)).text).toBe('cn-north-1')
    expect((await other.get(`${root}/services/domain`)).text).toBe('amazonaws.com.cn')
    expect((await other.get(`${root}/services/partition`)).text).toBe('aws-cn')
    expect((await other.get(`${root}/iam/info`)).text).toContain('arn:aws-cn:iam::210987654321:instance-profile/R"')
  })

  test('#49 the network card is the one of the mac', async () => {
    const mac = await text(`${root}/mac`)
    expect(mac).toMatch(/^02(:[0-9a-f]{2}){5}$/)
    expect(await text(`${root}/network/interfaces/macs/`)).toBe(`${mac}/`)
    expect(await text(`${root}/network/interfaces/macs/${mac}/device-number`)).toBe('0')
    expect(await text(`${root}/network/interfaces/macs/${mac}/mac`)).toBe(mac)
  })

  test('#50 #51 identity document, host name and address agree', async () => {
    const identity = await document()
    const address = await text(`${root}/local-ipv4`)
    expect(identity).toMatchObject({
      accountId: '123456789012',
      privateIp: address,
      instanceId: await text(`${root}/instance-id`),
      instanceType: await text(`${root}/instance-type`),
      imageId: await text(`${root}/ami-id`),
      kernelId: await text(`${root}/kernel-id`),
      version: '2017-09-30',
    })
    expect(await text(`${root}/hostname`)).toBe(`ip-${address.replaceAll('.', '-')}.ec2.internal`)
    expect(await text(`${root}/local-hostname`)).toBe(await text(`${root}/hostname`))
    expect(await text('/latest/dynamic/instance-identity/document/')).toBe(
      await text('/latest/dynamic/instance-identity/document'),
    )
  })

  test('#52 no signature, nowhere', async () => {
    expect(await text('/latest/dynamic/instance-identity/')).toBe('document')
    for (const name of ['signature', 'pkcs7', 'rsa2048']) {
      expect((await service.get(`/latest/dynamic/instance-identity/${name}`)).status).toBe(404)
    }
  })

  test('#53 user data: raw bytes, or 404', async () => {
    expect((await service.get('/latest/user-data')).status).toBe(404)
    const bytes = Buffer.from([0, 1, 127, 128, 255, 10, 13, 0])
    const other = await start({ userData: bytes })
    for (const path of ['/latest/user-data', '/latest/user-data/', '/2009-04-04/user-data']) {
      const response = await other.get(path)
      expect(response.headers['content-type']).toBe('application/octet-stream')
      expect(response.headers['content-length']).toBe('8')
      expect(response.bytes).toEqual(bytes)
    }
  })

  test('#54 public keys are listed with their number and name', async () => {
    expect(await text(`${root}/public-keys/`)).toBe('0=cloudtoken')
    expect(await text(`${root}/public-keys/0/`)).toBe('openssh-key')
    expect(await text(`${root}/public-keys/0/openssh-key`)).toMatch(
      /^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI[\w+/]{43} cloudtoken$/,
    )
  })

  test.each(['spot/termination-time', 'events/maintenance/history', 'tags/instance', 'public-ipv4'])(
    '#55 %s: 404',
    async name => {
      expect((await service.get(`${root}/${name}`)).status).toBe(404)
    },
  )

  test.each([
    ...['/latest/meta-data/%2e%2e/meta-data/instance-id', '/latest/meta-data/../meta-data/instance-id'],
    ...['/latest/meta-data/iam/%2E%2e/instance-id', '/latest/meta-data/iam/.%2e/instance-id/', '/x/../latest'],
    ...['/latest/./meta-data', '/latest/%2e/meta-data', '/latest/meta-data/iam/..', '/latest/meta-data/iam/../'],
    ...['/latest/meta-data/iam/..%2finstance-id', '/latest/meta-data%2finstance-id', '/latest/meta-data%2Finstance-id'],
    ...['/latest/meta-data/instance-id%00', '/latest/meta-data/%00', '/latest/meta-data/%', '/latest/meta-data/%zz'],
    ...[
      '/latest/meta-data/..%5cinstance-id',
      '/latest\\meta-data\\instance-id',
      '/latest/meta-data/%252e%252e/instance-id',
    ],
    ...['/%2e%2e/%2e%2e/etc/passwd', '/latest/meta-data/iam/..;/instance-id', '/latest/meta-data/instance-id%20'],
    ...['/latest/meta-data/%c0%ae%c0%ae/instance-id', '/latest/meta-data/instance-id;x'],
  ])('#56 %s is no other spelling of anything', async path => {
    expect([400, 404]).toContain((await service.get(path)).status)
  })

  test('a query is no part of the path', async () => {
    expect(await text(`${root}/instance-id?x=/../y`)).toBe(await text(`${root}/instance-id`))
  })

  test('placeholders are the same after a restart', async () => {
    const other = await start()
    for (const name of ['instance-id', 'mac', 'local-ipv4', 'ami-id', 'reservation-id']) {
      expect((await other.get(`${root}/${name}`)).text).toBe(await text(`${root}/${name}`))
    }
  })
})

describe('credentials', () => {
  const list = `${root}/iam/security-credentials`

  test.each(['x/%2e%2e/security-credentials/', '%2e/security-credentials', 'x/../security-credentials'])(
    '#56 %s is no way to the list',
    async path => {
      expect([400, 404]).toContain((await service.get(`${root}/iam/${path}`)).status)
    },
  )
  const extended = `${root}/iam/security-credentials-extended`

  test.each([list, `${list}/`])('#57 %s: the name of the role alone', async path => {
    const { text, headers } = await service.get(path)
    expect(text).toBe(roleName)
    expect(headers['content-type']).toBe('text/plain')
  })

  test('#58 #59 #60 exactly the seven keys, in the form of EC2, with the true end', async () => {
    const issued = new Date('2026-01-02T03:04:05.678Z')
    const expiration = new Date('2026-01-02T04:04:05.999Z')
    const snapshot = { credentials: createCredentials({ issued, expiration, sessionToken: 'tok"en' }) }
    const other = await start({ snapshot: () => snapshot, now: () => issued.getTime() + 60_000 })
    const expected = `{
  "Code" : "Success",
  "LastUpdated" : "2026-01-02T03:04:05Z",
  "Type" : "AWS-HMAC",
  "AccessKeyId" : "ASIAEXAMPLEKEY",
  "SecretAccessKey" : "example/secret+access=key",
  "Token" : "tok\\"en",
  "Expiration" : "2026-01-02T04:04:05Z"
}`
    for (const path of [`${list}/${roleName}`, `${list}/${roleName}/`])
      expect((await other.get(path)).text).toBe(expected)
  })

  test.each(['Other', 'Read-Only-Rol', 'Read-Only-RoleX', 'read-only-role', 'ops', 'ops/Read-Only-Role'])(
    '#61 the role %s: 404',
    async name => {
      expect((await service.get(`${list}/${name}`)).status).toBe(404)
      expect((await service.get(`${extended}/${name}`)).status).toBe(404)
    },
  )

  test.each(['a+b=c,d.e@f_g-h', '__proto__', 'constructor', '12', 'body'])(
    '#62 the role name %s, raw and encoded',
    async name => {
      const snapshot = { credentials: createCredentials({ roleArn: `arn:aws:iam::123456789012:role/x/${name}` }) }
      const other = await start({ snapshot: () => snapshot })
      const encoded = Array.from(name, letter => `%${letter.charCodeAt(0).toString(16)}`).join('')
      expect((await other.get(list)).text).toBe(name)
      for (const path of [`${list}/${name}`, `${list}/${encodeURIComponent(name)}`, `${list}/${encoded}`]) {
        expect(JSON.parse((await other.get(path)).text)).toMatchObject({
          Code: 'Success',
          AccessKeyId: 'ASIAEXAMPLEKEY',
        })
      }
    },
  )

  test('#63 the extended form adds the account and is not listed', async () => {
    expect((await service.get(`${extended}/`)).text).toBe(roleName)
    const plain = JSON.parse((await service.get(`${list}/${roleName}`)).text)
    const more = JSON.parse((await service.get(`${extended}/${roleName}`)).text)
    expect(more).toEqual({ ...plain, AccountId: '123456789012' })
    expect(Object.keys(plain)).toHaveLength(7)
  })

  test('#64 iam/info names account and partition', async () => {
    const info = JSON.parse((await service.get(`${root}/iam/info`)).text)
    expect(info).toEqual({
      Code: 'Success',
      LastUpdated: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      InstanceProfileArn: 'arn:aws:iam::123456789012:instance-profile/Read-Only-Role',
      InstanceProfileId: expect.stringMatching(/^AIPA[A-Z2-7]{17}$/),
    })
  })

  test('#65 iam/ lists exactly two', async () => {
    expect((await service.get(`${root}/iam/`)).text).toBe('info\nsecurity-credentials/')
  })

  test('#66 before the first sign-in no role is attached', async () => {
    const none = await start({ snapshot: () => ({ trouble: { code: 'SignInRequired', message: 'run: cloudtoken' } }) })
    for (const path of [
      list,
      `${list}/`,
      `${list}/${roleName}`,
      extended,
      `${extended}/`,
      `${root}/iam/`,
      `${root}/iam/info`,
    ]) {
      expect([path, (await none.get(path)).status]).toEqual([path, 404])
    }
    expect((await none.get(root)).text).toBe(listing.replace('iam/\n', ''))
    const { accountId } = JSON.parse((await none.get('/latest/dynamic/instance-identity/document')).text)
    expect(accountId).toMatch(/^\d{12}$/)
  })

  test('#67 trouble with renewal changes nothing while the credentials are good', async () => {
    const trouble = { code: 'SignInRequired', message: 'sign in again; run: cloudtoken' }
    const credentials = createCredentials()
    const other = await start({ snapshot: () => ({ credentials, trouble }) })
    expect(JSON.parse((await other.get(`${list}/${roleName}`)).text)).toMatchObject({ Code: 'Success' })
  })

  test('#63 #68 after the true end: 200, a code, a message with the command, and no keys', async () => {
    const credentials = createCredentials({
      issued: new Date('2026-01-02T03:00:00Z'),
      expiration: new Date('2026-01-02T04:00:00.500Z'),
    })
    let now = credentials.expiration.getTime() - 501
    let trouble: MetadataSnapshot['trouble']
    const other = await start({ snapshot: () => ({ credentials, trouble }), now: () => now })
    const read = async (path: string): Promise<Record<string, string>> => JSON.parse((await other.get(path)).text)
    expect((await read(`${list}/${roleName}`))['Code']).toBe('Success')
    // Never after what `Expiration` says.
    now += 1
    for (const path of [`${list}/${roleName}`, `${extended}/${roleName}`]) {
      const response = await other.get(path)
      expect(response.status).toBe(200)
      expect(response.text).not.toContain('ASIA')
      expect(response.text).not.toContain('secret')
      expect(JSON.parse(response.text)).toEqual({
        Code: 'CredentialsExpired',
        Message: 'the credentials of Read-Only-Role ended at 2026-01-02T04:00:00Z; run: cloudtoken',
        LastUpdated: '2026-01-02T03:00:00Z',
      })
    }
    trouble = { code: 'SignInRequired', message: 'sign in again; run: cloudtoken --refresh' }
    expect(await read(`${list}/${roleName}`)).toMatchObject({ Code: trouble.code, Message: trouble.message })
    expect((await other.get(list)).text).toBe(roleName)
  })

  test('#69 readers across a change see one set or the other, whole', async () => {
    const sets = ['A', 'B'].map(letter =>
      createCredentials({
        accessKeyId: `ASIA${letter}`,
        secretAccessKey: `secret-${letter}`,
        sessionToken: `token-${letter}`,
      }),
    )
    let asked = 0
    // A change after every third look.
    const other = await start({ snapshot: () => ({ credentials: sets[Math.floor((asked += 1) / 3) % 2] }) })
    const seen = new Set<string>()
    const reader = async (): Promise<void> => {
      const connection = await openRaw(other)
      for (let turn = 0; turn < 5; turn += 1) {
        const { text } = await connection.send(requestText(other, `${list}/${roleName}`))
        const body = JSON.parse(text)
        const letter = String(body.AccessKeyId).slice(-1)
        expect([body.SecretAccessKey, body.Token]).toEqual([`secret-${letter}`, `token-${letter}`])
        seen.add(letter)
      }
      connection.end()
    }
    await Promise.all(Array.from({ length: 200 }, reader))
    expect([...seen].toSorted()).toEqual(['A', 'B'])
  })

  test('#62 another role is served in place, the old one is gone', async () => {
    let roleArn = 'arn:aws:iam::123456789012:role/One'
    const other = await start({ snapshot: () => ({ credentials: createCredentials({ roleArn }) }) })
    expect((await other.get(list)).text).toBe('One')
    roleArn = 'arn:aws:iam::210987654321:role/Two'
    expect((await other.get(list)).text).toBe('Two')
    expect((await other.get(`${list}/One`)).status).toBe(404)
  })
})

describe('http', () => {
  test('#72 #73 #74 #79 the headers of EC2', async () => {
    for (const path of [root, `${root}/instance-id`, `${root}/iam/security-credentials/${roleName}`, '/']) {
      const { headers, bytes } = await service.get(path)
      expect(headers).toMatchObject({ 'content-type': 'text/plain', server: 'EC2ws', 'accept-ranges': 'none' })
      expect(headers['last-modified']).toMatch(/ GMT$/)
      expect(headers['date']).toMatch(/ GMT$/)
      expect(headers['content-length']).toBe(String(bytes.length))
      expect(headers).not.toHaveProperty('transfer-encoding')
    }
  })

  test('#75 HEAD has the headers of GET', async () => {
    for (const path of [
      root,
      `${root}/instance-id/`,
      '/latest/nothing',
      '/latest/dynamic/instance-identity/document',
    ]) {
      const get = await service.get(path)
      const head = await service.get(path, { method: 'HEAD' })
      expect(head.status).toBe(get.status)
      const { date, ...rest } = head.headers
      const { date: _, ...expected } = get.headers
      expect(date).toBeDefined()
      expect(rest).toEqual(expected)
    }
  })

  test('#75 nothing follows the headers of an answer to HEAD', async () => {
    const connection = await openRaw(service)
    await connection.send(requestText(service, root, { method: 'HEAD' }), true)
    expect((await connection.send(requestText(service, `${root}/ami-launch-index`))).text).toBe('0')
    connection.end()
  })

  test.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT', 'PROPFIND'])(
    '#76 %s on metadata: 405',
    async method => {
      for (const path of [root, `${root}/instance-id`, '/']) {
        const { status, text } = await service.get(path, { method })
        expect(status).toBe(405)
        expect(text).toBe('')
      }
    },
  )

  test('#77 a hundred requests on one connection', async () => {
    const connection = await openRaw(service)
    for (let turn = 0; turn < 100; turn += 1) {
      expect((await connection.send(requestText(service, `${root}/ami-launch-index`))).text).toBe('0')
    }
    connection.end()
  })

  test('#77 requests sent all at once are answered in order', async () => {
    const connection = await openRaw(service)
    const paths = [`${root}/ami-launch-index`, `${root}/profile`, `${root}/instance-action`]
    const first = await connection.send(paths.map(path => requestText(service, path)).join(''))
    const texts = [first.text, (await connection.send('')).text, (await connection.send('')).text]
    expect(texts).toEqual(['0', 'default-hvm', 'none'])
    connection.end()
  })

  test('thousands of requests sent all at once end the connection', async () => {
    const connection = await openRaw(service)
    const statuses: number[] = []
    const answers = async (): Promise<void> => {
      const one = requestText(service, `${root}/profile`)
      for (let text = one.repeat(5000); ; text = '') statuses.push((await connection.send(text)).status)
    }
    // Closed with requests unread, the connection may lose the last answers.
    await expect(answers()).rejects.toThrow('the connection was closed')
    expect(statuses.length).toBeLessThan(1000)
    expect(statuses.filter(status => status !== 200 && status !== 503)).toEqual([])
    const few = await openRaw(service)
    const hundred = requestText(service, `${root}/profile`).repeat(100)
    for (let turn = 0; turn < 100; turn += 1) expect((await few.send(turn === 0 ? hundred : '')).status).toBe(200)
    few.end()
  })

  test('#78 HTTP/1.0 with Host works, without is refused', async () => {
    const good = await raw(service, `GET ${root}/profile HTTP/1.0\r\nHost: 127.0.0.1:${service.port}\r\n\r\n`)
    expect([good.status, good.text]).toEqual([200, 'default-hvm'])
    for (const request of [`GET ${root} HTTP/1.0\r\n\r\n`, `GET ${root} HTTP/1.1\r\n\r\n`]) {
      const bad = await raw(service, request)
      expect(bad.status).toBeGreaterThanOrEqual(400)
      expect(bad.status).toBeLessThan(500)
      expect(bad.text).not.toContain('latest')
      expect(bad.text).not.toContain('ami-id')
    }
  })

  test('one failing read is a 500 without a word, and the next one works', async () => {
    let broken = true
    const snapshot = { credentials: createCredentials() }
    const other = await start({
      snapshot: () => {
        if (broken) throw new Error('a secret of the inside')
        return snapshot
      },
    })
    const { status, text } = await other.get(root)
    expect(status).toBe(500)
    expect(text).not.toContain('secret')
    broken = false
    expect((await other.get(root)).status).toBe(200)
  })
})
