/** A family of series as a scrape shows it. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: string
  readonly samples: readonly Sample[]
}

/** One line of a scrape. */
export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const nameForm = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const labelForm = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const valueForm = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/
const types = ['counter', 'gauge', 'histogram', 'summary', 'untyped']

/**
 * Reads the Prometheus text format 0.0.4, and refuses what a scraper might only put up with: a family in
 * two places, samples before their TYPE, a series twice, escapes that do not exist, a missing last line
 * break, counters whose names do not end in `_total`, or that are negative.
 */
export function parseMetrics(text: string): readonly Family[] {
  if (text === '') return []
  if (!text.endsWith('\n')) throw new Error('the last line has no line break')
  const families = new Map<string, { help?: string; type?: string; samples: Sample[] }>()
  let current = ''
  const begin = (name: string): void => {
    if (name === current) return
    if (families.has(name)) throw new Error(`family ${name} stands in two places`)
    if (!nameForm.test(name)) throw new Error(`"${name}" is no name`)
    families.set(name, { samples: [] })
    current = name
  }
  const seen = new Set<string>()
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) (\S+) ?(.*)$/s.exec(line)
    if (comment !== null) {
      const [, kind = '', name = '', rest = ''] = comment
      begin(name)
      const family = families.get(name)!
      if (family.samples.length > 0) throw new Error(`${kind} of ${name} comes after samples`)
      if (kind === 'HELP') {
        if (family.help !== undefined) throw new Error(`${name} has two HELP lines`)
        if (!/^(?:[^\\]|\\[\\n])*$/.test(rest))
          throw new Error(`HELP of ${name} has a wrong escape`)
        family.help = rest
      } else {
        if (family.type !== undefined) throw new Error(`${name} has two TYPE lines`)
        if (!types.includes(rest)) throw new Error(`${name} has the type "${rest}"`)
        family.type = rest
      }
      continue
    }
    if (line.startsWith('#') || line.trim() === '')
      throw new Error(`a line says nothing: "${line}"`)
    const sample = parseSample(line)
    const family = families.get(current)
    if (family?.type === undefined) throw new Error(`${sample.name} has no TYPE before it`)
    const suffixes = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']
    if (!suffixes.some((suffix) => sample.name === `${current}${suffix}`)) {
      throw new Error(`${sample.name} stands in the family ${current}`)
    }
    const id = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`
    if (seen.has(id)) throw new Error(`the series ${id} stands there twice`)
    seen.add(id)
    if (family.type === 'counter' && !(sample.value >= 0)) {
      throw new Error(`the counter ${id} is ${sample.value}`)
    }
    family.samples.push(sample)
  }
  return [...families].map(([name, { help, type = 'untyped', samples }]) => {
    if (help === undefined || help === '') throw new Error(`${name} has no HELP`)
    if ((type === 'counter') !== name.endsWith('_total')) {
      throw new Error(`${name} is a ${type}, and its name says otherwise`)
    }
    if (samples.length === 0) throw new Error(`${name} has no samples`)
    return { name, help, type, samples }
  })
}

function parseSample(line: string): Sample {
  // Only \n ends a line here: a dot must match \r and U+2028 too.
  const head = /^([^\s{]+)(.*)$/s.exec(line)
  const name = head?.[1] ?? ''
  let rest = head?.[2] ?? ''
  if (!nameForm.test(name)) throw new Error(`"${line}" begins with no name`)
  const labels: Record<string, string> = {}
  if (rest.startsWith('{')) {
    rest = rest.slice(1)
    while (!rest.startsWith('}')) {
      const found = /^([^=]+)="((?:[^"\\\n]|\\["\\n])*)"(,(?!\})|(?=\}))/.exec(rest)
      if (found === null) throw new Error(`the labels of "${line}" are wrong at "${rest}"`)
      const [whole, label = '', value = ''] = found
      if (!labelForm.test(label)) throw new Error(`"${label}" is no label`)
      if (label in labels) throw new Error(`"${line}" has the label ${label} twice`)
      labels[label] = value.replaceAll(/\\(.)/g, (_, one: string) => (one === 'n' ? '\n' : one))
      rest = rest.slice(whole.length)
    }
    rest = rest.slice(1)
  }
  const value = rest.slice(1)
  if (!rest.startsWith(' ') || !valueForm.test(value)) throw new Error(`"${line}" has no value`)
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) }
}

/** The value of one series; undefined when it is not there. */
export function valueOf(
  families: readonly Family[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  return families
    .flatMap(({ samples }) => samples)
    .find(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )?.value
}
