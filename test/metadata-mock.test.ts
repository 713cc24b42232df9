/** Configurations of amazon-ec2-metadata-mock, in the forms that its documents and its own `-s` give them. */
import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createTree } from '../src/metadata-tree.ts'
import { isMockConfig, readMockConfig } from '../src/metadata-mock.ts'
import { sourceOf } from '../src/metadata-source.ts'
import { createCredentials, startMetadata } from './metadata-server.ts'

const now = new Date('2026-01-02T03:04:05Z')
const read = (value: object) => readMockConfig(JSON.stringify(value), 'aemm.json', now)

/** The pages with a role, by path below `latest`. */
function bodies(value: object): (path: string) => unknown {
  const { values } = read(value)
  const pages = createTree({ seed: 'test', profile: 'ec2', values })({ credentials: createCredentials() })
  return path => pages.get(`/latest/${path}`)?.body
}

describe('a configuration of amazon-ec2-metadata-mock', () => {
  test.each([
    [{ metadata: {} }, true],
    [{ imdsv2: true }, true],
    [{ 'mock-delay-sec': 3 }, true],
    [{ latest: 'x', paths: {} }, false],
    [{}, false],
    [{ something: 1 }, false],
  ])('%j is one: %p', (value, expected) => {
    expect(isMockConfig(JSON.stringify(value))).toBe(expected)
  })

  test('yaml is none, nor is half a file', () => {
    expect(isMockConfig('metadata: {}')).toBe(false)
    expect(isMockConfig('{"metadata": ')).toBe(false)
  })

  test('its values stand where it has them, and what depends on them follows', () => {
    const body = bodies({
      metadata: {
        values: {
          mac: '0e:49:61:0f:c3:77',
          'public-ipv4': '198.51.100.77',
          'mac-owner-id': '515336597381',
          'mac-ipv4-associations': '198.51.100.77',
          'block-device-mapping-ebs': 'sdb',
          'placement-availability-zone': 'us-east-2b',
          'placement-host-id': 'h-0da999999f9999fb9',
          'public-key': 'ssh-rsa AAAA test',
          'services-domain': 'example.com',
          'tags-instance': { Name: 'test-instance', Test: 'tag' },
          'target-lifecycle-state': 'Terminated',
          'elastic-inference-associations': 'eia-1',
          'elastic-inference-accelerator': { version_2018_04_12: { 'elastic-inference-accelerator-id': 'eia-1' } },
        },
      },
      dynamic: {
        values: {
          'instance-identity-document': { accountId: '9876543210', region: 'us-east-1' },
          'fws-instance-monitoring': 'enabled',
        },
      },
      userdata: { values: { userdata: 'MTIzNCxqb2huCg==' } },
    })
    const card = 'meta-data/network/interfaces/macs/0e:49:61:0f:c3:77'
    expect(body('meta-data/network/interfaces/macs')).toBe('0e:49:61:0f:c3:77/')
    expect(body(`${card}/owner-id`)).toBe('515336597381')
    expect(body(`${card}/ipv4-associations`)).toBe('198.51.100.77')
    expect(body(`${card}/public-ipv4s`)).toBe('198.51.100.77')
    expect(body('meta-data/block-device-mapping')).toBe('ami\nebs0\nebs1\nroot')
    expect(body('meta-data/placement/host-id')).toBe('h-0da999999f9999fb9')
    expect(body('meta-data/placement/availability-zone-id')).toBe('use2-az2')
    expect(body('meta-data/public-keys/0/openssh-key')).toBe('ssh-rsa AAAA test')
    expect(body('meta-data/services/domain')).toBe('example.com')
    expect(body('meta-data/tags/instance')).toBe('Name\nTest')
    expect(body('meta-data/autoscaling/target-lifecycle-state')).toBe('Terminated')
    expect(body('meta-data/elastic-inference/associations')).toBe('eia-1')
    expect(body('meta-data/elastic-inference/associations/eia-1')).toContain(
      '"elastic-inference-accelerator-id": "eia-1"',
    )
    expect(JSON.parse(String(body('dynamic/instance-identity/document')))).toMatchObject({
      accountId: '9876543210',
      region: 'us-east-1',
    })
    expect(body('dynamic/fws/instance-monitoring')).toBe('enabled')
    expect(body('user-data')).toEqual(new Uint8Array(new TextEncoder().encode('1234,john\n')))
  })

  test('a value under a path of its own stands there', () => {
    const body = bodies({
      metadata: {
        paths: { 'ami-id': '/latest/meta-data/image/id', mine: '/latest/meta-data/mine/too' },
        values: { 'ami-id': 'ami-1', mine: 7 },
      },
    })
    expect([body('meta-data/image/id'), body('meta-data/mine/too')]).toEqual(['ami-1', '7'])
    expect(body('meta-data')).toContain('\nimage/\n')
  })

  test('the credentials stay real, and it says so once', async () => {
    const { values, warnings } = read({
      metadata: {
        values: {
          'iam-info': { Code: 'Success' },
          'iam-security-credentials-role': 'baskinc-role',
          'iam-security-credentials': { AccessKeyId: '12345678901' },
        },
      },
    })
    expect(warnings).toEqual(['aemm.json: what it says of iam is left out: the credentials are real'])
    const service = await startMetadata({ profile: 'ec2', values })
    const list = '/latest/meta-data/iam/security-credentials/'
    expect((await service.get(list)).text).toBe('Read-Only-Role')
    expect((await service.get(`${list}Read-Only-Role`)).text).toContain('ASIAEXAMPLEKEY')
    await service.stop()
  })

  test('spot, events and delay begin as simulations; imdsv2 wants tokens', () => {
    expect(
      read({
        imdsv2: true,
        'mock-delay-sec': 60,
        'rebalance-delay-sec': 5,
        'mock-ip-count': 2,
        server: { port: '1338' },
        spot: { action: 'stop', time: '', 'rebalance-rec-time': '2026-01-02T03:00:00Z' },
        events: { code: 'instance-stop', state: 'active', 'not-before': '2026-02-01T00:00:00-05:00' },
        metadata: { values: { 'event-id': 'instance-event-42' } },
      }),
    ).toEqual({
      values: new Map(),
      warnings: [],
      requireToken: true,
      wanted: [
        {
          delaySeconds: 60,
          simulated: {
            'spot-interruption': { action: 'stop', time: '2026-01-02T03:07:05Z' },
            maintenance: {
              ...{ code: 'instance-stop', state: 'active', from: '2026-02-01T05:00:00Z', to: '2026-01-09T03:05:05Z' },
              ...{ deadline: '2026-01-11T03:05:05Z', id: 'instance-event-42' },
            },
          },
        },
        { delaySeconds: 5, simulated: { rebalance: { time: '2026-01-02T03:00:00Z' } } },
      ],
    })
    expect(read({ 'mock-trigger-time': '2026-01-02T03:05:00Z', spot: {} }).wanted[0]?.delaySeconds).toBe(55)
    const older = read({ 'spot-itn': { 'instance-action': 'hibernate' } }).wanted[0]?.simulated
    expect(older?.['spot-interruption']?.action).toBe('hibernate')
  })

  test.each([
    [{ metadata: {}, spott: {} }, 'unknown key spott', 'did you mean spot?'],
    [{ metadata: { value: {} } }, 'unknown key metadata.value', 'did you mean values?'],
    [
      { metadata: { values: { 'ami-ld': 'x' } } },
      'unknown value metadata.values.ami-ld, and no path for it',
      'did you mean ami-id?',
    ],
    [
      { metadata: { values: { constructor: 'x' } } },
      'unknown value metadata.values.constructor, and no path for it',
      undefined,
    ],
    [{ metadata: { values: [] } }, 'metadata.values is no object', undefined],
    [{ metadata: { paths: { x: '/2020-01-01/y' } } }, 'metadata.paths.x does not begin with /latest/', undefined],
    [{ userdata: { values: { userdata: 'not base64!' } } }, 'userdata is not base64', undefined],
    [{ spot: { action: 'explode' } }, 'action is not one of terminate, stop, hibernate', undefined],
    [{ spot: { time: 'soon' } }, 'time is no time', undefined],
    [{ events: { kind: 'x' } }, 'unknown key events.kind', undefined],
    [
      { metadata: { values: { 'tags-instance': { '..': 'x' } } } },
      'metadata.values.tags-instance: meta-data/tags/instance/.. is no name of a value',
      undefined,
    ],
    [{ 'mock-delay-sec': -1 }, 'mock-delay-sec is no number of seconds', undefined],
  ])('%j is not understood: %s', (value, message, hint) => {
    const expected = { kind: 'config', message: `aemm.json: ${message}`, ...(hint !== undefined && { hint }) }
    expect(() => read(value)).toThrow(expect.objectContaining(expected))
  })

  test('more values than an instance could have, and pages without end, are refused', () => {
    const tags = Object.fromEntries(Array.from({ length: 1001 }, (_, index) => [`k${index}`, 'x']))
    expect(() => read({ metadata: { values: { 'tags-instance': tags } } })).toThrow(
      'k1000 is one more than 1000 values',
    )
    const deep: unknown = JSON.parse('['.repeat(5000) + ']'.repeat(5000))
    expect(() => read({ metadata: { values: { 'ami-id': deep } } })).toThrow('is nested more than 50 times')
  })

  test('a value that is not even text is a mistake of the file', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'cloudtoken-mock-'))
    const file = path.join(folder, 'aemm.json')
    writeFileSync(file, '{"spot":{"time":{"toString":1}}}')
    const settings = { metadataConfig: file, metadataProfile: 'classic', region: undefined }
    const config = { file: undefined, metadata: {} }
    const error = await sourceOf({ settings, config, paths: { config: folder } }, 'seed').catch(failed => failed)
    expect(error).toMatchObject({ kind: 'config', message: expect.stringContaining(`${file} is not understood`) })
    rmSync(folder, { recursive: true })
  })

  test('what has no meaning here is told', () => {
    const { warnings } = read({
      'mock-ip-count': 1,
      'asg-termination-delay-sec': 5,
      metadata: { paths: { 'ipv4-associations': '/latest/meta-data/x', 'ami-id': '/latest/meta-data/ami-id' } },
    })
    expect(warnings).toEqual([
      'aemm.json: asg-termination-delay-sec is left out',
      'aemm.json: mock-ip-count is left out: every caller sees the same',
      'aemm.json: metadata.paths.ipv4-associations has no value',
    ])
  })
})
