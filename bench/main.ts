import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { measure, scenarios } from './l4/run.ts'
import { environment, markdown } from './report.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    only: { type: 'string' },
  },
})

if (positionals[0] !== 'l4') {
  console.error(
    'usage: npm run bench -- l4 [--rounds 3] [--seconds 4] [--only connections|requests|bulk|udp]',
  )
  process.exit(2)
}
const { only } = values
const chosen = scenarios.filter(({ name }) => only === undefined || name.startsWith(only))
if (chosen.length === 0) {
  console.error(
    `no scenario is called "${only}"; there are ${scenarios.map(({ name }) => name).join(', ')}`,
  )
  process.exit(2)
}

const rows = await measure(chosen, Number(values.rounds), Number(values.seconds), (line) =>
  console.log(line),
)
const env = environment()
const folder = fileURLToPath(new URL('./results/', import.meta.url))
await mkdir(folder, { recursive: true })
if (only === undefined)
  await writeFile(`${folder}l4.json`, `${JSON.stringify({ env, rows }, null, 2)}\n`)
const text = markdown(rows, env)
console.log(`\n${text}\n`)
if (only === undefined) {
  const readme = fileURLToPath(new URL('./README.md', import.meta.url))
  const page = await readFile(readme, 'utf8')
  const place = /(<!-- l4 -->)[^]*(<!-- \/l4 -->)/
  await writeFile(
    readme,
    page.replace(place, (_, from: string, to: string) => `${from}\n\n${text}\n\n${to}`),
  )
  console.log('written to bench/results/l4.json and bench/README.md')
}
