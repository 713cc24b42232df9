/**
 * What `look` brings, as soon as it brings something; what fails is tried again. Patient, since the machine of a test may be slow.
 */
export async function until<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  what: string,
): Promise<T> {
  const end = Date.now() + 30_000
  for (;;) {
    const found = await Promise.resolve()
      .then(look)
      .catch(() => undefined)
    if (found !== undefined && found !== false) return found
    if (Date.now() > end) throw new Error(`never: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** What comes next: `look` brings it again and again until it is another. */
export async function another<T>(look: () => Promise<T>, before: T): Promise<T> {
  const { found } = await until(
    async () => {
      const found = await look()
      return found !== before && { found }
    },
    `another than ${String(before)}`,
  )
  return found
}
