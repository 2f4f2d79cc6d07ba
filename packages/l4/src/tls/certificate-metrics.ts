import type { Labels, Metrics } from '@steelyard/core'
import type { TlsContexts } from './contexts.ts'

/**
 * Reports when each certificate expires, as seconds since the epoch, so that an alert can compare it with
 * the time. Follows replacements; disposing ends it.
 */
export function reportCertificates(
  metrics: Metrics,
  contexts: Pick<TlsContexts, 'certificates'>,
  labels: Labels = {},
): Disposable {
  return metrics.collect((report) => {
    for (const { names, subject, serialNumber, notAfter } of contexts.certificates) {
      report(
        'gauge',
        'steelyard_l4_certificate_expiry_seconds',
        'When a certificate expires, in seconds since the epoch.',
        notAfter / 1000,
        { ...labels, name: names[0] ?? subject, serial: serialNumber },
      )
    }
  })
}
