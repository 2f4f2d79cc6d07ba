import { invalidOption, listOption, objectOption, oneOrMore, shown } from '@steelyard/core'
import { jsonText } from './escaped-text.ts'
import { fullJsonLine } from './full-json-line.ts'
import type { LogLine } from './log-line.ts'
import { type LogReader, type LogValue, logVariable } from './log-variable.ts'
import { thousandthsText } from './number-text.ts'

/**
 * The fields of a JSON line, in this order, and the variables that they stand for. Names and meanings are stable;
 * further ones may come. A field whose variable stands for nothing is left out of its line.
 */
export const jsonFields: Readonly<Record<string, string>> = Object.freeze({
  time: 'time',
  id: 'id',
  listener: 'listener',
  client: 'client',
  clientPort: 'client.port',
  method: 'method',
  scheme: 'scheme',
  host: 'host',
  path: 'path',
  query: 'query',
  version: 'version',
  status: 'status',
  bytesIn: 'bytes.in',
  bytesOut: 'bytes.out',
  route: 'route',
  pool: 'pool',
  backend: 'backend',
  backendAddress: 'backend.address',
  backendStatus: 'backend.status',
  retries: 'retries',
  reused: 'reused',
  endedBy: 'endedBy',
  reason: 'reason',
  phase: 'error.phase',
  error: 'error.message',
  flags: 'flags',
  headMs: 'ms.head',
  queueMs: 'ms.queue',
  connectMs: 'ms.connect',
  firstByteMs: 'ms.firstByte',
  responseMs: 'ms.response',
  totalMs: 'ms.total',
  tlsVersion: 'tls.version',
  tlsCipher: 'tls.cipher',
  serverName: 'tls.serverName',
  userAgent: 'header:user-agent',
  referer: 'header:referer',
  traceId: 'trace.id',
})

/**
 * Which fields a JSON line has: names of {@link jsonFields}, or names of one's own with the variables that they stand
 * for, as `{ agent: 'header:user-agent' }`.
 */
export type JsonFieldsOption = readonly string[] | Readonly<Record<string, string>>

/**
 * Makes JSON lines.
 *
 * @throws `invalid-option` for unknown fields and variables.
 */
export function jsonLine(fields?: JsonFieldsOption, path = 'fields'): LogLine {
  if (fields === undefined || fields === jsonFields) return fullJsonLine()
  const chosen = chosenFields(fields, path)
  const heads: string[] = []
  const readers: LogReader[] = []
  for (const [name, variable] of chosen) {
    heads.push(`"${jsonText(name)}":`)
    readers.push(logVariable(variable, `${path}.${name}`))
  }
  const count = heads.length
  return (record, x) => {
    let line = '{'
    for (let i = 0; i < count; i++) {
      const value = readers[i]!(record, x)
      if (value === undefined) continue
      if (line.length > 1) line += ','
      line += heads[i]!
      line += typeof value === 'string' ? `"${jsonText(value)}"` : otherText(value)
    }
    return `${line}}`
  }
}

function otherText(value: Exclude<LogValue, undefined | string>): string {
  // NaN and the infinities are no JSON.
  if (typeof value === 'number') return Number.isFinite(value) ? thousandthsText(value) : 'null'
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  let list = ''
  for (const word of value) list += `${list === '' ? '' : ','}"${jsonText(word)}"`
  return `[${list}]`
}

function chosenFields(fields: JsonFieldsOption, path: string): [string, string][] {
  const list = oneOrMore(fields as readonly string[])
  if (list.length === 0) throw invalidOption(path, 'name one field at least')
  if (list !== fields) {
    const chosen = Object.entries(objectOption(fields, path) as Readonly<Record<string, string>>)
    if (chosen.length === 0) throw invalidOption(path, 'name one field at least')
    return chosen
  }
  return [...new Set(listOption(list, path))].map((name, index) => {
    if (typeof name === 'string' && Object.hasOwn(jsonFields, name)) {
      return [name, jsonFields[name]!]
    }
    throw invalidOption(
      `${path}[${index}]`,
      `${shown(name)} is none of ${Object.keys(jsonFields).join(', ')}: write { name: variable } for your own`,
    )
  })
}
