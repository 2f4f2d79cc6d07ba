import { isSteelyardError, type Pool, pool, silentLog, systemClock } from '@steelyard/core'
import { httpBalancer, type Route } from '@steelyard/l7'
import { type Fault, faultAt, isFault, within } from '../http/fault.ts'
import { filterStock } from '../http/filter-stock.ts'
import { routingOptions } from '../http/listener.ts'
import { policyRoutes, ruleRoute } from '../http/routes.ts'
import type { RouteSurroundings } from '../http/surroundings.ts'
import {
  type DesiredHttpListener,
  type DesiredPolicy,
  type DesiredPool,
  type DesiredRule,
  isHttp,
} from './desired.ts'
import type { DocumentFiles } from './document-files.ts'
import {
  allListenersOf,
  type PlacedListener,
  type PlacedRule,
  poolsOf,
  rulesOf,
} from './document-objects.ts'
import type { DocumentObject, Inspection } from './inspection.ts'
import { normalisePool } from './normalise-pool.ts'
import type { Path } from './path.ts'
import { firstByName } from './references.ts'
import type { MeantDocument } from './schema.ts'

/**
 * Makes every HTTP listener once, on trial and without sockets, so that what the router and its filters would refuse
 * is known before anything changes. A rule that cannot be made is left out by itself.
 */
export function findRuleProblems(inspection: Inspection, files: DocumentFiles | undefined): void {
  const pools = trialPools(inspection)
  for (const listener of allListenersOf(inspection.draft)) {
    const { draft, path, owner } = listener
    if (!isHttp(draft) || draft.protocol === undefined || !isWhole(draft)) continue
    if (inspection.isLeftOut(path) || inspection.isLeftOut(owner.path)) continue
    tryListener(inspection, listener, trialSurroundings(listener.name, pools, files), files)
  }
}

type Trial = RouteSurroundings

interface TrialPool {
  readonly pool: Pool
  readonly desired: DesiredPool
}

/** Pools without members: enough to make routes. */
function trialPools(inspection: Inspection): (name: string) => TrialPool | undefined {
  const drafts = firstByName(poolsOf(inspection.draft))
  const made = new Map<string, TrialPool>()
  return (name) => {
    const known = made.get(name)
    if (known !== undefined) return known
    const draft = drafts.get(name)?.draft
    if (draft === undefined || !isWhole(draft)) return undefined
    const desired = normalisePool(draft as MeantDocument['pools'][number], [])
    const trial = { pool: pool({ name }), desired }
    made.set(name, trial)
    return trial
  }
}

function trialSurroundings(
  listener: string,
  pools: (name: string) => TrialPool | undefined,
  files: DocumentFiles | undefined,
): Trial {
  return {
    listener,
    pool(name) {
      const found = pools(name)
      if (found !== undefined) return found
      throw faultAt([], `there is no pool "${name}"`, 'define it')
    },
    upstream: () => ({}),
    read: (path) => (files === undefined ? '' : readable(files, path)),
    stock: filterStock(),
    clock: systemClock,
    log: silentLog,
    sink: () => ({ write: () => true }),
    outermost: [],
  }
}

function readable(files: DocumentFiles, path: string): string {
  try {
    return files.read(path)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw faultAt(
      [],
      `the file "${path}" cannot be read: ${why}`,
      'a relative path is taken from the directory of the document',
    )
  }
}

function tryListener(
  inspection: Inspection,
  listener: PlacedListener,
  surroundings: Trial,
  files: DocumentFiles | undefined,
): void {
  // Only what is whole comes here.
  const desired = { ...listener.draft, id: listener.name } as unknown as DesiredHttpListener
  const report = (object: DocumentObject, fault: Fault, below: Path): void => {
    const isRule = object.kind === 'rule'
    const isCondition = isRule && below[0] === 'match'
    const code = !isRule ? 'listener-invalid' : isCondition ? 'condition-invalid' : 'rule-invalid'
    inspection.report(code, object, [...object.path, ...below], fault.problem, fault.remedy)
  }
  const ruleFault = (rule: PlacedRule, fault: Fault): void => {
    if (files === undefined && needsFiles(fault)) return
    const { place } = fault
    const below = rule.list === 'policies' && place[0] === 'rules' ? ['match', ...place] : place
    if (below[0] === 'match' && guards(desired, rule)) {
      // To leave a guard out would open what it guards.
      const code = 'listener-invalid'
      const hint = `${fault.remedy}${fault.remedy === '' ? '' : '; '}the rule keeps requests out, so the whole listener waits for it`
      inspection.report(code, listener, [...rule.path, ...place], fault.problem, hint)
      return
    }
    const code = below[0] === 'match' ? 'condition-invalid' : 'rule-invalid'
    inspection.report(code, rule, [...rule.path, ...place], fault.problem, fault.remedy)
  }

  const made: { readonly rule: PlacedRule; readonly route: Route }[] = []
  for (const rule of rulesOf(listener)) {
    if (inspection.isLeftOut(rule.path)) continue
    try {
      const routes =
        rule.list === 'rules'
          ? [ruleRoute(desired.rules[rule.index] as DesiredRule, desired, surroundings)]
          : policyRoutes(desired.policies[rule.index] as DesiredPolicy, desired, surroundings)
      for (const route of routes) made.push({ rule, route })
    } catch (error) {
      if (!isFault(error)) throw error
      ruleFault(rule, error)
    }
  }
  let frame: ReturnType<typeof routingOptions>
  try {
    frame = routingOptions({ ...desired, rules: [], policies: [] }, surroundings)
  } catch (error) {
    if (!isFault(error)) throw error
    if (files !== undefined || !needsFiles(error)) report(listener, error, error.place)
    return
  }
  compile(listener, frame, made, ruleFault, report)
}

/** Some options are looked at only when all is put together: what is wrong is taken out until the rest is good. */
function compile(
  listener: PlacedListener,
  frame: ReturnType<typeof routingOptions>,
  made: readonly { readonly rule: PlacedRule; readonly route: Route }[],
  ruleFault: (rule: PlacedRule, fault: Fault) => void,
  report: (object: DocumentObject, fault: Fault, below: Path) => void,
): void {
  let left = [...made]
  for (;;) {
    const routes = left.map(({ route }) => route)
    try {
      within([], () =>
        httpBalancer({
          ...withoutAbsent(frame),
          listen: '127.0.0.1:0',
          routes: [...routes, ...frame.routes],
        }),
      )
      return
    } catch (error) {
      const cause = isFault(error) ? error.cause : error
      if (!isFault(error) || !isSteelyardError(cause)) throw error
      const [, index, rest = ''] = /^routes\[(\d+)\]\.?(.*)$/.exec(cause.path ?? '') ?? []
      const culprit = index === undefined ? undefined : left[Number(index)]
      if (culprit === undefined) {
        const place = stepsOf(cause.path ?? '')
        report(listener, error, index === undefined ? place : ['pool'])
        return
      }
      ruleFault(culprit.rule, faultAt(ruleField(rest), error.problem, error.remedy))
      // Those before it were looked at already.
      left = left.slice(Number(index) + 1)
    }
  }
}

/** Where in a rule an option of its action stands. */
function ruleField(path: string): Path {
  const [first, ...rest] = stepsOf(path.replace(/^action\.?/, ''))
  switch (first) {
    case 'requestHeaders':
      return ['headers', 'request', ...rest]
    case 'responseHeaders':
      return ['headers', 'response', ...rest]
    case undefined:
      return ['name']
    default:
      return [first, ...rest]
  }
}

function stepsOf(path: string): (string | number)[] {
  return [...path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)].map(([text, , index]) =>
    index === undefined ? text : Number(index),
  )
}

/** Does the rule keep requests from something? */
function guards(listener: DesiredHttpListener, { list, index }: PlacedRule): boolean {
  if (list === 'policies') return listener.policies[index]?.action === 'REJECT'
  const { reject, drop, tarpit, filters } = listener.rules[index] ?? {}
  const { basicAuth, jwtAuth, forwardAuth, ipAccess } = filters ?? {}
  return (
    [reject, tarpit, basicAuth, jwtAuth, forwardAuth, ipAccess].some(
      (guard) => guard !== undefined,
    ) || drop === true
  )
}

/** Without files nothing can be said about what is in them. */
function needsFiles({ place }: Fault): boolean {
  return (
    place.some((step) => /file/i.test(String(step))) ||
    place.includes('jwtAuth') ||
    place.includes('persistence')
  )
}

function withoutAbsent<Options extends object>(options: Options): Options {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Options
}

/** Is nothing of it missing because it is wrong? */
function isWhole(value: unknown): boolean {
  if (value === undefined) return false
  if (typeof value !== 'object' || value === null) return true
  return Object.values(value).every(isWhole)
}
