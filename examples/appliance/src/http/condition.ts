import {
  all,
  always,
  any,
  between,
  clientCertificate,
  clientIn,
  contains,
  cookie,
  distinguishedName,
  endsWith,
  equals,
  fileType,
  grpc,
  header,
  host,
  hostText,
  type Match,
  type Matcher,
  matches,
  method,
  not,
  path,
  pathPrefix,
  pathText,
  peerIn,
  port,
  present,
  query,
  scheme,
  serverName,
  startsWith,
  type TextTest,
  verifyResult,
} from '@steelyard/l7'
import type { DesiredRule } from '../desired/desired.ts'
import type { Path } from '../desired/path.ts'
import { faultAt, within } from './fault.ts'

type Condition = DesiredRule['match']
type Test = NonNullable<Condition['headers']>[string]
type PathTest = Exclude<NonNullable<Condition['path']>, string | readonly string[]>

/**
 * The condition that a document's `match` means.
 *
 * @throws a fault with its place below `at`.
 */
export function conditionOf(condition: Condition, at: Path): Match {
  const parts: Match[] = []
  const add = (key: string, make: () => Match): void => {
    parts.push(within([...at, key], make))
  }
  const named = (
    key: 'headers' | 'query' | 'cookies',
    matcher: (name: string, test: TextTest) => Matcher,
  ): void => {
    for (const [name, test] of Object.entries(condition[key] ?? {})) {
      const place = [...at, key, name]
      parts.push(presentOrNot(test, place, (text) => matcher(name, text)))
    }
  }
  const { clientIn: clients, peerIn: peers, tls, grpc: call } = condition
  if (condition.host !== undefined) parts.push(hostOf(condition.host, [...at, 'host']))
  if (condition.path !== undefined) parts.push(pathOf(condition.path, [...at, 'path']))
  if (condition.method !== undefined) add('method', () => method(...oneOrMore(condition.method!)))
  named('headers', header)
  named('query', query)
  named('cookies', cookie)
  if (clients !== undefined) add('clientIn', () => clientIn(...clients))
  if (peers !== undefined) add('peerIn', () => peerIn(...peers))
  if (condition.scheme !== undefined) add('scheme', () => scheme(condition.scheme!))
  if (condition.ports !== undefined) add('ports', () => port(...condition.ports!))
  if (tls !== undefined) parts.push(...tlsOf(tls, [...at, 'tls']))
  if (call !== undefined) add('grpc', () => grpc(call))
  const inner = (list: readonly unknown[], key: string): Match[] =>
    list.map((one, index) => conditionOf(one as Condition, [...at, key, index]))
  if (condition.all !== undefined) parts.push(...inner(condition.all, 'all'))
  if (condition.any !== undefined) parts.push(any(...inner(condition.any, 'any')))
  if (condition.not !== undefined) {
    parts.push(not(conditionOf(condition.not, [...at, 'not'])))
  }
  if (parts.length === 0) return always
  return parts.length === 1 ? parts[0]! : all(...parts)
}

function oneOrMore<Item>(value: Item | readonly Item[]): readonly Item[] {
  return Array.isArray(value) ? (value as readonly Item[]) : [value as Item]
}

function hostOf(value: NonNullable<Condition['host']>, at: Path): Match {
  if (typeof value === 'string' || Array.isArray(value)) {
    return within(at, () => host(...oneOrMore(value as string | readonly string[])))
  }
  return presentOrNot(value, at, (test) => hostText(test))
}

function pathOf(value: NonNullable<Condition['path']>, at: Path): Match {
  if (typeof value === 'string' || Array.isArray(value)) {
    return within(at, () => path(...oneOrMore(value as string | readonly string[])))
  }
  const { ignoreCase = false, ...tests } = value as PathTest
  const [key] = onlyKey(tests, at)
  const place = [...at, key]
  const texts = oneOrMore(tests[key as keyof typeof tests]!)
  const options = { ignoreCase }
  return within(place, () => {
    switch (key) {
      case 'exact':
        return ignoreCase ? pathText(equals(texts, options)) : pathText(equals(texts))
      case 'prefix':
        if (ignoreCase) {
          throw faultAt([...at, 'ignoreCase'], 'a prefix is compared as it is', 'use startsWith')
        }
        return pathPrefix(...texts)
      case 'startsWith':
        return pathText(startsWith(texts, options))
      case 'suffix':
        return pathText(endsWith(texts, options))
      case 'contains':
        return pathText(contains(texts, options))
      case 'regex':
        return pathText(matches(texts[0]!, options))
      default:
        return fileType(...texts)
    }
  })
}

function onlyKey(tests: object, at: Path): [string] {
  const keys = Object.keys(tests)
  const [key] = keys
  if (key === undefined) {
    throw faultAt(at, 'the test says nothing', 'give it one comparison, such as "startsWith"')
  }
  if (keys.length > 1) {
    throw faultAt(
      [...at, keys[1]!],
      `the test has ${keys.join(' and ')}`,
      'give it one of them, and join several by "all"',
    )
  }
  return [key]
}

/** `present: false` is the only test that is met when there is nothing. */
function presentOrNot(test: Test, at: Path, make: (test: TextTest) => Matcher): Match {
  if (typeof test === 'object' && 'present' in test && !test.present) {
    const { ignoreCase: _, ...tests } = test
    onlyKey(tests, at)
    return within(at, () => not(make(present())))
  }
  return within(at, () => make(textOf(test, at)))
}

function textOf(test: Test, at: Path): TextTest {
  if (typeof test === 'string') return equals(test)
  const { ignoreCase = false, ...tests } = test
  const [key] = onlyKey(tests, at)
  const options = { ignoreCase }
  const { between: range, regex } = tests
  return within([...at, key], () => {
    switch (key) {
      case 'equals':
        return equals(oneOrMore(tests.equals!), options)
      case 'startsWith':
        return startsWith(oneOrMore(tests.startsWith!), options)
      case 'endsWith':
        return endsWith(oneOrMore(tests.endsWith!), options)
      case 'contains':
        return contains(oneOrMore(tests.contains!), options)
      case 'regex':
        return matches(regex!, options)
      case 'between':
        return between(range![0]!, range![1]!)
      default:
        return present()
    }
  })
}

function tlsOf(tls: NonNullable<Condition['tls']>, at: Path): Match[] {
  const parts: Match[] = []
  const { certificate, verifyResult: result, subject, issuer, serverName: names } = tls
  if (certificate === 'none') parts.push(not(clientCertificate({ verified: false })))
  else if (certificate !== undefined) {
    parts.push(clientCertificate({ verified: certificate === 'verified' }))
  }
  if (result !== undefined) parts.push(verifyResult(result))
  for (const [key, fields] of [
    ['subject', subject],
    ['issuer', issuer],
  ] as const) {
    for (const [field, test] of Object.entries(fields ?? {})) {
      const make = (text: TextTest): Matcher => distinguishedName(field, text, { of: key })
      parts.push(presentOrNot(test, [...at, key, field], make))
    }
  }
  if (names !== undefined) parts.push(within([...at, 'serverName'], () => serverName(...names)))
  return parts
}
