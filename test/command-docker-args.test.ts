import { expect, test } from 'bun:test'
import { metadataArgs } from '../src/command-docker-args.ts'
import { failureIn } from './failure.ts'

const settings = { listen: '169.254.169.254:80', allowFrom: [], allowHost: [] }
const endpoint = (url: string): string[] => ['-e', `AWS_EC2_METADATA_SERVICE_ENDPOINT=${url}`]

test('the metadata address is reached from a bridge, if the daemon lets it', () => {
  const words = endpoint('http://169.254.169.254/')
  expect(metadataArgs(settings, false)).toEqual({ words, daemon: expect.stringContaining('--allow-from') })
  expect(metadataArgs({ ...settings, allowFrom: ['172.17.0.0/16'] }, false)).toEqual({ words })
  const bridge = metadataArgs({ ...settings, listen: '172.17.0.1:9911' }, false)
  expect(bridge.words).toEqual(endpoint('http://172.17.0.1:9911/'))
})

test('loopback is reached in our own network', () => {
  for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
    const args = metadataArgs({ ...settings, listen: `${host}:9911` }, false)
    expect(args).toEqual({ words: ['--network', 'host', ...endpoint(`http://${host}:9911/`)] })
  }
})

test('Docker Desktop has a name for this machine, which the daemon has to know', () => {
  const loopback = { ...settings, listen: '127.0.0.1:9911' }
  const words = endpoint('http://host.docker.internal:9911/')
  expect(metadataArgs(loopback, true)).toEqual({ words, daemon: '--allow-host host.docker.internal' })
  expect(metadataArgs({ ...loopback, allowHost: ['host.docker.internal'] }, true)).toEqual({ words })
  expect(failureIn(() => metadataArgs(settings, true))).toMatchObject({
    kind: 'config',
    hint: expect.stringContaining('127.0.0.1:9911'),
  })
})
