import { invalidOption, oneOrMore, shown } from '@steelyard/core'

/** HTTP status codes: one, a list, or text such as `'200'`, `'200-399'`, `'200,204,300-302'`. */
export type StatusCodes = number | string | readonly (number | string)[]

/**
 * Makes the test whether a status code is one of these.
 *
 * @throws `invalid-option`
 */
export function statusCodes(codes: StatusCodes, path: string): (status: number) => boolean {
  const wanted = new Uint8Array(600)
  const parts = oneOrMore<number | string>(codes).flatMap((part) => {
    if (typeof part === 'number') return String(part)
    return typeof part === 'string' ? part.split(',') : [part]
  })
  if (parts.length === 0) throw invalidOption(path, 'is empty: no answer would be good enough')
  for (const part of parts) {
    const match = /^\s*([1-5]\d\d)\s*(?:-\s*([1-5]\d\d)\s*)?$/.exec(
      typeof part === 'string' ? part : '',
    )
    const first = Number(match?.[1])
    const last = Number(match?.[2] ?? match?.[1])
    if (match === null || last < first) {
      throw invalidOption(
        path,
        `${shown(part)} is no status code: write 200, 200-399, or several with commas, from 100 to 599`,
      )
    }
    wanted.fill(1, first, last + 1)
  }
  return (status) => wanted[status] === 1
}
