/**
 * The person's own browser as the way to sign in: on its own, or in the place of another provider's walk.
 */
import { browserLogin, forgetBrowser } from './browser-login.ts'
import { entryUrl } from './provider-form.ts'
import { failure } from './errors.ts'
import type { Provider } from './provider.ts'
import type { Settings } from './options.ts'

export const browser: Provider = {
  name: 'browser',
  summary: 'your own browser: Chrome, Edge, Chromium or Brave',
  inBrowser: true,
  entry,
  authenticate: context => browserLogin(context, new URL(entry(context.settings))),
  async forget({ store }) {
    forgetBrowser(store)
  },
}

/** The same provider, with its pages shown to the person; fails with `config` for one that has none. */
export function throughBrowser(provider: Provider): Provider {
  if (provider.inBrowser) return provider
  const { entry: first, forget } = provider
  if (!first) {
    const hint = 'cloudtoken --provider browser --url URL'
    throw failure('config', `${provider.name} has no page to open in a browser`, { hint, code: 'browser-no-page' })
  }
  return {
    ...provider,
    authenticate: context => browserLogin(context, new URL(first(context.settings))),
    async forget(context) {
      forgetBrowser(context.store)
      await forget?.(context)
    },
  }
}

function entry(settings: Settings): string {
  return entryUrl(settings.url, 'https://idp.example/the/page/that/leads/to/aws').href
}
