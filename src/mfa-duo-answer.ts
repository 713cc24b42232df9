/**
 * The answer to a page of Duo, whatever its generation.
 */
import type { HttpRequest, HttpResponse } from './http.ts'
import { submit, type Page } from './html.ts'
import { answerApp } from './mfa-duo-app.ts'
import { answerFrame } from './mfa-duo-frame.ts'
import { answerList } from './mfa-duo-list.ts'
import type { DuoPage } from './mfa-duo.ts'
import { answerUniversal } from './mfa-duo-universal.ts'
import { needsBrowser } from './mfa-duo-wait.ts'
import type { ProviderContext } from './provider.ts'

/** What leads back to the identity provider, or to Duo's next page. */
export async function answerDuo(
  context: ProviderContext,
  page: Page,
  duo: DuoPage,
): Promise<HttpRequest | HttpResponse> {
  switch (duo.stage) {
    case 'plugin':
      // Empty facts are those of a browser that tells nothing.
      return submit(page, duo.form)
    case 'prompt':
      return answerUniversal(context, page, duo.form)
    case 'app':
      return answerApp(context, page, duo)
    case 'frame':
      return answerFrame(context, page, duo)
    case 'list':
      return answerList(context, page, duo)
    case 'other':
      throw needsBrowser(new URL(page.url).host, duo.name)
  }
}
