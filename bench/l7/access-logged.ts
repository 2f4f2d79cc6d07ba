import { openSync } from 'node:fs'
import { accessLog, bufferedSink, type HttpBalancerOptions } from '@steelyard/l7'

/** The same options, with an access log in the form that nginx writes, to where it costs no disk. */
export function accessLogged(options: HttpBalancerOptions): HttpBalancerOptions {
  const log = accessLog({ format: 'combined', sink: bufferedSink(openSync('/dev/null', 'w')) })
  return { ...options, use: [log], onExchange: log.onExchange }
}
