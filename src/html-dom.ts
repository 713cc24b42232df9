/**
 * Walks a page in source order, over htmlparser2.
 *
 * The elements alone do not tell which form owns a control: browsers settle that while they parse. So the tags that matter
 * beyond them (forms, and elements whose content a browser with scripts does not show) are parsed as void markers, which
 * keep their place in the document order, and told to the visitor as events.
 */
import { failure, type Failure } from './errors.ts'

export interface Tag {
  /** Lower case. */
  readonly name: string
  /** Names in lower case, values decoded; the first of a repeated name counts. */
  readonly attributes: ReadonlyMap<string, string>
}

export interface Visitor {
  /** Tags of the elements around it are those entered and not left yet. */
  enter(tag: Tag): void
  leave(tag: Tag): void
  text(data: string): void
  formStart(tag: Tag): void
  formEnd(): void
}

/** Deeper than any page that a browser shows (they stop at 512); what is open is searched at every end tag. */
const deepest = 1000

const marked = /<(\/?)(form|noscript|iframe|noembed|noframes|template)(?=[\s/>])/gi

/** Calls the visitor for what a browser with scripts would see. Content of noscript, iframe, template and comments is left out. */
export async function walkHtml(source: string, visitor: Visitor): Promise<void> {
  const { Parser } = await import('htmlparser2')
  // No page can hold this.
  const mark = `mark${crypto.randomUUID().replaceAll('-', '')}`
  // A slash between the parts keeps the replacement in one piece inside an unquoted value, too. Forms end paragraphs,
  // as `hr` does.
  const text = source.replace(
    marked,
    (_, slash: string, name: string) => `<${/form/i.test(name) ? 'hr' : 'wbr'}/${mark}${slash ? 'e' : 's'}-${name}`,
  )
  const written = new RegExp(`<(?:hr|wbr)/${mark}([es])-(\\w+)`, 'g')
  const restore = (value: string): string =>
    value.includes(mark)
      ? value.replace(written, (_, side: string, name: string) => `<${side === 'e' ? '/' : ''}${name}`)
      : value

  // The content of a textarea comes as it is written.
  const decoded = (raw: string): string => {
    let out = ''
    new Parser({ ontext: data => void (out += data) }).end(`<p>${raw.replaceAll('<', '&lt;')}</p>`)
    return out
  }
  let outside: { name: string; depth: number } | undefined
  /** Elements that are open; `undefined` for what the visitor is not told of. */
  const open: (Tag | undefined)[] = []

  /** The tag, where the visitor is told of it as an element. */
  function enter(tag: Tag): Tag | undefined {
    const marker = tag.name === 'wbr' || tag.name === 'hr' ? markerOf(tag, mark) : undefined
    if (!marker) {
      if (outside) return undefined
      visitor.enter(tag)
      return tag
    }
    const { name, end } = marker
    if (outside) {
      // Templates nest; the others are raw text that ends at the first end tag.
      if (name === outside.name) outside.depth += end ? -1 : name === 'template' ? 1 : 0
      if (outside.depth === 0) outside = undefined
    } else if (name !== 'form') {
      if (!end) outside = { name, depth: 1 }
    } else if (end) visitor.formEnd()
    else visitor.formStart({ name, attributes: tag.attributes })
    return undefined
  }

  const parser = new Parser({
    onopentag(name, attributes) {
      if (open.length === deepest) throw noSignIn(`nests its elements more than ${deepest} deep`)
      const values = Object.entries(attributes).map(([key, value]) => [key, restore(value)] as const)
      open.push(enter({ name, attributes: new Map(values) }))
    },
    ontext(data) {
      if (outside) return
      const text = restore(data)
      visitor.text(open.at(-1)?.name === 'textarea' && text.includes('&') ? decoded(text) : text)
    },
    onclosetag() {
      const tag = open.pop()
      if (tag) visitor.leave(tag)
    },
  })
  parser.end(text)
}

/** No page on which people sign in; its size alone would cost more than it is worth. */
export function noSignIn(why: string): Failure {
  return failure('network', `a page of the sign-in ${why}`, { code: 'page-unknown', hint: 'cloudtoken --browser' })
}

function markerOf(tag: Tag, mark: string): { name: string; end: boolean } | undefined {
  for (const key of tag.attributes.keys()) {
    if (key.startsWith(mark)) return { name: key.slice(mark.length + 2), end: key.charAt(mark.length) === 'e' }
  }
  return undefined
}
