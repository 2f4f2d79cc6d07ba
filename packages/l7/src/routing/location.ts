import { invalidOption, shown } from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { Template } from './action.ts'
import { type CompiledTemplate, rendered, type TemplatePart, templateParts } from './template.ts'
import type { Variable } from './template-variables.ts'
import { urlComponent, urlText } from './url-text.ts'

/** Where a redirect leads, compiled. */
export interface LocationTemplate {
  readonly render: CompiledTemplate
  /** It has a query of its own. */
  readonly hasQuery: boolean
  /** It ends with a slash, so that a path may follow. */
  readonly isOpen: boolean
}

/**
 * Compiles the target of a redirect: a path, or a URL with `http` or `https`. Parts of the request's URL go in as they
 * are; all other variables, and in a query all but `%{query}`, are escaped, so that they stay within their place. No
 * variable may stand where it could choose the host, except those that name our own.
 *
 * @throws `invalid-option` for other schemes, for `//host`, and for variables in front of the path.
 */
export function locationTemplate(to: Template, path: string): LocationTemplate {
  const parts = templateParts(to, path)
  checkOrigin(parts, to, path)
  let inQuery = false
  const placed = parts.map((part): TemplatePart => {
    if (typeof part === 'string') {
      inQuery ||= /[?#]/.test(part)
      return part
    }
    return inQuery ? asComponent(part) : part.kind === 'authority' ? orLocal(part) : part
  })
  const last = parts.at(-1)
  const render = rendered(placed, (text, part) => {
    if (typeof part !== 'string') return part.kind === 'text' ? urlComponent(text) : urlText(text)
    // A fragment is the author's to write.
    return part.split('#').map(urlText).join('#')
  })
  return Object.freeze({
    // Two slashes would begin a host.
    render: (x: Exchange) => render(x).replace(/^\/{2,}/, '/'),
    hasQuery: parts.some((part) =>
      typeof part === 'string'
        ? part.includes('?')
        : part.name === 'target' || part.name === 'query',
    ),
    isOpen: !inQuery && typeof last === 'string' && last.endsWith('/'),
  })
}

function checkOrigin(parts: readonly TemplatePart[], to: string, path: string): void {
  const [first] = parts
  if (typeof first === 'object' && first.kind === 'path') return
  if (typeof first === 'string' && first.startsWith('/') && !/^\/[/\\]/.test(first)) return
  const rest = afterScheme(parts)
  if (rest === undefined) {
    throw invalidOption(
      path,
      `${shown(to)} is no target of a redirect: begin with /, http://, https:// or %{scheme}://`,
    )
  }
  let authority = ''
  for (const part of rest) {
    if (typeof part === 'string') {
      const end = part.search(/[/?#]/)
      authority += end < 0 ? part : part.slice(0, end)
      if (end >= 0) break
    } else if (part.kind === 'path') {
      break
    } else if (part.kind === 'authority' || ownNames.has(part.name)) {
      authority += 'x'
    } else {
      throw invalidOption(
        path,
        `%{${part.name}} could lead clients to a host of somebody else's choice: put a / in front of it`,
      )
    }
  }
  if (!/^(?:[\w.-]+|\[[\da-f:.]+\])(?::\w+)?$/i.test(authority)) {
    throw invalidOption(path, `${shown(to)} names no host that a redirect could lead to`)
  }
}

/** Not of a client's choice. */
const ownNames: ReadonlySet<string> = new Set(['local', 'local.port', 'tls.serverName'])

/** What stands behind `scheme://`; undefined when there is no scheme that may be. */
function afterScheme(parts: readonly TemplatePart[]): readonly TemplatePart[] | undefined {
  const [first, second] = parts
  if (typeof first === 'string') {
    const scheme = /^https?:\/\//i.exec(first)?.[0]
    return scheme === undefined ? undefined : [first.slice(scheme.length), ...parts.slice(1)]
  }
  if (first?.name !== 'scheme' || typeof second !== 'string' || !second.startsWith('://')) {
    return undefined
  }
  return [second.slice(3), ...parts.slice(2)]
}

function asComponent(variable: Variable): Variable {
  return variable.kind === 'query' ? variable : { ...variable, kind: 'text' }
}

/** HTTP/1.0 may name no host: then we are known by our address alone. */
function orLocal(variable: Variable): Variable {
  const { name, read } = variable
  if (name === 'port') return variable
  return {
    ...variable,
    read: (x) => (x.request.host === '' ? hostOf(x.request.local.address) : read(x)),
  }
}

function hostOf(address: string): string {
  if (address === '') return 'localhost'
  return address.includes(':') ? `[${address}]` : address
}
