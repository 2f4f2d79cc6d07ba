import { flagOption, invalidOption, objectOption, shown } from '@steelyard/core'
import type { HttpRequest } from '../exchange/http-request.ts'
import { tokenOption } from '../filters/field-option.ts'
import { wordOption } from '../filters/number-option.ts'
import { any, not } from './combine.ts'
import { parseHostPattern } from './host-pattern.ts'
import { cookie, header } from './match-fields.ts'
import { host, hostText } from './match-host.ts'
import { fileType, pathText } from './match-path.ts'
import { clientCertificate, distinguishedName, verifyResult } from './match-tls.ts'
import { pathOption } from './path-pattern.ts'
import type { Match, Matcher } from './route.ts'
import {
  compileTextTest,
  contains,
  endsWith,
  equals,
  startsWith,
  type TextTest,
  textTestOption,
} from './text-test.ts'

/** What a rule of Octavia looks at. */
export type OctaviaRuleType =
  | 'HOST_NAME'
  | 'PATH'
  | 'FILE_TYPE'
  | 'HEADER'
  | 'COOKIE'
  | 'SSL_CONN_HAS_CERT'
  | 'SSL_VERIFY_RESULT'
  | 'SSL_DN_FIELD'

/** How a rule of Octavia compares. */
export type OctaviaCompareType = 'REGEX' | 'STARTS_WITH' | 'ENDS_WITH' | 'CONTAINS' | 'EQUAL_TO'

/** An L7 rule in the words of Octavia's API. */
export interface OctaviaRule {
  readonly type: OctaviaRuleType
  readonly compare_type: OctaviaCompareType
  /** The header, cookie or field of the name; for those types only. */
  readonly key?: string | null
  readonly value: string
  /** Default `false`. */
  readonly invert?: boolean
  /** Default `true`. */
  readonly admin_state_up?: boolean
}

const types: readonly OctaviaRuleType[] = [
  'HOST_NAME',
  'PATH',
  'FILE_TYPE',
  'HEADER',
  'COOKIE',
  'SSL_CONN_HAS_CERT',
  'SSL_VERIFY_RESULT',
  'SSL_DN_FIELD',
]
const compareTypes: readonly OctaviaCompareType[] = [
  'REGEX',
  'STARTS_WITH',
  'ENDS_WITH',
  'CONTAINS',
  'EQUAL_TO',
]
const keyed: ReadonlySet<OctaviaRuleType> = new Set(['HEADER', 'COOKIE', 'SSL_DN_FIELD'])

/** As in Octavia's database. */
const longestText = 255

/** A rule, checked. */
export interface CheckedOctaviaRule {
  readonly match: Match
  readonly enabled: boolean
}

/**
 * Checks a rule and makes a condition of it, also when it is disabled.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function octaviaRule(given: OctaviaRule, path: string): CheckedOctaviaRule {
  const rule = objectOption(given, path)
  const type = wordOption(rule.type, types, `${path}.type`)
  const compare = wordOption(rule.compare_type, compareTypes, `${path}.compare_type`)
  const value = textFor(rule.value, `${path}.value`)
  const key = keyFor(rule.key, type, `${path}.key`)
  allowedCompare(type, compare, `${path}.compare_type`)
  const match = conditionOf(type, compare, key, value, `${path}.value`)
  return {
    match: flagOption(rule.invert ?? false, `${path}.invert`) ? not(match) : match,
    enabled: flagOption(rule.admin_state_up ?? true, `${path}.admin_state_up`),
  }
}

/** A text of bounded length without anything that could end a line. */
export function textFor(value: string, path: string, longest: number = longestText): string {
  if (typeof value !== 'string' || value === '') {
    throw invalidOption(path, `${shown(value)} is not a text with at least one character`)
  }
  if (value.length > longest) throw invalidOption(path, `is longer than ${longest} characters`)
  if (/[\0-\x1f\x7f]/.test(value)) {
    throw invalidOption(path, `${shown(value)} has a control character`)
  }
  return value
}

function keyFor(key: string | null | undefined, type: OctaviaRuleType, path: string): string {
  if (!keyed.has(type)) {
    if (key === undefined || key === null) return ''
    throw invalidOption(path, `a rule of type ${type} has no key`)
  }
  if (key === undefined || key === null) throw invalidOption(path, `type ${type} needs a key`)
  if (type !== 'SSL_DN_FIELD') return tokenOption(textFor(key, path), path)
  if (/^[A-Za-z][A-Za-z0-9-]*$/.test(textFor(key, path))) return key
  throw invalidOption(path, `${shown(key)} is no field of a distinguished name: write CN`)
}

function allowedCompare(type: OctaviaRuleType, compare: OctaviaCompareType, path: string): void {
  if (type === 'FILE_TYPE' && compare !== 'EQUAL_TO' && compare !== 'REGEX') {
    throw invalidOption(path, `FILE_TYPE takes EQUAL_TO and REGEX only, not ${compare}`)
  }
  const isFact = type === 'SSL_CONN_HAS_CERT' || type === 'SSL_VERIFY_RESULT'
  if (isFact && compare !== 'EQUAL_TO') {
    throw invalidOption(path, `${type} takes EQUAL_TO only, not ${compare}`)
  }
}

function conditionOf(
  type: OctaviaRuleType,
  compare: OctaviaCompareType,
  key: string,
  value: string,
  path: string,
): Match {
  switch (type) {
    case 'HOST_NAME':
      return hostCondition(compare, value, path)
    case 'PATH': {
      if (compare === 'EQUAL_TO' || compare === 'STARTS_WITH') pathOption(value, path)
      return pathText(testOf(compare, value, path))
    }
    case 'FILE_TYPE': {
      if (compare === 'REGEX') return fileType(testOf(compare, value, path))
      if (/[/\s]/.test(value))
        throw invalidOption(path, `${shown(value)} is no file type: write jpg`)
      return fileType(value)
    }
    case 'HEADER':
      return header(key, testOf(compare, value, path), { elements: true })
    case 'COOKIE':
      return cookie(key, testOf(compare, value, path))
    case 'SSL_CONN_HAS_CERT':
      if (value.toLowerCase() === 'true') return clientCertificate({ verified: false })
      throw invalidOption(path, `${shown(value)}: SSL_CONN_HAS_CERT takes True only; use invert`)
    case 'SSL_VERIFY_RESULT':
      if (/^\d{1,9}$/.test(value)) return verifyResult(Number(value))
      throw invalidOption(
        path,
        `${shown(value)} is no verify result: use a whole number, 0 for good`,
      )
    case 'SSL_DN_FIELD':
      return distinguishedName(key, testOf(compare, value, path))
    default:
      return type satisfies never
  }
}

/**
 * Octavia compares Host as it came, with its port, so that a rule for `www.example.com` misses
 * `www.example.com:8080`. Here the name alone is compared, and what names the port as well still works.
 */
function hostCondition(compare: OctaviaCompareType, value: string, path: string): Match {
  if (compare === 'EQUAL_TO') {
    if (!value.includes('*')) return host(parseHostPattern(value, path).text)
    throw invalidOption(
      path,
      `${shown(value)} is compared letter by letter: use ENDS_WITH for a wildcard`,
    )
  }
  const test = testOf(compare, value, path)
  if (!value.includes(':')) return hostText(test)
  return any(hostText(test), namedPort(test))
}

/** Host and port as the client named them. */
function namedPort(test: TextTest): Matcher {
  const { test: passes, wants } = compileTextTest(
    'ignoreCase' in test ? { ...test, ignoreCase: true } : test,
  )
  return Object.freeze({
    kind: 'test',
    subject: 'host with port',
    wants,
    test: ({ host, port }: HttpRequest) => port !== 0 && passes(`${host}:${port}`),
    actual: ({ host, port }: HttpRequest) => (port === 0 ? host : `${host}:${port}`),
  })
}

function testOf(compare: OctaviaCompareType, value: string, path: string): TextTest {
  switch (compare) {
    case 'EQUAL_TO':
      return equals(value)
    case 'STARTS_WITH':
      return startsWith(value)
    case 'ENDS_WITH':
      return endsWith(value)
    case 'CONTAINS':
      return contains(value)
    case 'REGEX':
      return textTestOption({ kind: 'matches', pattern: value, ignoreCase: false }, path)
    default:
      return compare satisfies never
  }
}
