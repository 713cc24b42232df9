/** Results for programs, of the commands that no other file here is about. */
import { expect, test } from 'bun:test'
import { usePlace } from './cli.ts'

const place = await usePlace()

test('docker-args: each word by itself, and what the daemon needs', async () => {
  const { stdout } = await place.run(['docker-args', '--json', '--listen', '172.17.0.1:9911', '--region', 'eu-west-1'])
  expect(JSON.parse(stdout)).toEqual({
    args: [
      ...['-e', 'AWS_EC2_METADATA_SERVICE_ENDPOINT=http://172.17.0.1:9911/'],
      ...['-e', 'AWS_REGION=eu-west-1', '-e', 'AWS_DEFAULT_REGION=eu-west-1'],
    ],
    daemon: '--allow-from 172.17.0.0/16, or the network of the container',
  })
})

test('link status: the address, and whose it is', async () => {
  const { code, stdout } = await place.run(['link', 'status', '--json'])
  expect([code, JSON.parse(stdout)]).toEqual([0, [expect.objectContaining({ address: '169.254.169.254' })]])
  expect(['absent', 'kept', 'in-use', 'left-behind', 'foreign']).toContain(JSON.parse(stdout)[0].state)
})
