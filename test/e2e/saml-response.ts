/** A SAMLResponse of the demo identity provider, fetched by hand as a browser would get it. */
export async function fetchResponse(url: string, password: string): Promise<{ response: string }> {
  const first = await fetch(url, { redirect: 'manual' })
  const cookie = first.headers.get('set-cookie')?.split(';')[0] ?? ''
  const location = first.headers.get('location') ?? ''
  const state = new URL(location).searchParams.get('AuthState') ?? ''
  const page = await fetch(location.split('?')[0] ?? '', {
    method: 'POST',
    headers: { cookie },
    body: new URLSearchParams({ AuthState: state, username: 'charlie', password }),
  })
  const response = /name="SAMLResponse" value="([^"]+)"/.exec(await page.text())?.[1]
  if (response === undefined) throw new Error('the demo has another page now')
  return { response }
}
