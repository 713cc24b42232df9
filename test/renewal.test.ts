import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { failure, type Failure } from '../src/errors.ts'
import {
  callFor,
  createOrders,
  dueAt,
  keepFresh,
  retryDelay,
  sleepUntil,
  type RenewalOptions,
  type RenewalState,
} from '../src/renewal.ts'
import type { Credentials } from '../src/types.ts'
import { fakeClock, type FakeClock } from './clock.ts'

const minute = 60_000

function credentials(clock: FakeClock, minutes: number, name = 'one'): Credentials {
  const issued = clock.now()
  return {
    accessKeyId: `ASIA${name}`,
    secretAccessKey: 'secret',
    sessionToken: 'token',
    issued: new Date(issued),
    expiration: new Date(issued + minutes * minute),
    roleArn: 'arn:aws:iam::123456789012:role/A',
    accountId: '123456789012',
  }
}

function loop(clock: FakeClock, renew: RenewalOptions['renew'], more: Partial<RenewalOptions> = {}) {
  const stop = new AbortController()
  const states: RenewalState[] = []
  const first = credentials(clock, 60)
  const done = keepFresh(first, {
    clock,
    signal: stop.signal,
    interval: 2700,
    renew,
    lastSignIn: () => 0,
    onState: state => states.push(state),
    ...more,
  })
  return {
    states,
    get last() {
      return states.at(-1)
    },
    async stop() {
      stop.abort()
      await done
    },
  }
}

test('other work that fails leaves the sign-in of a person to the loop', async () => {
  const clock = fakeClock()
  const orders = createOrders()
  let signIn = 0
  let refused = true
  const renewal = loop(
    clock,
    async () => {
      if (refused) throw failure('person', 'sign in')
      return credentials(clock, 60, 'two')
    },
    { orders, lastSignIn: () => signIn },
  )
  await clock.pass(50 * minute)
  expect(renewal.last?.needsPerson).toBe(true)
  signIn = 1
  refused = false
  const used = orders.place(() => Promise.reject(failure('role', 'no such role')))
  await expect(used).rejects.toThrow('no such role')
  await clock.pass(10_000)
  expect(renewal.last?.credentials?.accessKeyId).toBe('ASIAtwo')
  await renewal.stop()
})

describe('sleepUntil', () => {
  test.each([
    ['in its time', 90_000, (clock: FakeClock) => clock.pass(90_000)],
    [
      'after the machine slept',
      90_000,
      async (clock: FakeClock) => {
        clock.suspend(80_000)
        await clock.pass(30_000)
      },
    ],
    [
      'though somebody set the clock back',
      90_000,
      async (clock: FakeClock) => {
        clock.set(0)
        await clock.pass(90_000)
      },
    ],
  ])('ends %s', async (_, ms, pass) => {
    const clock = fakeClock()
    let over = false
    void sleepUntil(clock.now() + ms, clock, new AbortController().signal).then(() => (over = true))
    await clock.pass(1000)
    expect(over).toBe(false)
    await pass(clock)
    expect(over).toBe(true)
  })
  test('never looks away for longer than a timer can count', async () => {
    const clock = fakeClock()
    const ends = new AbortController()
    const asked: number[] = []
    const counted = { ...clock, sleep: (ms: number, signal?: AbortSignal) => (asked.push(ms), clock.sleep(ms, signal)) }
    const done = sleepUntil(clock.now() + 2 ** 40, counted, ends.signal)
    await clock.pass(minute)
    ends.abort()
    await done
    expect(Math.max(...asked)).toBeLessThanOrEqual(minute)
  })
})

describe('dueAt', () => {
  const at = (minutes: number, interval = 2700, jitter = 0): number => {
    const issued = new Date(0)
    return dueAt({ issued, expiration: new Date(minutes * minute) }, interval, jitter) / minute
  }
  test.each([
    [60, 2700, 45],
    [50, 2700, 35],
    [720, 2700, 45],
    [60, 600, 10],
    [30, 2700, 15],
    [15, 2700, 7.5],
    [31, 2700, 16],
  ])('a session of %p min with interval %p s is due after %p min', (life, interval, due) => {
    expect(at(life, interval)).toBe(due)
  })
  test('is early by jitter, never by more than a minute', () => {
    expect(at(60, 2700, 0.999)).toBeLessThan(45)
    expect(at(60, 2700, 0.999)).toBeGreaterThan(44)
  })
  test('never after the margin, never before issue', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 15, max: 720 }),
        fc.integer({ min: 1, max: 43_200 }),
        fc.double({ min: 0, max: 0.99, noNaN: true }),
        (life, interval, jitter) => {
          const due = at(life, interval, jitter)
          expect(due).toBeGreaterThan(0)
          expect(due).toBeLessThanOrEqual(life <= 30 ? life / 2 : life - 15)
          expect(due).toBeLessThanOrEqual(interval / 60)
        },
      ),
    )
  })
})

test('retryDelay starts at the smaller of 15 s and a tenth of what is left, grows, and stops at 5 min or a third of it', () => {
  expect(retryDelay(1, 15 * minute, 0)).toBe(15_000)
  expect(retryDelay(1, 60_000, 0)).toBe(6000)
  expect(retryDelay(2, 15 * minute, 0)).toBe(30_000)
  expect(retryDelay(30, 15 * minute, 0)).toBe(5 * minute)
  expect(retryDelay(30, 3 * minute, 0)).toBe(minute)
  expect(retryDelay(30, -minute, 0)).toBe(5 * minute)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: -1e7, max: 1e7 }), (failures, left) => {
      expect(retryDelay(failures, left, 0.9)).toBeGreaterThanOrEqual(800)
      expect(retryDelay(failures + 1, left, 0)).toBeGreaterThanOrEqual(retryDelay(failures, left, 0))
    }),
  )
})

describe('keepFresh', () => {
  test('renews every 45 minutes, once each time', async () => {
    const clock = fakeClock()
    let calls = 0
    const run = loop(clock, () => Promise.resolve(credentials(clock, 60, String((calls += 1)))))
    await clock.pass(44 * minute)
    expect(calls).toBe(0)
    await clock.pass(2 * minute)
    expect(calls).toBe(1)
    expect(run.last?.credentials?.accessKeyId).toBe('ASIA1')
    await clock.pass(45 * minute)
    expect(calls).toBe(2)
    await run.stop()
  })

  test('keeps the valid set while renewal fails, backs off, and recovers', async () => {
    const clock = fakeClock()
    let down = true
    let calls = 0
    const run = loop(clock, () => {
      calls += 1
      return down
        ? Promise.reject(failure('network', 'the identity provider is down'))
        : Promise.resolve(credentials(clock, 60, 'new'))
    })
    await clock.pass(46 * minute)
    expect(run.last).toMatchObject({ needsPerson: false, lastError: 'the identity provider is down' })
    expect(run.last?.credentials?.accessKeyId).toBe('ASIAone')
    await clock.pass(60 * minute)
    expect(calls).toBeLessThan(25)
    down = false
    await clock.pass(6 * minute)
    expect(run.last).toMatchObject({ failures: 0, lastError: undefined })
    expect(run.last?.credentials?.accessKeyId).toBe('ASIAnew')
    await run.stop()
  })

  test('#71 a laptop that slept for three hours renews within 30 s of waking', async () => {
    const clock = fakeClock()
    let calls = 0
    const run = loop(clock, () => Promise.resolve(credentials(clock, 60, String((calls += 1)))))
    await clock.pass(minute)
    clock.suspend(180 * minute)
    await clock.pass(30_000)
    expect(calls).toBe(1)
    await run.stop()
  })

  test('a clock set back does not postpone the renewal', async () => {
    const clock = fakeClock()
    let calls = 0
    const run = loop(clock, () => Promise.resolve(credentials(clock, 60, String((calls += 1)))))
    await clock.pass(minute)
    clock.set(clock.now() - 24 * 60 * minute)
    await clock.pass(45 * minute)
    expect(calls).toBe(1)
    await run.stop()
  })

  test('#71 a clock set forward renews once, not again and again', async () => {
    const clock = fakeClock()
    let calls = 0
    const run = loop(clock, () => Promise.resolve(credentials(clock, 60, String((calls += 1)))))
    await clock.pass(minute)
    clock.set(clock.now() + 24 * 60 * minute)
    await clock.pass(5 * minute)
    expect(calls).toBe(1)
    await run.stop()
  })

  test('when a person is needed it tries once, then waits for them to sign in', async () => {
    const clock = fakeClock()
    let calls = 0
    let cookies = 1
    let signedIn = false
    const run = loop(
      clock,
      () => {
        calls += 1
        return signedIn
          ? Promise.resolve(credentials(clock, 60, 'new'))
          : Promise.reject(failure('person', 'the session at the identity provider has ended'))
      },
      { lastSignIn: () => cookies },
    )
    await clock.pass(180 * minute)
    expect(calls).toBe(1)
    expect(run.last?.needsPerson).toBe(true)
    signedIn = true
    cookies = 2
    await clock.pass(31_000)
    expect(calls).toBe(2)
    expect(run.last).toMatchObject({ needsPerson: false, failures: 0 })
    await run.stop()
  })

  test('one attempt at a time, however long it takes', async () => {
    const clock = fakeClock()
    let running = 0
    let most = 0
    const run = loop(clock, async () => {
      running += 1
      most = Math.max(most, running)
      await clock.sleep(10 * minute)
      running -= 1
      return credentials(clock, 60)
    })
    await clock.pass(300 * minute)
    expect(most).toBe(1)
    await run.stop()
  })

  test('credentials that STS cut short do not make a storm', async () => {
    const clock = fakeClock()
    let calls = 0
    const run = loop(clock, () => {
      calls += 1
      return Promise.resolve({ ...credentials(clock, 60), expiration: new Date(clock.now() + 500) })
    })
    await clock.pass(46 * minute)
    const before = calls
    await clock.pass(minute)
    expect(calls - before).toBeLessThanOrEqual(2)
    await run.stop()
  })
})

describe('a person who is elsewhere', () => {
  const states = async (...errors: readonly Failure[]): Promise<(string | undefined)[]> => {
    const clock = fakeClock()
    const orders = createOrders()
    let turn = 0
    const renew = (): Promise<Credentials> => {
      const error = errors[turn++]
      return error ? Promise.reject(error) : Promise.resolve(credentials(clock, 60, 'new'))
    }
    const run = loop(clock, renew, { orders })
    const said: (string | undefined)[] = []
    for (const _ of [...errors, undefined]) {
      orders.place().catch(() => {})
      await clock.pass(1)
      said.push(run.last && callFor(run.last))
    }
    await run.stop()
    return said
  }

  test('is called for a role that STS refuses again, not for one refusal, haste or a network', async () => {
    const denied = failure('sts', 'not authorized', { code: 'AccessDenied' })
    const hasty = failure('sts', 'too many', { code: 'Throttling' })
    const gone = failure('network', 'no network')
    const call = 'AWS refuses the role: run cloudtoken status in a terminal'
    expect(await states(denied, denied, denied)).toEqual([undefined, call, call, undefined])
    expect(await states(denied, hasty, denied, gone)).toEqual(Array(5).fill(undefined))
    expect(await states(failure('person', 'sign in'))).toEqual([expect.stringContaining('Sign in again'), undefined])
  })
})

describe('orders', () => {
  test('are fulfilled at once, one after the other, and the loop goes on from there', async () => {
    const clock = fakeClock()
    const orders = createOrders()
    let renewals = 0
    const renew = () => Promise.resolve(credentials(clock, 60, `own${(renewals += 1)}`))
    const run = loop(clock, renew, { orders })
    await clock.pass(10 * minute)
    const both = Promise.all([orders.place(), orders.place(() => Promise.resolve(credentials(clock, 60, 'other')))])
    await clock.pass(1)
    expect((await both).map(set => set.accessKeyId)).toEqual(['ASIAown1', 'ASIAother'])
    expect(run.last?.credentials?.accessKeyId).toBe('ASIAother')
    await clock.pass(44 * minute)
    expect(renewals).toBe(1)
    await clock.pass(2 * minute)
    expect(renewals).toBe(2)
    await run.stop()
  })

  test('other work that fails leaves everything as it was; a renewal that fails counts as one', async () => {
    const clock = fakeClock()
    const orders = createOrders()
    const run = loop(clock, () => Promise.reject(failure('person', 'sign in')), { orders })
    await clock.pass(minute)
    const before = run.last
    const refused = orders.place(() => Promise.reject(failure('role', 'no such role'))).catch(String)
    await clock.pass(1)
    expect(await refused).toContain('no such role')
    expect(run.last).toBe(before as RenewalState)
    const failed = orders.place().catch(String)
    await clock.pass(1)
    expect(await failed).toContain('sign in')
    expect(run.last).toMatchObject({ needsPerson: true, failures: 1, lastError: 'sign in' })
    await run.stop()
  })
})
