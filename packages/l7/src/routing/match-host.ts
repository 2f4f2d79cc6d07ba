import { invalidOption } from '@steelyard/core'
import type { HttpRequest } from '../exchange/http-request.ts'
import { parseHostPattern } from './host-pattern.ts'
import type { Matcher } from './route.ts'
import { compileTextTest, type TextTestInit, textTestOption } from './text-test.ts'

/**
 * Requests to one of these hosts: `www.example.com`; `*.example.com`, which stands for one or more labels and not for
 * `example.com` itself, as in Gateway API; or `*` for every request, also those of HTTP/1.0 that name no host. Case
 * and a trailing dot do not matter. With `:port` it must be the port that the client named, or the scheme's own (80,
 * 443) when it named none; without, any will do.
 *
 * @throws `invalid-option` for what is no host; internationalised names are to be written as `xn--…`.
 */
export function host(...names: readonly string[]): Matcher {
  if (names.length === 0) throw invalidOption('host', 'needs at least one name')
  return Object.freeze({
    kind: 'host',
    names: Object.freeze(names.map((name, index) => parseHostPattern(name, `host[${index}]`).text)),
  })
}

/** Requests to a host whose name, in lower case and without port, passes a test; case never matters. */
export function hostText(test: TextTestInit): Matcher {
  const given = textTestOption(test, 'hostText')
  const { test: passes, wants } = compileTextTest(
    'ignoreCase' in given ? { ...given, ignoreCase: true } : given,
  )
  return Object.freeze({
    kind: 'test',
    subject: 'host',
    wants,
    test: ({ host }: HttpRequest) => host !== '' && passes(host),
    actual: ({ host }: HttpRequest) => (host === '' ? undefined : host),
  })
}
