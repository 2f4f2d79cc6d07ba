import type { Candidate, Explanation, PoolWord } from '../explain/explanation.ts'
import type { Colours } from './colours.ts'
import { table } from './table.ts'

/** Rules that did not match, beyond which only their number is told. */
const mostTrials = 40

/** An explanation for people, from the top down as a request goes. Ends with a line break. */
export function renderExplanation(told: Explanation, paint: Colours): string {
  const { request, by, listener, refused, order, rules, rule, action, filters, answer, pools } =
    told
  const lines = [
    `${paint.bold(`${request.method} ${request.url}`)}  ${paint.dim(`from ${request.client}`)}`,
    '',
    paint.dim('LISTENER'),
    ...told.listeners.map(
      ({ name, protocol, address, matched, because }) =>
        `  ${mark(matched, paint)} ${name}  ${protocol} ${address}  ${paint.dim(because)}`,
    ),
  ]
  if (told.listeners.length === 0) lines.push('  there is no HTTP listener')
  if (listener === undefined) return `${lines.join('\n')}\n\n${paint.bad('no listener takes it')}\n`
  if (refused !== undefined) {
    return `${lines.join('\n')}\n\n${paint.bad('refused before any rule:')} ${refused}\n`
  }
  lines.push('', paint.dim(`RULES, ${order ?? 'listed'}`))
  const shown = rules.length > mostTrials ? rules.slice(-mostTrials) : rules
  if (shown.length < rules.length) {
    lines.push(paint.dim(`  … ${rules.length - shown.length} more before these do not match`))
  }
  for (const { name, matched, because } of shown) {
    lines.push(
      `  ${mark(matched, paint)} ${matched ? paint.bold(name) : name}  ${paint.dim(because)}`,
    )
  }
  if (rules.length === 0) lines.push('  there are none')
  if (action !== undefined)
    lines.push('', `${paint.dim('ACTION')}  ${paint.bold(rule ?? '')}  ${action}`)
  for (const note of told.notes) lines.push(`  ${paint.dim(note)}`)
  if (filters.length > 0) {
    lines.push('', paint.dim('FILTERS'))
    lines.push(
      ...table(
        [{ heading: '' }, { heading: '' }, { heading: '' }],
        filters.map(({ name, of, says }) => [
          `  ${says.startsWith('answers') || says.startsWith('ends') ? paint.bad('✗') : paint.dim('·')} ${name}`,
          paint.dim(of),
          says,
        ]),
      ).slice(1),
    )
  }
  for (const pool of pools) lines.push('', ...poolLines(pool, paint))
  if (answer !== undefined) {
    const where = answer.location === undefined ? '' : `  → ${answer.location}`
    const status = answer.status === 0 ? 'none' : String(answer.status)
    lines.push(
      '',
      `${paint.dim('ANSWER')}  ${paint.bold(status)}${where}  ${paint.dim(`by ${answer.by}`)}`,
    )
  }
  if (by === 'document') {
    lines.push('', paint.dim('of the document alone: all members count as up'))
  }
  return `${lines.join('\n')}\n`
}

function mark(matched: boolean, paint: Colours): string {
  return matched ? paint.good('✓') : paint.dim('✗')
}

function poolLines(pool: PoolWord, paint: Colours): string[] {
  const { name, algorithm, share, candidates, pick, because } = pool
  const part = share === 1 ? '' : `  ${Math.round(share * 1000) / 10} % of the requests`
  const lines = [`${paint.dim('POOL')}  ${paint.bold(name)}  ${algorithm}${part}`]
  lines.push(
    ...table(
      [
        { heading: paint.dim('  MEMBER') },
        { heading: paint.dim('HEALTH') },
        { heading: paint.dim('WEIGHT'), align: 'right' },
        { heading: paint.dim('OPEN'), align: 'right' },
        { heading: paint.dim('WHY') },
      ],
      candidates.map((one) => memberCells(one, one.id === pick, paint)),
    ),
  )
  lines.push(
    pick === undefined
      ? `  ${paint.warn('no one member:')} ${because}`
      : `  ${paint.good('would get it:')} ${paint.bold(pick)}  ${paint.dim(because)}`,
  )
  return lines
}

function memberCells(
  { id, address, condition, reason, weight, backup, active, usable }: Candidate,
  isPicked: boolean,
  paint: Colours,
): string[] {
  const name = id === address ? id : `${id} ${paint.dim(address)}`
  return [
    `  ${isPicked ? paint.good('→') : ' '} ${name}${backup ? paint.dim(' backup') : ''}`,
    usable ? paint.good(condition) : paint.bad(condition),
    String(Math.round(weight * 10) / 10),
    String(active),
    paint.dim(reason),
  ]
}
