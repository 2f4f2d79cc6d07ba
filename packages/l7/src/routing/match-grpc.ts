import { types } from 'node:util'
import { invalidOption, objectOption, shown } from '@steelyard/core'
import { all } from './combine.ts'
import { header } from './match-fields.ts'
import { path, pathRegex } from './match-path.ts'
import type { Matcher } from './route.ts'
import { startsWith } from './text-test.ts'

/** Which calls {@link grpc} means; what is left out may be anything. */
export interface GrpcCall {
  /** Full name with its package, such as `store.v1.Orders`; a `RegExp` has to match all of it. */
  readonly service?: string | RegExp
  /** Such as `List`; a `RegExp` has to match all of it. */
  readonly method?: string | RegExp
}

/** gRPC calls: requests for `/service/method` with a content type of `application/grpc` or one of its kinds. Case matters. */
export function grpc(call: GrpcCall = {}): Matcher {
  const { service, method } = objectOption(call, 'grpc')
  const type = header('content-type', startsWith('application/grpc', { ignoreCase: true }))
  const one = partOf(service, 'grpc.service', /^[A-Za-z_][\w.]*$/)
  const other = partOf(method, 'grpc.method', /^[A-Za-z_]\w*$/)
  if (typeof service === 'string' && typeof method === 'string') {
    return all(path(`/${service}/${method}`), type)
  }
  if (typeof service === 'string' && method === undefined) return all(path(`/${service}/*`), type)
  return all(pathRegex(`^/${one}/${other}$`), type)
}

function partOf(part: string | RegExp | undefined, at: string, name: RegExp): string {
  if (part === undefined) return '[^/]+'
  if (types.isRegExp(part)) return `(?:${part.source})`
  if (typeof part === 'string' && name.test(part)) return part.replaceAll('.', '\\.')
  throw invalidOption(at, `${shown(part)} is no name in gRPC`)
}
