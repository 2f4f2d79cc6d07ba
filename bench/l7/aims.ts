import { median, type Row } from '../measure.ts'
import { bestRow, ratio } from '../report.ts'
import { npmProxies } from './scenarios.ts'

/** At least so many times the best proxy of npm on small GETs. */
const overNpm = 5
/** At least this share of HAProxy, per CPU-second. */
const ofHaproxy = 0.8

/** Which aims the rows meet, in Markdown. */
export function aims(rows: readonly Row[]): string {
  const lines = [...new Set(rows.map(({ scenario }) => scenario))].flatMap((scenario) => {
    const its = rows.filter((row) => row.scenario === scenario)
    const ours = its.find(({ contender }) => contender.startsWith('steelyard'))
    const haproxy = its.find(({ contender }) => contender.startsWith('haproxy'))
    const npm = bestRow(its, npmProxies)
    if (ours === undefined || median(ours, 'perCpuSecond') === 0) return []
    const cells = [
      scenario,
      haproxy === undefined ? 'not measured' : against(ratio(ours, haproxy), ofHaproxy),
      npm === undefined ? '' : `${ratio(ours, npm).toFixed(1)} × ${npm.contender}`,
      npm === undefined || scenario !== 'small' ? '' : verdict(ratio(ours, npm) >= overNpm),
    ]
    return [`| ${cells.join(' | ')} |`]
  })
  return [
    `Aims: on small GETs at least ${overNpm} × the best proxy of npm; at least ${ofHaproxy} × HAProxy, per CPU-second. Steelyard in the median:`,
    '',
    '| scenario | of HAProxy | of the best of npm | aim |',
    '| --- | --: | --: | --- |',
    ...lines,
  ].join('\n')
}

function against(value: number, aim: number): string {
  return `${value.toFixed(2)}, ${verdict(value >= aim)}`
}

function verdict(met: boolean): string {
  return met ? 'met' : 'not met'
}
