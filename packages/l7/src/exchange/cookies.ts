import { Field } from '../wire/field.ts'
import type { Head } from '../wire/head.ts'

/** Pairs that are read; a browser keeps fewer for one site. */
const mostCookies = 512

/**
 * The cookies of a request (RFC 6265 section 5.4, read leniently): several lines are one, as HTTP/2 sends them; white
 * space around names and values is cut, quotes are part of the value, a pair without `=` is none, and of several of
 * one name the first counts.
 */
export function readCookies(head: Head): ReadonlyMap<string, string> {
  const cookies = new Map<string, string>()
  let pairs = 0
  for (let i = head.indexOf(Field.cookie); i >= 0; i = head.indexOf(Field.cookie, i + 1)) {
    const line = head.valueAt(i)
    let at = 0
    while (at < line.length && pairs < mostCookies) {
      const semicolon = line.indexOf(';', at)
      const end = semicolon < 0 ? line.length : semicolon
      const equals = line.indexOf('=', at)
      if (equals >= 0 && equals < end) {
        pairs += 1
        const name = line.slice(at, equals).trim()
        if (name !== '' && !cookies.has(name)) cookies.set(name, line.slice(equals + 1, end).trim())
      }
      at = end + 1
    }
  }
  return cookies
}
