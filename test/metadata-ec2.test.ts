/** The full tree and values of one's own, over real sockets. Numbers are those of the conformance list. */
import { afterAll, describe, expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { readValues, type MetadataValues } from '../src/metadata-values.ts'
import { startMetadata, type TestOptions, type TestService } from './metadata-server.ts'
import { crawl } from './raw.ts'

const started: TestService[] = []

async function start(options?: TestOptions): Promise<TestService> {
  const service = await startMetadata({ profile: 'ec2', ...options })
  started.push(service)
  return service
}

afterAll(async () => {
  await Promise.all(started.map(service => service.stop()))
})

const root = '/latest/meta-data'
const service = await start()
const values = (entries: Record<string, unknown>): MetadataValues => readValues(entries, 'config.yaml: metadata')

async function read(from: TestService, path: string): Promise<string> {
  const { status, text } = await from.get(path)
  expect([path, status]).toEqual([path, 200])
  return text
}

const documentOf = async (from: TestService) =>
  JSON.parse(await read(from, '/latest/dynamic/instance-identity/document'))

describe('--metadata-profile ec2', () => {
  test('#36 the 21 entries of the classic profile are among its own, and all stand in order', async () => {
    const lines = (await read(service, root)).split('\n')
    const classic = await start({ profile: 'classic' })
    for (const line of (await read(classic, root)).split('\n')) expect(lines).toContain(line)
    expect(lines).toEqual([
      ...['ami-id', 'ami-launch-index', 'ami-manifest-path', 'ancestor-ami-ids', 'autoscaling/'],
      ...['block-device-mapping/', 'events/', 'hostname', 'iam/', 'instance-action', 'instance-id'],
      ...['instance-life-cycle', 'instance-type', 'ipv6', 'kernel-id', 'local-hostname', 'local-ipv4', 'mac'],
      ...['metrics/', 'network/', 'placement/', 'product-codes', 'profile', 'public-hostname', 'public-ipv4'],
      ...['public-keys/', 'ramdisk-id', 'reservation-id', 'security-groups', 'services/', 'system', 'tags/'],
    ])
    expect((await service.get(`${root}/`)).text).toBe(lines.join('\n'))
  })

  test('what both profiles have is the same in both', async () => {
    const classic = await start({ profile: 'classic' })
    for (const path of await crawl(classic, `${root}/`)) {
      if (path.endsWith('/') || path.includes('/iam/')) continue
      expect(await read(service, path)).toBe(await read(classic, path))
    }
  })

  test('#44 every entry that is listed resolves and is not empty', async () => {
    const paths = [...(await crawl(service, `${root}/`)), ...(await crawl(service, '/latest/dynamic/'))]
    expect(paths.length).toBeGreaterThan(80)
    expect(paths.length).toBeLessThan(500)
    expect(paths).toContain(`${root}/tags/instance/Name`)
    expect(paths).toContain('/latest/dynamic/fws/instance-monitoring')
  })

  test('#42 #48 #49 #50 its values agree with each other', async () => {
    const mac = await read(service, `${root}/mac`)
    const card = `${root}/network/interfaces/macs/${mac}`
    const [address, zone] = [
      await read(service, `${root}/local-ipv4`),
      await read(service, `${root}/placement/availability-zone`),
    ]
    const publicAddress = await read(service, `${root}/public-ipv4`)
    expect(publicAddress).toMatch(/^203\.0\.113\.\d+$/)
    expect(await read(service, `${card}/ipv4-associations/`)).toBe(publicAddress)
    expect(await read(service, `${card}/ipv4-associations/${publicAddress}`)).toBe(address)
    expect(await read(service, `${card}/public-ipv4s`)).toBe(publicAddress)
    expect(await read(service, `${card}/public-hostname/`)).toBe(await read(service, `${root}/public-hostname`))
    expect(await read(service, `${root}/public-hostname`)).toBe(
      `ec2-${publicAddress.replaceAll('.', '-')}.compute-1.amazonaws.com`,
    )
    const subnet = (await read(service, `${card}/subnet-ipv6-cidr-blocks`)).replace('::/64', '')
    expect(await read(service, `${card}/vpc-ipv6-cidr-blocks`)).toBe(`${subnet}::/56`)
    expect(await read(service, `${root}/ipv6`)).toStartWith(`${subnet}::`)
    expect(await read(service, `${card}/ipv6s`)).toBe(await read(service, `${root}/ipv6`))
    expect([zone, await read(service, `${root}/placement/availability-zone-id`)]).toEqual(['us-east-1a', 'use1-az1'])
    expect(await documentOf(service)).toMatchObject({
      privateIp: address,
      ramdiskId: await read(service, `${root}/ramdisk-id`),
      marketplaceProductCodes: [await read(service, `${root}/product-codes`)],
    })
  })

  test.each([
    ...[
      ['eu-central-1', 'euc1-az1'],
      ['ap-southeast-2', 'apse2-az1'],
      ['us-west-2', 'usw2-az1'],
    ],
    ...[
      ['ap-northeast-3', 'apne3-az1'],
      ['mx-central-1', 'mxc1-az1'],
    ],
  ])('the zone of %s has the id %s', async (region, id) => {
    expect(await read(await start({ region }), `${root}/placement/availability-zone-id`)).toBe(id)
  })

  test.each([
    ...['dynamic/instance-identity/signature', 'dynamic/instance-identity/pkcs7', 'dynamic/instance-identity/rsa2048'],
    ...['meta-data/spot/instance-action', 'meta-data/events/recommendations/rebalance', 'user-data'],
    ...['meta-data/identity-credentials/ec2/info', 'meta-data/placement/host-id'],
  ])('#52 #55 %s: 404', async path => {
    expect((await service.get(`/latest/${path}`)).status).toBe(404)
  })
})

describe('metadata: of config.yaml', () => {
  test('what is given is served, and what depends on it follows', async () => {
    const other = await start({
      values: values({
        'instance-id': 'i-0fedcba9876543210',
        'instance-type': 'm5.large',
        'local-ipv4': '10.1.18.4',
        'placement/availability-zone': 'eu-west-1c',
        mac: '02:aa:bb:cc:dd:ee',
        'public-ipv4': '198.51.100.7',
        'security-groups': 'web',
        'ramdisk-id': 'ari-12345678',
        'network/interfaces/macs/{mac}/owner-id': '999999999999',
      }),
    })
    expect(await documentOf(other)).toMatchObject({
      ...{ instanceId: 'i-0fedcba9876543210', instanceType: 'm5.large', privateIp: '10.1.18.4' },
      ...{ availabilityZone: 'eu-west-1c', region: 'eu-west-1' },
    })
    const card = `${root}/network/interfaces/macs/02:aa:bb:cc:dd:ee`
    expect(await read(other, `${root}/network/interfaces/macs/`)).toBe('02:aa:bb:cc:dd:ee/')
    expect(await documentOf(other)).toMatchObject({ ramdiskId: 'ari-12345678' })
    expect(await read(other, `${card}/security-groups`)).toBe('web')
    expect(await read(other, `${card}/owner-id`)).toBe('999999999999')
    expect(await read(other, `${card}/subnet-ipv4-cidr-block`)).toBe('10.1.16.0/20')
    expect(await read(other, `${card}/vpc-ipv4-cidr-blocks`)).toBe('10.1.0.0/16')
    expect(await read(other, `${card}/ipv4-associations/198.51.100.7`)).toBe('10.1.18.4')
    expect(await read(other, `${root}/local-hostname`)).toBe('ip-10-1-18-4.eu-west-1.compute.internal')
    expect(await read(other, `${root}/public-hostname`)).toBe('ec2-198-51-100-7.eu-west-1.compute.amazonaws.com')
    expect(await read(other, `${root}/placement/availability-zone-id`)).toBe('euw1-az3')
    expect(await read(other, `${root}/placement/region`)).toBe('eu-west-1')
  })

  test('#44 what is added is listed in its place, what is taken away is not', async () => {
    const good = await start({
      profile: 'classic',
      values: values({
        'placement/group-name': 'mine',
        'tags/instance/Stage': 'test',
        'public-keys/1=deploy/openssh-key': 'ssh-ed25519 AAAA deploy',
        'public-keys/0/openssh-key': 'ssh-ed25519 BBBB first',
        'elastic-gpus/associations/egpu-1': { connectionConfig: { ipv4Address: '10.0.0.9' } },
        'metrics/vhostmd': null,
        'kernel-id': '',
      }),
    })
    expect(await read(good, `${root}/placement/`)).toBe('availability-zone\ngroup-name\nregion')
    expect(await read(good, `${root}/public-keys/`)).toBe('0=cloudtoken\n1=deploy')
    expect(await read(good, `${root}/public-keys/1/openssh-key`)).toBe('ssh-ed25519 AAAA deploy')
    expect(await read(good, `${root}/public-keys/0/openssh-key`)).toBe('ssh-ed25519 BBBB first')
    expect(JSON.parse(await read(good, `${root}/elastic-gpus/associations/egpu-1`))).toHaveProperty('connectionConfig')
    const lines = (await read(good, root)).split('\n')
    expect(lines).toEqual(lines.toSorted())
    expect(lines).toContain('tags/')
    for (const gone of ['metrics/', 'metrics', 'kernel-id']) expect(lines).not.toContain(gone)
    for (const gone of ['metrics', 'metrics/vhostmd', 'kernel-id'])
      expect((await good.get(`${root}/${gone}`)).status).toBe(404)
    await crawl(good, `${root}/`)
  })

  test('#41 #53 user data and the identity document', async () => {
    const other = await start({
      values: values({
        'user-data': '#!/bin/sh\necho é\n',
        'dynamic/instance-identity/document': { accountId: '111122223333' },
      }),
    })
    const { bytes, headers } = await other.get('/latest/user-data')
    expect([headers['content-type'], Buffer.from(bytes).toString('utf8')]).toEqual([
      'application/octet-stream',
      '#!/bin/sh\necho é\n',
    ])
    expect(await read(other, '/latest/')).toBe('dynamic\nmeta-data\nuser-data')
    expect(await documentOf(other)).toMatchObject({ accountId: '111122223333', region: 'us-east-1' })
  })

  test.each([
    ['iam/info', 'iam/info cannot be set: the credentials are real'],
    ['/latest/meta-data/iam/security-credentials/x', 'cannot be set: the credentials are real'],
    ['identity-credentials/ec2/info', 'cannot be set'],
    ['user-data/x', 'is no name of a value'],
    ['a b', 'is no name of a value'],
    ['', 'is no name of a value'],
    ['dynamic', 'is no name of a value'],
  ])('the name %p is refused', (name, message) => {
    expect(() => values({ [name]: 'x' })).toThrow(
      expect.objectContaining({ kind: 'config', message: expect.stringContaining(message) }),
    )
  })

  test('a value cannot be a folder as well; user data has a limit; an address is one', async () => {
    expect(() => values({ placement: 'x', 'placement/region': 'y' })).toThrow('cannot both have a value')
    for (const bad of [
      { 'user-data': 'x'.repeat(16_385) },
      { 'local-ipv4': '10.1' },
      { mac: '../x' },
      { 'public-ipv4': '1/2' },
    ]) {
      expect(await start({ values: values(bad) }).catch((error: Error) => error)).toMatchObject({ kind: 'config' })
    }
  })
})
