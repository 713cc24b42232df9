/** The site: the documents of the repository, the reference made from the tables, and a search that asks no server. */
import { defineConfig } from 'vitepress'
import sidebar from '../../dist/site/sidebar.json'

export default defineConfig({
  title: 'cloudtoken',
  description:
    "Sign in at your company's identity provider once; every AWS tool on this machine has fresh credentials.",
  srcDir: '../dist/site/source',
  outDir: '../dist/site/html',
  cacheDir: '../dist/site/cache',
  // <NAME> in a text is a word, not an element.
  markdown: { config: markdown => void markdown.set({ html: false }) },
  themeConfig: { sidebar, search: { provider: 'local' }, outline: [2, 3] },
})
