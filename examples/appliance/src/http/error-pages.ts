import { type ErrorPageFilter, type ErrorPageMap, errorPages } from '@steelyard/l7'
import type { DesiredHttpListener } from '../desired/desired.ts'
import { within } from './fault.ts'

/**
 * The error pages of a listener.
 *
 * @throws a fault with its place below the listener.
 */
export function pagesOf(
  pages: NonNullable<DesiredHttpListener['errorPages']>,
  read: (path: string) => string,
): ErrorPageFilter {
  const utf8 = (file: string, key: string, field: string): string =>
    within(['errorPages', key, field], () => Buffer.from(read(file), 'latin1').toString('utf8'))
  const replaced: (number | '4xx' | '5xx')[] = []
  const map = Object.entries(pages).map(([key, page]) => {
    if (typeof page === 'string') return [key, page] as const
    const { file, jsonFile, replaceBackend = false, ...forms } = page
    if (replaceBackend) replaced.push(...statusesOf(key))
    const files = {
      ...(file === undefined ? {} : { html: utf8(file, key, 'file') }),
      ...(jsonFile === undefined ? {} : { json: utf8(jsonFile, key, 'jsonFile') }),
    }
    return [key, { ...forms, ...files }] as const
  })
  return within(['errorPages'], (path) =>
    errorPages(
      Object.fromEntries(map) as ErrorPageMap,
      replaced.length === 0 ? {} : { backendErrors: replaced },
      path,
    ),
  )
}

function statusesOf(key: string): readonly (number | '4xx' | '5xx')[] {
  if (key === 'default') return ['4xx', '5xx']
  return [key === '4xx' || key === '5xx' ? key : Number(key)]
}
