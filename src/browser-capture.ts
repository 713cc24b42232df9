/**
 * The SAMLResponse, out of the request that carries it to AWS. The request itself never leaves the browser.
 */
import { isAwsSignIn, partitions } from './arn.ts'
import type { DevTools } from './browser-pipe.ts'
import { formFailure } from './form-failure.ts'
import { readSamlResponse } from './form-saml.ts'
import { place } from './form-text.ts'
import { fieldsOf } from './json.ts'

/** Holds every request for AWS sign-in, of all windows and frames, before it is sent. */
export async function catchResponse(
  devtools: DevTools,
  found: (response: string) => void,
  failed: (error: Error) => void,
): Promise<void> {
  devtools.onEvent((method, { requestId, request }) => {
    if (method !== 'Fetch.requestPaused') return
    const { url, method: verb, postData, postDataEntries } = fieldsOf(request)
    const mine = typeof url === 'string' && verb === 'POST' && isAwsSignIn(url)
    if (!mine) {
      devtools.send('Fetch.continueRequest', { requestId }).catch(() => {})
      return
    }
    // No content: the page stays as it is until the browser closes.
    devtools.send('Fetch.fulfillRequest', { requestId, responseCode: 204 }).catch(() => {})
    const field = new URLSearchParams(bodyOf(postData, postDataEntries)).get('SAMLResponse')
    const read = field === null ? undefined : readSamlResponse(field)
    if (read) found(read.base64)
    else failed(formFailure('saml-missing', `the page sent no whole SAMLResponse to ${place(url)}`))
  })
  const hosts = partitions.flatMap(({ signInHosts }) => signInHosts.flatMap(host => [host, `*.${host}`]))
  await devtools.send('Fetch.enable', { patterns: hosts.map(host => ({ urlPattern: `https://${host}/saml*` })) })
}

function bodyOf(postData: unknown, entries: unknown): string {
  if (typeof postData === 'string') return postData
  if (!Array.isArray(entries)) return ''
  return entries
    .map(entry => fieldsOf(entry)['bytes'])
    .map(bytes => (typeof bytes === 'string' ? atob(bytes) : ''))
    .join('')
}
