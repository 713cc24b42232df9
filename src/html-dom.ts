/**
 * Walks a page in source order, over linkedom.
 *
 * A tree alone does not tell which form owns a control: browsers settle that while they parse. So the tags that matter
 * beyond the tree (forms, and elements whose content a browser with scripts does not show) are parsed as void markers,
 * which keep their place in the document order, and told to the visitor as events.
 */

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

/** The part of the DOM that is needed, so that linkedom's own types stay out of the way. */
interface DomNode {
  readonly nodeType: number
  readonly nodeValue: string | null
  readonly firstChild: DomNode | null
  readonly nextSibling: DomNode | null
}

interface DomElement extends DomNode {
  readonly localName: string
  getAttributeNames(): Iterable<string>
  getAttribute(name: string): string | null
}

const marked = /<(\/?)(form|noscript|iframe|noembed|noframes|template)(?=[\s/>])/gi

/** Calls the visitor for what a browser with scripts would see. Content of noscript, iframe, template and comments is left out. */
export async function walkHtml(source: string, visitor: Visitor): Promise<void> {
  const { DOMParser } = await import('linkedom')
  const mark = unusedMark(source)
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

  const parser = new DOMParser()
  // linkedom leaves the content of a textarea as it is written.
  const decoded = (raw: string): string =>
    parser.parseFromString(`<p>${raw.replaceAll('<', '&lt;')}</p>`, 'text/html').documentElement.textContent ?? ''
  let outside: { name: string; depth: number } | undefined
  const enter = (node: DomNode, parent: Tag | undefined): Tag | undefined => {
    if (!isElement(node)) {
      if (node.nodeType !== 3 || outside) return undefined
      const data = restore(node.nodeValue ?? '')
      visitor.text(parent?.name === 'textarea' && data.includes('&') ? decoded(data) : data)
      return undefined
    }
    const tag = readTag(node, restore)
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

  // A doctype has no next sibling here, so the outermost nodes are taken from the list.
  for (const top of parser.parseFromString(text, 'text/html').childNodes)
    walkTree(top, enter, tag => visitor.leave(tag))
}

/** By hand and without recursion: pages are hostile, and depth costs nothing to write. */
function walkTree(
  top: DomNode,
  enter: (node: DomNode, parent: Tag | undefined) => Tag | undefined,
  leave: (tag: Tag) => void,
): void {
  const open: { node: DomNode; tag: Tag | undefined }[] = []
  let node: DomNode | null = top
  while (node) {
    const current: DomNode = node
    const tag = enter(current, open.at(-1)?.tag)
    const child: DomNode | null = isElement(current) ? current.firstChild : null
    if (child) {
      open.push({ node: current, tag })
      node = child
      continue
    }
    if (tag) leave(tag)
    node = open.length > 0 ? current.nextSibling : null
    while (!node) {
      const parent = open.pop()
      if (!parent) return
      if (parent.tag) leave(parent.tag)
      node = open.length > 0 ? parent.node.nextSibling : null
    }
  }
}

function isElement(node: DomNode): node is DomElement {
  return node.nodeType === 1
}

function readTag(element: DomElement, restore: (value: string) => string): Tag {
  const attributes = new Map<string, string>()
  for (const name of element.getAttributeNames()) {
    const key = name.toLowerCase()
    if (!attributes.has(key)) attributes.set(key, restore(element.getAttribute(name) ?? ''))
  }
  return { name: element.localName.toLowerCase(), attributes }
}

function markerOf(tag: Tag, mark: string): { name: string; end: boolean } | undefined {
  for (const key of tag.attributes.keys()) {
    if (key.startsWith(mark)) return { name: key.slice(mark.length + 2), end: key.charAt(mark.length) === 'e' }
  }
  return undefined
}

function unusedMark(source: string): string {
  const lower = source.toLowerCase()
  let number = 0
  while (lower.includes(`mark${number}`)) number += 1
  return `mark${number}`
}
