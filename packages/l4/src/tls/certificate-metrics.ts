import type { Labels, Metrics, Report } from '@steelyard/core'
import type { TlsContexts } from './contexts.ts'

/** Reports when each certificate expires, as seconds since the epoch, so that an alert can compare it with the time. */
export function certificateSeries(
  { certificates }: Pick<TlsContexts, 'certificates'>,
  labels: Labels,
  report: Report,
): void {
  for (const { names, subject, serialNumber, notAfter } of certificates) {
    report(
      'gauge',
      'steelyard_l4_certificate_expiry_seconds',
      'When a certificate expires, in seconds since the epoch.',
      notAfter / 1000,
      { ...labels, name: names[0] ?? subject, serial: serialNumber },
    )
  }
}

/** The same at each scrape, for a set of certificates; follows replacements, and disposing ends it. */
export function reportCertificates(
  metrics: Metrics,
  contexts: Pick<TlsContexts, 'certificates'>,
  labels: Labels = {},
): Disposable {
  return metrics.collect((report) => certificateSeries(contexts, labels, report))
}
