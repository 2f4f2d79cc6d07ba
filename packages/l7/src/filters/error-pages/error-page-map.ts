import { invalidOption, objectOption, shown } from '@steelyard/core'
import type { ErrorPage } from '../../exchange/error-pages.ts'
import type { Exchange } from '../../exchange/exchange.ts'
import { wholeOption } from '../number-option.ts'
import { qualityList } from '../quality-list.ts'
import { type PageKind, type PageTemplate, pageTemplate } from './page-template.ts'

/** One page, in one form or several; the client's Accept chooses. */
export interface PageForms {
  readonly html?: string
  readonly json?: string
  readonly text?: string
  /** Another status to say instead. Default: the one that it is. */
  readonly status?: number
}

/** A page; a text alone is HTML. */
export type PageSource = string | PageForms

/** Pages by status such as `503`, by class such as `'5xx'`, and for the rest by `default`. The closest one counts. */
export type ErrorPageMap = Readonly<
  Partial<Record<number | `${4 | 5}xx` | 'default' | (string & {}), PageSource>>
>

/** A page, compiled. */
export interface CompiledPage {
  readonly forms: readonly CompiledForm[]
  readonly status: number | undefined
}

/** One form of a page. */
export interface CompiledForm {
  readonly kind: PageKind
  readonly contentType: string
  readonly template: PageTemplate
}

/** Pages that can be looked up. */
export interface PageTable {
  find(status: number): CompiledPage | undefined
}

const contentTypes: Readonly<Record<PageKind, string>> = {
  html: 'text/html; charset=utf-8',
  json: 'application/json',
  text: 'text/plain; charset=utf-8',
}

/** Where a client has no preference, the first of these that a page has: a browser always says that it wants HTML. */
const order: readonly PageKind[] = ['text', 'json', 'html']

/**
 * Compiles pages.
 *
 * @throws `invalid-option` with the path of the page.
 */
export function pageTable(map: ErrorPageMap, path: string): PageTable {
  const pages = new Map<string, CompiledPage>()
  for (const [name, source] of Object.entries(objectOption(map, path))) {
    const at = `${path}.${name}`
    if (!/^(?:[45]\d\d|[45]xx|default)$/.test(name)) {
      throw invalidOption(path, `${shown(name)} is none of 400 to 599, 4xx, 5xx, default`)
    }
    if (source !== undefined) pages.set(name, compiled(source, at))
  }
  return {
    find: (status) =>
      pages.get(String(status)) ??
      pages.get(`${Math.floor(status / 100)}xx`) ??
      pages.get('default'),
  }
}

/** Compiles one page. */
export function compiled(source: PageSource, path: string): CompiledPage {
  const given = typeof source === 'string' ? { html: source } : objectOption(source, path)
  const forms: CompiledForm[] = []
  for (const kind of order) {
    const text = given[kind]
    if (text === undefined) continue
    const at = typeof source === 'string' ? path : `${path}.${kind}`
    forms.push({
      kind,
      contentType: contentTypes[kind],
      template: pageTemplate(text, kind, at),
    })
  }
  if (forms.length === 0) throw invalidOption(path, 'needs one of html, json, text')
  const { status } = given
  return {
    forms,
    status:
      status === undefined ? undefined : wholeOption(status, `${path}.status`, 200, 599, 'status'),
  }
}

/**
 * The form that a client likes best (RFC 9110 section 12.5.1): the highest weight, and of equal ones the first.
 * Undefined when it likes none.
 */
export function acceptedForm(
  forms: readonly CompiledForm[],
  accept: string | undefined,
): CompiledForm | undefined {
  if (accept === undefined || accept.trim() === '') return forms[0]
  const ranges = qualityList(accept)
  let best: CompiledForm | undefined
  let most = 0
  for (const form of forms) {
    const q = weightOf(form.contentType, ranges)
    if (q > most) {
      most = q
      best = form
    }
  }
  return best
}

function weightOf(contentType: string, ranges: ReturnType<typeof qualityList>): number {
  const semicolon = contentType.indexOf(';')
  const essence = semicolon < 0 ? contentType : contentType.slice(0, semicolon)
  const type = essence.slice(0, essence.indexOf('/'))
  for (const range of [essence, `${type}/*`, '*/*']) {
    const item = ranges.find(({ value }) => value === range)
    if (item !== undefined) return item.q
  }
  return 0
}

/** Fills a page in. */
export function filled(
  form: CompiledForm,
  page: CompiledPage,
  status: number,
  x: Exchange,
): ErrorPage {
  const { contentType, template } = form
  const said = page.status ?? status
  return {
    body: template(said, x),
    contentType,
    ...(page.status === undefined ? {} : { status: page.status }),
  }
}
