import type { Counter, Gauge, Histogram, Labels, Metrics, Report } from '@steelyard/core'

/** Core's metrics port with an exposition in the Prometheus text format 0.0.4. */
export interface PrometheusMetrics extends Metrics {
  /** All series at this moment. */
  expose(): string
}

/** Series of one name at most; further ones are left out, so that a scrape stays bounded. */
const seriesLimit = 10_000

interface Family {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  /** Sample lines without the name's first part: suffix and labels → value. */
  readonly samples: Map<string, number>
}

/** Makes a {@link PrometheusMetrics}. */
export function prometheusMetrics(): PrometheusMetrics {
  const families = new Map<string, Family>()
  const collectors = new Set<(report: Report) => void>()
  /** Last counters of collectors that are gone: while another one counts on, a series must not fall. */
  const retired = new Map<string, Map<string, number>>()

  function family(
    into: Map<string, Family>,
    kind: Family['kind'],
    name: string,
    help: string,
  ): Family {
    let found = into.get(name)
    if (found === undefined) into.set(name, (found = { kind, help, samples: new Map() }))
    return found
  }

  function add({ samples }: Family, sample: string, amount: number): void {
    const before = samples.get(sample)
    if (before !== undefined || samples.size < seriesLimit)
      samples.set(sample, (before ?? 0) + amount)
  }

  const retire: Report = (kind, name, _help, value, labels) => {
    if (kind !== 'counter') return
    const before = retired.get(name) ?? new Map<string, number>()
    const sample = labelText(labels)
    retired.set(name, before.set(sample, (before.get(sample) ?? 0) + value))
  }

  return {
    counter(name, help, labels): Counter {
      const target = family(families, 'counter', name, help)
      const sample = labelText(labels)
      add(target, sample, 0)
      return { add: (amount = 1) => add(target, sample, amount) }
    },
    gauge(name, help, labels): Gauge {
      const target = family(families, 'gauge', name, help)
      const sample = labelText(labels)
      add(target, sample, 0)
      return {
        set(value) {
          if (target.samples.has(sample)) target.samples.set(sample, value)
        },
      }
    },
    histogram(name, help, bounds, labels): Histogram {
      const target = family(families, 'histogram', name, help)
      const edges = [...bounds, Number.POSITIVE_INFINITY].map((bound) => ({
        bound,
        sample: `_bucket${labelText({ ...labels, le: numberText(bound) })}`,
      }))
      const sum = `_sum${labelText(labels)}`
      const count = `_count${labelText(labels)}`
      for (const { sample } of edges) add(target, sample, 0)
      return {
        observe(value) {
          for (const { bound, sample } of edges) if (value <= bound) add(target, sample, 1)
          add(target, sum, value)
          add(target, count, 1)
        },
      }
    },
    collect(sample) {
      collectors.add(sample)
      return {
        [Symbol.dispose]() {
          if (collectors.delete(sample)) sample(retire)
        },
      }
    },
    expose() {
      const all = new Map<string, Family>()
      for (const [name, { kind, help, samples }] of families)
        all.set(name, { kind, help, samples: new Map(samples) })
      for (const collector of collectors) {
        collector((kind, name, help, value, labels) => {
          add(family(all, kind, name, help), labelText(labels), value)
        })
      }
      for (const [name, before] of retired) {
        const samples = all.get(name)?.samples
        for (const [sample, value] of before) {
          const present = samples?.get(sample)
          if (present === undefined) before.delete(sample)
          else samples!.set(sample, present + value)
        }
        if (before.size === 0) retired.delete(name)
      }
      return [...all].map(([name, entry]) => familyText(name, entry)).join('')
    },
  }
}

function familyText(name: string, { kind, help, samples }: Family): string {
  if (samples.size === 0) return ''
  const lines = [...samples].map(([sample, value]) => `${name}${sample} ${numberText(value)}\n`)
  return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${kind}\n${lines.join('')}`
}

function labelText(labels: Labels | undefined): string {
  const entries = Object.entries(labels ?? {})
  if (entries.length === 0) return ''
  const text = entries.map(
    ([name, value]) =>
      `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`,
  )
  return `{${text.join(',')}}`
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}
