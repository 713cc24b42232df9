import { isFailure, type Failure } from '../src/errors.ts'

/** What this fails with, in words that the program would say; any other error is one of the test. */
export async function failureOf(work: Promise<unknown> | (() => unknown)): Promise<Failure> {
  const outcome = await Promise.resolve(work)
    .then(done => (typeof done === 'function' ? done() : done))
    .then(
      () => new Error('it did not fail'),
      (error: unknown) => error,
    )
  if (isFailure(outcome)) return outcome
  throw outcome
}

/** The same for what does not have to be waited for. */
export function failureIn(work: () => unknown): Failure {
  try {
    work()
  } catch (error) {
    if (isFailure(error)) return error
    throw error
  }
  throw new Error('it did not fail')
}
