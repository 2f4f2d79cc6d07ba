import {
  flagOption,
  invalidOption,
  listOption,
  objectOption,
  parseSize,
  type Size,
  shown,
} from '@steelyard/core'
import type { Authority } from './authority.ts'
import type { PathPolicy } from './canonical-path.ts'
import { choiceOption } from './option-choice.ts'
import { Recent } from './recent.ts'

/** How strictly requests are judged, where there is a choice. What has no option here is refused always. */
export interface GateOptions {
  /**
   * `%2F` in a path. `reject` answers 400; `keep` leaves it an escape, which no matcher takes for a slash; `decode`
   * makes it a slash before anything is matched. Many servers decode before they route, so that with `keep`
   * `/admin%2Fkeys` would pass a rule for `/admin/keys`; choose `keep` for backends whose paths carry it, such as
   * GitLab's API and package registries. Default `reject`.
   */
  readonly encodedSlash?: 'reject' | 'keep' | 'decode'
  /**
   * Makes `//` in a path `/`, for matching and for the backend. Default `false`: RFC 3986 tells them apart, and so do
   * object stores. Servers that merge them themselves, as nginx does, see `/admin` where a rule saw `//admin`: rules by
   * path in front of those need `true`.
   */
  readonly mergeSlashes?: boolean
  /**
   * Header fields with `_` in their names, which many servers cannot tell from `-`. Names that would alias a field
   * that proxies set are dropped, and those that would alias a framing field are answered by 400, whatever is chosen
   * here. Default `drop`.
   */
  readonly underscores?: 'drop' | 'keep' | 'reject'
  /** A target in absolute form with another authority than Host: 400, or the target's is used (RFC 9112 section 3.2.2). Default `reject`. */
  readonly authorityMismatch?: 'reject' | 'replace'
  /** TRACE may pass; else 405. Default `false`. */
  readonly allowTrace?: boolean
  /** CONNECT to a host may pass; else 405. HTTP/2's extended CONNECT goes by `upgrades`. Default `false`. */
  readonly allowConnect?: boolean
  /** A body with GET, HEAD, DELETE or OPTIONS: sent on with its length said, or 400. Default `forward`. */
  readonly unexpectedBody?: 'forward' | 'reject'
  /** The longest path; beyond it 414. Default `8KiB`. */
  readonly maxPathLength?: Size
  /** Protocols that Upgrade may ask for, in lower case; requests for others are treated as if they had not asked. Default `['websocket']`. */
  readonly upgrades?: readonly string[]
}

/** What a target in origin form asks for. */
export interface PathAndQuery {
  readonly path: string
  readonly query: string | undefined
}

/** {@link GateOptions}, completed, with what the gate remembers from one request to the next. */
export interface GateSettings extends PathPolicy {
  readonly underscores: 'drop' | 'keep' | 'reject'
  readonly authorityMismatch: 'reject' | 'replace'
  readonly allowTrace: boolean
  readonly allowConnect: boolean
  readonly unexpectedBody: 'forward' | 'reject'
  readonly maxPathLength: number
  readonly upgrades: readonly string[]
  /** Hosts that came lately. */
  readonly authorities: Recent<Authority>
  /** Targets that came lately. */
  readonly targets: Recent<PathAndQuery>
}

/**
 * Reads {@link GateOptions}.
 *
 * @param hostNames - how many are served, about: so many are remembered as they came.
 * @throws `invalid-option` with the path of the field.
 */
export function gateSettings(
  options: GateOptions = {},
  path = 'gate',
  hostNames = 0,
): GateSettings {
  const given = objectOption(options, path)
  const { upgrades = ['websocket'] } = given
  listOption(upgrades, `${path}.upgrades`).forEach((name, index) => {
    const problem = upgradeProblem(name)
    if (problem !== undefined) {
      throw invalidOption(`${path}.upgrades[${index}]`, `${shown(name)} ${problem}`)
    }
  })
  return Object.freeze({
    encodedSlash: choiceOption(
      given.encodedSlash ?? 'reject',
      ['reject', 'keep', 'decode'],
      `${path}.encodedSlash`,
    ),
    mergeSlashes: flagOption(given.mergeSlashes ?? false, `${path}.mergeSlashes`),
    underscores: choiceOption(
      given.underscores ?? 'drop',
      ['drop', 'keep', 'reject'],
      `${path}.underscores`,
    ),
    authorityMismatch: choiceOption(
      given.authorityMismatch ?? 'reject',
      ['reject', 'replace'],
      `${path}.authorityMismatch`,
    ),
    allowTrace: flagOption(given.allowTrace ?? false, `${path}.allowTrace`),
    allowConnect: flagOption(given.allowConnect ?? false, `${path}.allowConnect`),
    unexpectedBody: choiceOption(
      given.unexpectedBody ?? 'forward',
      ['forward', 'reject'],
      `${path}.unexpectedBody`,
    ),
    maxPathLength: pathLimit(given.maxPathLength ?? '8KiB', `${path}.maxPathLength`),
    upgrades: Object.freeze([...upgrades]),
    authorities: new Recent<Authority>(64, placesFor(hostNames)),
    targets: new Recent<PathAndQuery>(128),
  })
}

/** Four for each name, so that few fall on the same one: a power of two, at most 4 MiB of 64 bytes each. */
function placesFor(hostNames: number): number {
  let places = 256
  while (places < hostNames * 4 && places < 65_536) places *= 2
  return places
}

function pathLimit(value: Size, path: string): number {
  const bytes = parseSize(value, path)
  if (bytes > 0) return bytes
  throw invalidOption(path, 'leaves no path: use at least 1')
}

function upgradeProblem(name: unknown): string | undefined {
  if (typeof name !== 'string' || !/^[!#$%&'*+\-.^_`|~\da-z/]{1,64}$/.test(name)) {
    return 'is no protocol in lower case, such as websocket'
  }
  if (/^(?:h2c?|http|tls)(?:\/|$)/.test(name)) return 'would change what we speak ourselves'
  return undefined
}
