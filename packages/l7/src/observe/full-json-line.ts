import type { ExchangeRecord } from '../exchange/exchange-record.ts'
import { nameTree } from './bounded-labels.ts'
import { jsonText } from './escaped-text.ts'
import type { LogLine } from './log-line.ts'
import { isoTime } from './log-time.ts'
import { retriesOf } from './log-variable.ts'
import { thousandthsText } from './number-text.ts'
import { traceOf } from './trace-of.ts'

/** Names whose part of the line is kept ready. */
const mostNames = 1024

/** Where a request went, as a part of the line. */
interface Destination {
  readonly address: string | undefined
  readonly text: string
}

/**
 * Makes the same lines as a JSON line of all fields, at less cost: facts are read once, and names that come again and
 * again are not spelled again.
 */
export function fullJsonLine(): LogLine {
  const timeText = isoTime()
  const destinations = nameTree<Destination>(mostNames)

  function destination({ route, pool, backend, backendAddress }: ExchangeRecord): string {
    const known = destinations.find('', route, pool, backend)
    if (known !== undefined && known.address === backendAddress) return known.text
    const text =
      part(',"route":"', route) +
      part(',"pool":"', pool) +
      part(',"backend":"', backend) +
      part(',"backendAddress":"', backendAddress)
    if (known === undefined) {
      destinations.put('', route, pool, backend, { address: backendAddress, text })
    }
    return text
  }

  return (record, x) => {
    const { client, request, times, status, backendStatus, flags, error, tls } = record
    let line = `{"time":"${timeText(record.time)}","id":"${jsonText(record.id)}","listener":"${jsonText(
      record.listener,
    )}","client":"${jsonText(client.path ?? client.address)}"`
    if (client.port !== 0) line += `,"clientPort":${client.port}`
    if (request !== undefined) {
      const { host, query } = request
      line += `,"method":"${jsonText(request.method)}","scheme":"${request.scheme}"`
      if (host !== '') line += `,"host":"${jsonText(host)}"`
      line += `,"path":"${jsonText(request.path)}"`
      if (query !== undefined) line += `,"query":"${jsonText(query)}"`
      line += `,"version":"${request.version}"`
    }
    line += `,"status":${status},"bytesIn":${record.bytesIn},"bytesOut":${record.bytesOut}${destination(record)}`
    if (backendStatus !== 0) line += `,"backendStatus":${backendStatus}`
    line += `,"retries":${retriesOf(record)},"reused":${record.reused},"endedBy":"${record.endedBy}","reason":"${jsonText(
      record.reason,
    )}"`
    if (error !== undefined)
      line += `,"phase":"${error.phase}","error":"${jsonText(error.message)}"`
    if (flags.length > 0) line += `,"flags":[${flags.map(quoted).join(',')}]`
    line +=
      timer(',"headMs":', times.head) +
      timer(',"queueMs":', times.queue) +
      timer(',"connectMs":', times.connect) +
      timer(',"firstByteMs":', times.firstByte) +
      timer(',"responseMs":', times.response) +
      timer(',"totalMs":', times.total)
    if (tls !== undefined) {
      line += `,"tlsVersion":"${jsonText(tls.version)}","tlsCipher":"${jsonText(tls.cipher)}"`
      line += part(',"serverName":"', tls.serverName)
    }
    if (request !== undefined) {
      line += part(',"userAgent":"', request.header('user-agent'))
      line += part(',"referer":"', request.header('referer'))
    }
    return `${line}${part(',"traceId":"', traceOf(x, record)?.traceId)}}`
  }
}

function part(head: string, text: string | undefined): string {
  return text === undefined ? '' : `${head}${jsonText(text)}"`
}

function quoted(word: string): string {
  return `"${jsonText(word)}"`
}

function timer(head: string, ms: number): string {
  if (ms < 0) return ''
  return head + (Number.isFinite(ms) ? thousandthsText(ms) : 'null')
}
