import { functionOption, listOption, objectOption, textOption } from '@steelyard/core'
import type { Exchange } from '../exchange/exchange.ts'
import type { ResponseEditor } from '../exchange/field-editor.ts'
import type { HttpFilter } from '../exchange/http-filter.ts'
import { tokenOption } from '../filters/field-option.ts'
import { wordOption } from '../filters/number-option.ts'
import { thousandthsText } from './number-text.ts'

/** A span of time that {@link serverTiming} tells. */
export type ServerTimingPhase = 'wait' | 'backend' | 'total'

/** What {@link serverTiming} tells clients. */
export interface ServerTimingOptions {
  /**
   * `wait`: until the request was ready for its last member, filters and queue included; `backend`: from there to the
   * response's head, the connect included; `total`: from the request's head to the response's. Default: all three.
   */
  readonly phases?: readonly ServerTimingPhase[]
  /** Before each name, so that they differ from those of members. Default `lb-`. */
  readonly prefix?: string
  /** Whom to tell: times tell something of what stands behind us. Default: everybody. */
  readonly when?: (x: Exchange) => boolean
}

/**
 * Adds a Server-Timing field (W3C Server Timing) with the milliseconds that a request spent here and behind us; fields of
 * members stay.
 *
 * @param path - where the options stand, for messages.
 * @throws `invalid-option` with the path of the field.
 */
export function serverTiming(options: ServerTimingOptions = {}, path = 'serverTiming'): HttpFilter {
  const {
    phases = ['wait', 'backend', 'total'],
    prefix = 'lb-',
    when,
  } = objectOption(options, path)
  const names = new Map<ServerTimingPhase, string>()
  for (const [index, phase] of listOption(phases, `${path}.phases`).entries()) {
    wordOption(phase, ['wait', 'backend', 'total'], `${path}.phases[${index}]`)
    names.set(phase, tokenOption(textOption(prefix, `${path}.prefix`) + phase, `${path}.prefix`))
  }
  if (when !== undefined) functionOption(when, `${path}.when`)
  /** Under what an exchange remembers when its last attempt began. */
  const key = {}
  return {
    name: 'server-timing',
    upstreamHead(_head: unknown, x: Exchange): void {
      x.remember(key, x.clock.now())
    },
    responseHead(head: ResponseEditor, x: Exchange): void {
      if (when !== undefined && !when(x)) return
      const now = x.clock.now()
      const sent = x.recall(key)
      const spans: Readonly<Record<ServerTimingPhase, number>> = {
        wait: typeof sent === 'number' ? sent - x.startedAt : -1,
        backend: typeof sent === 'number' ? now - sent : -1,
        total: now - x.startedAt,
      }
      let text = ''
      for (const [phase, name] of names) {
        const span = spans[phase]
        if (span >= 0) text += `${text === '' ? '' : ', '}${name};dur=${thousandthsText(span)}`
      }
      if (text !== '') head.add('server-timing', text)
    },
  }
}
