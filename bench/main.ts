import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { l4Scenarios } from './l4/scenarios.ts'
import { aims } from './l7/aims.ts'
import { l7Scenarios, npmProxies } from './l7/scenarios.ts'
import { measure, type Row, type Scenario } from './measure.ts'
import { type Company, environment, markdown } from './report.ts'

interface Benchmark {
  readonly scenarios: readonly Scenario[]
  readonly company: Company
  /** Those that the tables also compare with. */
  readonly peers: readonly string[]
  /** What is said in front of the tables. */
  summary(rows: readonly Row[]): string
}

const benchmarks: Readonly<Record<string, Benchmark>> = {
  l4: { scenarios: l4Scenarios, company: {}, peers: [], summary: () => '' },
  l7: {
    scenarios: l7Scenarios,
    company: { commands: ['caddy', 'h2load'], packages: [...npmProxies, 'fastify'] },
    peers: npmProxies,
    summary: aims,
  },
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    patience: { type: 'string', default: '0' },
    only: { type: 'string' },
    contenders: { type: 'string' },
  },
})
const [name = ''] = positionals
const benchmark = Object.hasOwn(benchmarks, name) ? benchmarks[name]! : undefined
if (benchmark === undefined) {
  console.error(
    'usage: npm run bench -- l4|l7 [--rounds 3] [--seconds 4] [--patience 0] [--only SCENARIO,…] [--contenders NAME,…]',
  )
  process.exit(2)
}

const rounds = whole('rounds', values.rounds, 1)
const seconds = whole('seconds', values.seconds, 1)
const patience = whole('patience', values.patience, 0)
const scenarios = chosen(benchmark.scenarios, values.only, 'scenario')
const run = scenarios
  .map((scenario) => ({
    ...scenario,
    contenders: chosen(scenario.contenders, values.contenders, 'contender', false),
  }))
  .filter(({ contenders }) => contenders.length > 0)
if (run.length === 0) wrong(`no contender is called "${values.contenders}" there`)

const rows = await measure(run, { rounds, seconds, patience }, (line) => console.log(line))
const env = environment(benchmark.company)
const text = [benchmark.summary(rows), markdown(rows, env, benchmark.peers)].join('\n\n').trim()
console.log(`\n${text}\n`)
if (values.only === undefined && values.contenders === undefined) await publish(name, text)
else console.log('a part only: nothing is written')

async function publish(name: string, text: string): Promise<void> {
  const folder = fileURLToPath(new URL('./results/', import.meta.url))
  await mkdir(folder, { recursive: true })
  await writeFile(`${folder}${name}.json`, `${JSON.stringify({ env, rows }, null, 2)}\n`)
  const readme = fileURLToPath(new URL('./README.md', import.meta.url))
  const page = await readFile(readme, 'utf8')
  const place = new RegExp(`(<!-- ${name} -->)[^]*(<!-- /${name} -->)`)
  await writeFile(
    readme,
    page.replace(place, (_, from: string, to: string) => `${from}\n\n${text}\n\n${to}`),
  )
  console.log(`written to bench/results/${name}.json and bench/README.md`)
}

/** Those whose name begins with one of the words. */
function chosen<Item extends { readonly name: string }>(
  items: readonly Item[],
  words: string | undefined,
  what: string,
  each = true,
): readonly Item[] {
  if (words === undefined) return items
  const list = words.split(',')
  for (const word of each ? list : []) {
    if (items.some((item) => item.name.startsWith(word))) continue
    wrong(`no ${what} is called "${word}"; there are ${items.map((item) => item.name).join(', ')}`)
  }
  return items.filter((item) => list.some((word) => item.name.startsWith(word)))
}

function whole(option: string, text: string, least: number): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < least) {
    wrong(`--${option} ${text} is no whole number of at least ${least}`)
  }
  return value
}

function wrong(problem: string): never {
  console.error(problem)
  process.exit(2)
}
