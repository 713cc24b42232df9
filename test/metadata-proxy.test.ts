/** `proxy.yaml` of the original, read as it stands. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { isFailure } from '../src/errors.ts'
import { readProxyConfig } from '../src/metadata-proxy.ts'
import { createCredentials, startMetadata } from './metadata-server.ts'

const file = `latest: 2016-09-02
paths:
  /:
    - latest
    - 2016-09-02
  2016-09-02:
    /: [meta-data, dynamic]
    /meta-data:
      - ami-id
      - ami-launch-index
      - iam
      - placement
      - document
      - public-keys
      - missing
    /meta-data/ami-id: ami-12345678
    /meta-data/ami-launch-index: 0
    /meta-data/placement/: [availability-zone]
    /meta-data/placement/availability-zone: ap-southeast-2a
    /meta-data/document:
      region: ap-southeast-2
      count: 3
      empty: null
    /meta-data/public-keys: [0=my-key]
    /meta-data/public-keys/0: [openssh-key]
    /meta-data/public-keys/0/openssh-key: "ssh-rsa AAAA é"
    /meta-data/iam: [nonsense]
    /meta-data/iam/security-credentials/Read-Only-Role: stolen
    /dynamic: []
`

describe('proxy.yaml', () => {
  const { source, warnings } = readProxyConfig(file, 'proxy.yaml')
  const pages = source({ credentials: createCredentials() })
  const body = (path: string, from = pages) => from.get(path)?.body

  test('#48-row lists, leaves and maps', async () => {
    expect(await body('/')).toBe('latest\n2016-09-02')
    expect(await body('/latest')).toBe('meta-data/\ndynamic/')
    expect(await body('/latest/meta-data')).toBe(
      'ami-id\nami-launch-index\niam/\nplacement/\ndocument/\npublic-keys/\nmissing',
    )
    expect(await body('/2016-09-02/meta-data/ami-id')).toBe('ami-12345678')
    expect(await body('/latest/meta-data/ami-launch-index')).toBe('0')
    expect(await body('/latest/meta-data/placement')).toBe('availability-zone')
    expect(await body('/latest/meta-data/placement/availability-zone')).toBe('ap-southeast-2a')
    expect(JSON.parse(String(await body('/latest/meta-data/document')))).toEqual({
      region: 'ap-southeast-2',
      count: 3,
      empty: null,
    })
    expect(await body('/latest/meta-data/public-keys')).toBe('0=my-key')
    expect(await body('/latest/meta-data/public-keys/0')).toBe('openssh-key')
  })

  test('nothing of the built-in tree is mixed in', () => {
    for (const path of ['/latest/dynamic/instance-identity/document', '/latest/meta-data/instance-id', '/2021-03-23']) {
      expect(pages.has(path)).toBeFalse()
    }
  })

  test('iam is ours, whatever the file says', async () => {
    for (const version of ['latest', '2016-09-02']) {
      expect(await body(`/${version}/meta-data/iam`)).toBe('info\nsecurity-credentials/')
      expect(await body(`/${version}/meta-data/iam/security-credentials`)).toBe('Read-Only-Role')
      expect(await body(`/${version}/meta-data/iam/security-credentials/Read-Only-Role`)).toContain(
        '"Code" : "Success"',
      )
    }
    const before = source({})
    expect([...before.keys()].filter(path => path.includes('/iam'))).toEqual([])
  })

  test('what is listed but not there is told with its line, and is a 404', async () => {
    expect(warnings).toEqual(['proxy.yaml:15: /meta-data/missing is listed, but not there'])
    const service = await startMetadata({ source })
    try {
      expect((await service.get('/latest/meta-data/missing')).status).toBe(404)
      const key = await service.get('/latest/meta-data/public-keys/0/openssh-key/')
      expect([key.text, key.headers['content-length']]).toEqual(['ssh-rsa AAAA é', '15'])
      expect((await service.get('/latest/api/token', { method: 'PUT' })).status).toBe(400)
    } finally {
      await service.stop()
    }
  })

  test('versions are text as written, and stand in for a missing root listing', async () => {
    const { source: other } = readProxyConfig('latest: 1.0\npaths: {1.0: {/: [a], /a: 1.50}}', 'p')
    expect(await body('/', other({}))).toBe('1.0\nlatest')
    expect(await body('/1.0/a', other({}))).toBe('1.50')
    expect(await body('/latest/a', other({}))).toBe('1.50')
  })

  test.each([
    ['', 1, 'the file is no map'],
    ['- a', 1, 'the file is no map'],
    ['paths: {}', 1, 'the file has no latest:'],
    ['latest: x', 1, 'the file has no paths:'],
    ['latest: x\npaths: {}', 1, 'latest is x, which is not under paths'],
    ['latest: x\npaths: []', 2, 'paths is no map'],
    ['latest: x\npaths:\n  x: text', 3, 'x is no map'],
    ['latest: x\npaths:\n  x:\n    /a:\n    /b: 1', 4, '/a has no value'],
    ['latest: x\npaths:\n  x:\n    /a: [[b]]', 4, 'an entry of /a has no value'],
    ['latest: x\npaths:\n  x:\n    /a: ["b\\nc"]', 4, 'an entry of /a has more than one line'],
    ['latest: x\npaths:\n  x:\n    /a: &a {b: *a}', 4, 'cannot be shown as JSON'],
    ['latest: x\npaths:\n  /: text\n  x: {}', 3, '/ is no list'],
    ['latest: x\nlatest: y\npaths: {x: {}}', 2, 'map keys must be unique'],
    ['latest: x\npaths:\n  x: {/a: b', 3, ''],
    ['latest: x\npaths:\n  x:\n    /a: *b', 4, ''],
    ['latest: x\n---\npaths: {}', 2, ''],
  ])('%p fails with its line', (text, line, message) => {
    expect(() => readProxyConfig(text, 'proxy.yaml')).toThrow(
      expect.objectContaining({ kind: 'config', message: expect.stringContaining(`proxy.yaml:${line}: ${message}`) }),
    )
  })

  test('a file that grows without bound is refused', () => {
    const levels = Array.from(
      { length: 30 },
      (_, n) => `    /l${n}: &l${n} {a: ${n ? `*l${n - 1}` : 'x'}, b: ${n ? `*l${n - 1}` : 'x'}}`,
    )
    const text = `latest: x\npaths:\n  x:\n${levels.join('\n')}\n`
    expect(() => readProxyConfig(text, 'p')).toThrow(expect.objectContaining({ kind: 'config' }))
    expect(() => readProxyConfig(`# ${'x'.repeat(2 ** 20)}`, 'p')).toThrow('p has more than 1 MiB')
  })

  test('any text is served or fails with kind config', () => {
    const piece = fc.constantFrom(
      'latest: x',
      'paths:',
      '  x:',
      '    /a: b',
      '    - c',
      ': ',
      '&a ',
      '*a',
      '[',
      '}',
      '"',
      '\t',
      '? ',
      '!!set ',
    )
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 12 }), pieces => {
        try {
          readProxyConfig(pieces.join('\n'), 'p').source({})
        } catch (error) {
          if (!isFailure(error) || error.kind !== 'config') throw error
        }
      }),
      { numRuns: 500 },
    )
  })
})
