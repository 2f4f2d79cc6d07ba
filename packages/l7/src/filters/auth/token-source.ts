import { invalidOption, listOption, objectOption, shown } from '@steelyard/core'
import type { Exchange } from '../../exchange/exchange.ts'
import type { RequestEditor } from '../../exchange/field-editor.ts'
import { fieldNameOption, tokenOption } from '../field-option.ts'
import { credentialsOf } from './challenge.ts'

/**
 * Where a token is: in a header, behind a scheme's name (`Bearer` for Authorization, none for others unless it is
 * given); in a cookie; or in a parameter of the query, which ends up in logs and is better avoided.
 */
export type TokenSource =
  | { readonly header: string; readonly scheme?: string }
  | { readonly cookie: string }
  | { readonly query: string }

/** Reads tokens, and takes them away. */
export interface TokenReader {
  /** The first that is there, in the order of the sources; where it is there twice, {@link ambiguous}. */
  read(x: Exchange): string | undefined
  /** Takes what {@link TokenReader.read} reads out of the request to the backend. */
  strip(head: RequestEditor): void
}

/**
 * What is read where a token is there twice: no token, so that it is refused. The backend might believe the one that
 * was not verified.
 */
export const ambiguous = ', '

/** Makes a {@link TokenReader}. Throws `invalid-option`. */
export function tokenReader(sources: readonly TokenSource[], path: string): TokenReader {
  const readers = listOption(sources, path).map((source, index) =>
    readerOf(source, `${path}[${index}]`),
  )
  if (readers.length === 0) throw invalidOption(path, 'must name one place at least')
  return {
    read(x) {
      for (const reader of readers) {
        const token = reader.read(x)
        if (token !== undefined && token !== '') return token
      }
      return undefined
    },
    strip(head) {
      for (const reader of readers) reader.strip(head)
    },
  }
}

function readerOf(source: TokenSource, path: string): TokenReader {
  objectOption(source, path)
  if ('header' in source) return headerReader(source, path)
  if ('cookie' in source) return cookieReader(tokenOption(source.cookie, `${path}.cookie`))
  if ('query' in source) return queryReader(tokenOption(source.query, `${path}.query`))
  throw invalidOption(path, `${shown(source)} is no place: use { header }, { cookie } or { query }`)
}

function headerReader(
  source: { readonly header: string; readonly scheme?: string },
  path: string,
): TokenReader {
  const name = fieldNameOption(source.header, `${path}.header`)
  const scheme =
    source.scheme === undefined
      ? name.toLowerCase() === 'authorization'
        ? 'bearer'
        : undefined
      : tokenOption(source.scheme, `${path}.scheme`).toLowerCase()
  return {
    read(x) {
      const tokens = x.request
        .headerAll(name)
        .flatMap((line) => (scheme === undefined ? line : (credentialsOf(line, scheme) ?? [])))
      return tokens.length > 1 ? ambiguous : tokens[0]
    },
    strip: (head) => void head.remove(name),
  }
}

function cookieReader(name: string): TokenReader {
  return {
    read(x) {
      const { request } = x
      const token = request.cookie(name)
      if (token === undefined) return undefined
      const pairs = request.headerAll('cookie').flatMap((line) => line.split(';'))
      const named = pairs.filter((pair) => pair.split('=', 1)[0]!.trim() === name)
      return named.length > 1 ? ambiguous : token
    },
    strip(head) {
      const lines = head.all('cookie')
      if (lines.length === 0) return
      const kept = lines
        .join('; ')
        .split(';')
        .map((pair) => pair.trim())
        .filter((pair) => pair !== '' && pair !== name && !pair.startsWith(`${name}=`))
      head.remove('cookie')
      if (kept.length > 0) head.set('cookie', kept.join('; '))
    },
  }
}

function queryReader(name: string): TokenReader {
  return {
    read(x) {
      const tokens = x.request.queryParameterAll(name)
      return tokens.length > 1 ? ambiguous : tokens[0]
    },
    strip(head) {
      const { query } = head
      if (query === undefined) return
      const kept = query.split('&').filter((pair) => decoded(pair.split('=', 1)[0]!) !== name)
      head.query = kept.length === 0 ? undefined : kept.join('&')
    },
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    // Broken escapes stand for themselves.
    return text
  }
}
