import { flagOption, invalidOption, listOption, objectOption, shown } from '@steelyard/core'
import type { BodySink } from '../exchange/body-transform.ts'
import type { ErrorPage, ErrorPages } from '../exchange/error-pages.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { ResponseEditor } from '../exchange/field-editor.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { builtInPage } from './error-pages/built-in-page.ts'
import { acceptedForm, type ErrorPageMap, filled, pageTable } from './error-pages/error-page-map.ts'
import { ReplacedBody } from './error-pages/replaced-body.ts'
import { addVary } from './vary.ts'

/** What {@link errorPages} does beyond the pages. */
export interface ErrorPageOptions {
  /** A small plain page where the map has none, or none in a form that the client takes. Default `true`. */
  readonly builtIn?: boolean
  /**
   * Also replaces the bodies of error answers that members send, as far as the map has a page for the status: `true`
   * for all from 400, or statuses and classes. For this the pages must be among the filters. Default `false`.
   */
  readonly backendErrors?: boolean | readonly (number | '4xx' | '5xx')[]
}

/** Error pages; for the balancer's `errorPages`, and as a filter for {@link ErrorPageOptions.backendErrors}. */
export interface ErrorPageFilter extends HttpFilter, ErrorPages {}

/** Fields that tell of the body that was there. */
const spoiled = [
  'accept-ranges',
  'content-digest',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-location',
  'content-md5',
  'content-range',
  'digest',
  'etag',
  'last-modified',
  'repr-digest',
] as const

/**
 * Bodies for error answers, as HTML, JSON or plain text, whatever the client's Accept prefers. Pages are texts with
 * variables such as `%{status}`, `%{reason}` and `%{id}`, escaped for where they stand.
 *
 * @example
 * ```ts
 * import { errorPages } from '@steelyard/l7'
 *
 * const pages = errorPages(
 *   { 503: { html: '<h1>Back soon</h1><p>%{id}</p>', json: '{"error":"%{reason}"}' } },
 *   { backendErrors: ['5xx'] },
 * )
 * ```
 *
 * @param path - where the pages stand, for messages.
 * @throws `invalid-option` with the path of the page or field.
 */
export function errorPages(
  pages: ErrorPageMap = {},
  options: ErrorPageOptions = {},
  path = 'errorPages',
): ErrorPageFilter {
  const table = pageTable(pages, path)
  objectOption(options, `${path}.options`)
  const builtIn = flagOption(options.builtIn ?? true, `${path}.builtIn`) ? builtInPage() : undefined
  const replaces = replacedStatuses(options.backendErrors ?? false, `${path}.backendErrors`)

  function pageFor(status: number, x: Exchange): ErrorPage | undefined {
    const page = table.find(status)
    const accept = x.request.headerAll('accept').join(',')
    if (page !== undefined) {
      const form = acceptedForm(page.forms, accept)
      if (form !== undefined) return filled(form, page, status, x)
    }
    if (builtIn !== undefined) {
      const form = acceptedForm(builtIn.forms, accept)
      if (form !== undefined) {
        return filled(form, { ...builtIn, status: page?.status }, status, x)
      }
    }
    // A client that takes none of it is better told something than nothing.
    const last = page ?? builtIn
    return last === undefined ? undefined : filled(last.forms[0]!, last, status, x)
  }

  const pagesOnly: ErrorPageFilter = { name: 'error-pages', pageFor }
  if (replaces === undefined) return pagesOnly
  return {
    ...pagesOnly,
    responseBody(head, x) {
      const { status } = head
      if (!replaces(status) || table.find(status) === undefined) return undefined
      const page = pageFor(status, x)
      if (page === undefined) return undefined
      replaceHead(head, page)
      const { body } = page
      const bytes = typeof body === 'string' ? Buffer.from(body) : body
      return (sink: BodySink) => new ReplacedBody(sink, bytes)
    },
  }
}

function replaceHead(head: ResponseEditor, page: ErrorPage): void {
  for (const name of spoiled) head.remove(name)
  head.set('content-type', page.contentType)
  addVary(head, 'Accept')
  if (page.status !== undefined) head.status = page.status
}

function replacedStatuses(
  value: NonNullable<ErrorPageOptions['backendErrors']>,
  path: string,
): ((status: number) => boolean) | undefined {
  if (value === false) return undefined
  if (value === true) return (status) => status >= 400
  const chosen = new Set<number>()
  listOption(value, path).forEach((entry, index) => {
    if (entry === '4xx' || entry === '5xx') {
      const from = Number(entry[0]) * 100
      for (let status = from; status < from + 100; status++) chosen.add(status)
    } else if (Number.isInteger(entry) && entry >= 400 && entry <= 599) {
      chosen.add(entry)
    } else {
      throw invalidOption(`${path}[${index}]`, `${shown(entry)} is none of 4xx, 5xx, 400 to 599`)
    }
  })
  return (status) => chosen.has(status)
}
