import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { prometheusMetrics } from '../../src/admin/prometheus.ts'
import { parseMetrics, valueOf } from '../journey/metrics-text.ts'

describe('metrics as Prometheus reads them', () => {
  test('nothing is exposed as nothing', () => {
    expect(parseMetrics(prometheusMetrics().expose())).toEqual([])
  })

  test('counters, gauges and histograms', () => {
    const metrics = prometheusMetrics()
    const counter = metrics.counter('things_total', 'Things.', { kind: 'a' })
    counter.add()
    counter.add(2)
    metrics.gauge('level', 'Level.').set(-1.5)
    const times = metrics.histogram('seconds', 'Time.', [0.1, 1], { listener: 'x' })
    for (const time of [0.05, 0.5, 5]) times.observe(time)
    const families = parseMetrics(metrics.expose())
    expect(families.map(({ name, type }) => [name, type])).toEqual([
      ['things_total', 'counter'],
      ['level', 'gauge'],
      ['seconds', 'histogram'],
    ])
    expect(valueOf(families, 'things_total', { kind: 'a' })).toBe(3)
    expect(valueOf(families, 'level')).toBe(-1.5)
    const bucket = (le: string): number | undefined => valueOf(families, 'seconds_bucket', { le })
    expect([bucket('0.1'), bucket('1'), bucket('+Inf')]).toEqual([1, 2, 3])
    expect(valueOf(families, 'seconds_count')).toBe(3)
    expect(valueOf(families, 'seconds_sum')).toBeCloseTo(5.55)
  })

  test('any label value and any help text survive the way out and back', () => {
    const anyText = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('\\', '"', '\n', '\\n', '"}', ' 1\n# TYPE x counter\nx{a="', '{a="b"}'),
    )
    fc.assert(
      fc.property(anyText, anyText, anyText, (one, two, help) => {
        const metrics = prometheusMetrics()
        metrics.gauge('x', `h${help}`, { one, two }).set(1)
        const [family] = parseMetrics(metrics.expose())
        expect(family!.samples).toEqual([{ name: 'x', labels: { one, two }, value: 1 }])
      }),
    )
  })

  test('a series has so many label sets at most', () => {
    const metrics = prometheusMetrics()
    for (let index = 0; index < 10_500; index++) {
      metrics.gauge('many', 'Many.', { index: String(index) }).set(1)
    }
    expect(parseMetrics(metrics.expose())[0]!.samples).toHaveLength(10_000)
  })

  test('a counter that two collectors tell is their sum, and does not fall when one of them goes', () => {
    const metrics = prometheusMetrics()
    const tell = (value: number): Disposable =>
      metrics.collect((report) => {
        report('counter', 'seen_total', 'Seen.', value, { listener: 'a' })
        report('gauge', 'open', 'Open.', 1, { listener: 'a' })
      })
    const read = (name: string): number | undefined => valueOf(parseMetrics(metrics.expose()), name)
    const first = tell(5)
    const second = tell(7)
    expect([read('seen_total'), read('open')]).toEqual([12, 2])
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    expect([read('seen_total'), read('open')]).toEqual([12, 1])
    second[Symbol.dispose]()
    expect([read('seen_total'), read('open')]).toEqual([undefined, undefined])
    // Nobody told it for a while: it begins anew, as after a restart.
    tell(3)
    expect(read('seen_total')).toBe(3)
  })
})
