/**
 * Elements in which sign-in pages say what went wrong.
 */
import type { Tag } from './html-dom.ts'

const ids =
  /^(?:error|errortext|errortextoption|errormessage|errorarea|loginerror|input-error(?:-.*)?|.*errortextlabel|credentials_table_postheader)$/i

const classes = new Set(
  // Bootstrap and home-grown themes; Shibboleth from 4.1; Shibboleth 3 and 4.0; Keycloak; PingFederate; NetIQ.
  (
    'error alert-error alert-danger error-message errormessage errorlist login-error ' +
    'output--error form-error kc-feedback-text ping-error error-content'
  ).split(' '),
)

export function classesOf(tag: Tag): string[] {
  return (tag.attributes.get('class') ?? '').toLowerCase().split(/\s+/).filter(Boolean)
}

/** @param inTroubledField inside `.has-error`, which holds the label and the field as well */
export function isErrorElement(tag: Tag, inTroubledField: boolean): boolean {
  if (/^(?:input|select|textarea|button|form|body|html)$/.test(tag.name)) return false
  if (tag.attributes.get('role')?.toLowerCase() === 'alert' || ids.test(tag.attributes.get('id') ?? '')) return true
  return classesOf(tag).some(name => classes.has(name) || (inTroubledField && /help|message|feedback/.test(name)))
}

/** SimpleSAMLphp 1.x marks the block with nothing but its icon. */
export function isErrorIcon(tag: Tag): boolean {
  return (
    tag.name === 'img' && (classesOf(tag).includes('erroricon') || /dialog-error/.test(tag.attributes.get('src') ?? ''))
  )
}

const hiddenClasses = new Set(['hidden', 'hide', 'd-none', 'is-hidden', 'ng-hide', 'invisible'])

export function isHidden(tag: Tag): boolean {
  if (tag.attributes.has('hidden')) return true
  if (/(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b/i.test(tag.attributes.get('style') ?? '')) return true
  return classesOf(tag).some(name => hiddenClasses.has(name))
}
