import {
  addressHash,
  hashText,
  isSteelyardError,
  type Pool,
  timerWheel,
  untried,
} from '@steelyard/core'
import {
  type Exchange,
  type HttpBalancer,
  type HttpFilter,
  handle,
  httpBalancer,
  type InjectedRequest,
  type Route,
  type RouteTrial,
  route,
} from '@steelyard/l7'
import { type Desired, type DesiredHttpListener, type DesiredRule } from '../desired/desired.ts'
import { actionText } from '../http/action-text.ts'

import { orderOf, routingOptions } from '../http/listener.ts'
import { hashKeyOf } from '../http/persistence.ts'
import { defaultRoute } from '../http/routes.ts'
import type { RouteSurroundings } from '../http/surroundings.ts'
import { chooseListener } from './choose-listener.ts'
import type { Candidate, Explanation, FilterWord, PoolWord } from './explanation.ts'
import type { Question } from './question.ts'

/** What explanations are drawn from. */
export interface ExplainSources {
  readonly by: Explanation['by']
  readonly desired: Desired
  /** The listener that runs; absent when nothing does. */
  running?(listener: DesiredHttpListener): Pick<HttpBalancer, 'explain'> | undefined
  /** What the routes of a listener are made with: its own pools and files, and filters of their own. */
  surroundings(listener: DesiredHttpListener): RouteSurroundings
}

/**
 * Says what would become of a request, by the rules and pools themselves: the router is asked, and the filters are
 * given the request on trial, with nobody behind them. Nothing is sent, counted or remembered.
 */
export async function explainRequest(
  sources: ExplainSources,
  question: Question,
): Promise<Explanation> {
  const { by, desired } = sources
  const { chosen, trials } = chooseListener(desired, question)
  const base = {
    request: question,
    by,
    listeners: trials,
    rules: [],
    filters: [],
    pools: [],
    notes: [],
  }
  if (chosen === undefined) return base
  const asked = injected(question, chosen)
  const order = orderOf(chosen)
  let told: readonly RouteTrial[]
  try {
    told = sources.running?.(chosen)?.explain(asked) ?? trialOf(chosen, sources, asked)
  } catch (error) {
    if (!isSteelyardError(error)) throw error
    return { ...base, listener: chosen.id, order, refused: error.message }
  }
  const rules = told.map(({ name, matched, because }) => ({ name, matched, because }))
  const taken = told.find(({ matched }) => matched)
  const found = { ...base, listener: chosen.id, order, rules }
  if (taken === undefined) {
    const by = 'nobody: no rule takes it, and the listener has no pool'
    return { ...found, answer: { status: 404, by } }
  }
  const written = ruleNamed(chosen, taken.name)
  const action =
    taken.name === defaultRoute ? `→ ${chosen.pool ?? ''}` : written && actionText(written)
  using rehearsal = new Rehearsal(withOnly(chosen, taken.name), sources.surroundings(chosen))
  const { filters, answer, pools } = await rehearsal.play(asked, taken.name)
  return {
    ...found,
    rule: taken.name,
    ...(action === undefined ? {} : { action }),
    filters,
    ...(answer === undefined ? {} : { answer }),
    pools,
    notes: notesOf(written),
  }
}

function trialOf(
  listener: DesiredHttpListener,
  sources: ExplainSources,
  asked: InjectedRequest,
): readonly RouteTrial[] {
  using rehearsal = new Rehearsal(listener, sources.surroundings(listener))
  return rehearsal.balancer.explain(asked)
}

/** Of ten thousand rules one is enough to rehearse, once it is known which. */
function withOnly(listener: DesiredHttpListener, rule: string): DesiredHttpListener {
  const { pool, ...rest } = listener
  return {
    ...rest,
    rules: listener.rules.filter(({ name }) => name === rule),
    policies: listener.policies.filter(({ name }) => name === rule),
    ...(rule === defaultRoute && pool !== undefined ? { pool } : {}),
    order: orderOf(listener),
  }
}

function injected(
  { method, url, headers, client }: Question,
  { binding }: DesiredHttpListener,
): InjectedRequest {
  return {
    method,
    url,
    headers,
    client: { address: client },
    ...(binding.kind === 'address' ? { local: { address: binding.host, port: binding.port } } : {}),
  }
}

type Rule = DesiredHttpListener['rules'][number] | DesiredHttpListener['policies'][number]

function ruleNamed({ rules, policies }: DesiredHttpListener, name: string): Rule | undefined {
  return [...rules, ...policies].find((rule) => rule.name === name)
}

function notesOf(rule: Rule | undefined): readonly string[] {
  if (rule === undefined || 'action' in rule) return []
  const { rewrite, sticky } = rule
  return [
    ...(rewrite === undefined ? [] : [`members get it rewritten: ${JSON.stringify(rewrite)}`]),
    ...(sticky === undefined
      ? []
      : [`clients with the cookie "${sticky}" keep the pool that it names`]),
  ]
}

/** Filters that may not be asked on trial, and why. */
const silent: Readonly<Record<string, string>> = {
  loadShedding: 'not asked: it depends on how late the process is',
  faultInjection: 'not asked: it is left to chance',
  forwardAuth: 'not asked: it would ask its service',
  mirror: 'copies the request when it goes to a member',
}

interface Outcome {
  readonly filters: readonly FilterWord[]
  readonly answer?: NonNullable<Explanation['answer']>
  readonly pools: readonly PoolWord[]
}

/** A listener with nobody behind it. */
class Rehearsal implements Disposable {
  readonly balancer: HttpBalancer
  readonly #listener: DesiredHttpListener
  readonly #wheel = timerWheel({})
  readonly #said: FilterWord[] = []
  #pools: readonly PoolWord[] = []
  #reached = false

  constructor(listener: DesiredHttpListener, surroundings: RouteSurroundings) {
    this.#listener = listener
    const { accessLog: _, errorPages: __, ...rest } = listener
    const bare = {
      ...rest,
      filters: askable(listener.filters),
      rules: listener.rules.map((rule) => ({ ...rule, filters: askable(rule.filters) })),
    } as DesiredHttpListener
    const options = routingOptions(bare, surroundings)
    const { use, routes, onExchange: ___, ...others } = options
    const present = Object.fromEntries(
      Object.entries(others).filter(([, value]) => value !== undefined),
    )
    this.balancer = httpBalancer({
      ...present,
      listen: '127.0.0.1:0',
      name: listener.id,
      wheel: this.#wheel,
      use: use.map((filter) => this.#heard(filter, 'listener')),
      routes: routes.map((one) => this.#rehearsed(one)),
    })
    // Sessions were borrowed from what runs, and nothing else was taken.
    surroundings.stock.abandon()
  }

  async play(request: InjectedRequest, rule: string): Promise<Outcome> {
    const written = ruleNamed(this.#listener, rule)
    const unasked = [
      ...unaskedOf(this.#listener.filters, 'listener'),
      ...(written === undefined || 'action' in written ? [] : unaskedOf(written.filters, 'rule')),
    ]
    // It would hold us up as it does its victims.
    if (written !== undefined && !('action' in written) && written.tarpit !== undefined) {
      return {
        filters: unasked,
        pools: [],
        answer: {
          status: written.tarpit.status ?? 500,
          by: `the rule, after ${written.tarpit.delay} ms`,
        },
      }
    }
    const answer = await this.#answer(request)
    return {
      filters: [...this.#said, ...unasked],
      pools: this.#pools,
      ...(answer === undefined ? {} : { answer }),
    }
  }

  async #answer(request: InjectedRequest): Promise<Outcome['answer']> {
    try {
      const response = await this.balancer.inject(request)
      if (this.#reached) return undefined
      const location = response.header('location')
      const refuser = this.#said.find(({ says }) => says.startsWith('answers'))
      return {
        status: response.status,
        ...(location === undefined ? {} : { location }),
        by: refuser === undefined ? 'the rule' : `the filter ${refuser.name}`,
      }
    } catch (error) {
      const dropper = this.#said.find(({ says }) => says.startsWith('ends'))
      const who = dropper === undefined ? 'the rule' : `the filter ${dropper.name}`
      return {
        status: 0,
        by: isSteelyardError(error, 'dropped') ? `${who}, without an answer` : String(error),
      }
    }
  }

  [Symbol.dispose](): void {
    this.#wheel[Symbol.dispose]()
  }

  /** The same route, but its requests come to us. */
  #rehearsed(given: Route): Route {
    const { match, action, name, position } = given
    const place = {
      ...(name === undefined ? {} : { name }),
      ...(position === undefined ? {} : { position }),
    }
    const use = (action.kind === 'forward' ? action.options.use : action.use) ?? []
    const heard = use.map((filter) => this.#heard(filter, 'rule'))
    if (action.kind === 'answer') return route(match, { ...action, use: heard }, place)
    const end = handle((x) => {
      this.#reached = true
      const total = action.pools.reduce((sum, { weight }) => sum + weight, 0)
      const hashKey = this.#hashKey(name)
      this.#pools = action.pools.map(({ pool, weight }) =>
        poolWord(pool, weight / total, x, use, hashKey),
      )
      return { status: 204 }
    }, 'rehearsal')
    return route(match, { ...end, use: heard }, place)
  }

  #hashKey(rule: string | undefined): ((x: Exchange) => string | undefined) | undefined {
    const written = rule === undefined ? undefined : ruleNamed(this.#listener, rule)
    const own = written === undefined || 'action' in written ? undefined : written.hashKey
    const parts = own ?? this.#listener.hashKey
    return parts && hashKeyOf(parts, ['hashKey'])
  }

  /** The same filter, with an ear on what it says. */
  #heard(filter: HttpFilter, of: FilterWord['of']): HttpFilter {
    const note = (says: string): void => void this.#said.push({ name: filter.name, of, says })
    return {
      name: filter.name,
      request: async (x) => {
        const verdict = await filter.request?.(x)
        if (verdict === undefined || verdict === null) note('passes')
        else if ('drop' in verdict) note(`ends the connection (${verdict.reason ?? 'dropped'})`)
        else note(`answers ${verdict.status} (${verdict.reason ?? 'replied'})`)
        return verdict
      },
      ...(filter.responseHead === undefined
        ? {}
        : { responseHead: (head, x) => filter.responseHead!(head, x) }),
      ...(filter.done === undefined ? {} : { done: (record, x) => filter.done!(record, x) }),
    }
  }
}

type Filters = DesiredRule['filters']

function isRemote(name: string, options: unknown): boolean {
  return name === 'jwtAuth' && typeof (options as { jwksUrl?: unknown }).jwksUrl === 'string'
}

function askable(filters: Filters): Filters {
  if (filters === undefined) return undefined
  return Object.fromEntries(
    Object.entries(filters).filter(
      ([name, options]) => !Object.hasOwn(silent, name) && !isRemote(name, options),
    ),
  ) as Filters
}

function unaskedOf(filters: Filters, of: FilterWord['of']): readonly FilterWord[] {
  return Object.entries(filters ?? {}).flatMap(([name, options]) => {
    const says = isRemote(name, options) ? 'not asked: it would fetch its keys' : silent[name]
    return says === undefined ? [] : [{ name, of, says }]
  })
}

function poolWord(
  pool: Pool,
  share: number,
  x: Exchange,
  filters: readonly HttpFilter[],
  hashKey: ((x: Exchange) => string | undefined) | undefined,
): PoolWord {
  const { slots } = pool.roster.current
  const usable = new Set(Array.from(slots, (slot) => pool.backendAt(slot).id))
  const candidates = pool.members().map(
    ({ backend, condition, verdict, weight, active }): Candidate => ({
      id: backend.id,
      address: backend.address,
      condition,
      reason: verdict.reason,
      weight,
      backup: backend.backup,
      active,
      usable: usable.has(backend.id),
    }),
  )
  return {
    name: pool.name,
    algorithm: pool.algorithm,
    share,
    available: pool.available.current,
    candidates,
    ...picked(pool, x, filters, hashKey),
  }
}

function picked(
  pool: Pool,
  x: Exchange,
  filters: readonly HttpFilter[],
  hashKey: ((x: Exchange) => string | undefined) | undefined,
): { readonly pick?: string; readonly because: string } {
  for (const filter of filters) {
    const id = filter.prefer?.(x, pool)
    if (id !== undefined && pool.slotOf(id, untried, true) >= 0) {
      return { pick: id, because: `${filter.name}: the client was there before` }
    }
  }
  const size = pool.roster.current.size
  if (size === 0) return { because: 'nobody can take it: the client gets 503' }
  const { client, path } = x.request
  const known = pool.persistence?.lookup(client)
  if (known !== undefined && pool.slotOf(known, untried, true) >= 0) {
    return { pick: known, because: 'source-ip: the client was there before' }
  }
  if (size === 1)
    return { pick: pool.backendAt(pool.roster.current.slots[0]!).id, because: 'there is no other' }
  if (pool.key === 'none' && !/least|first/.test(pool.algorithm)) {
    return { because: `${pool.algorithm} decides when it comes` }
  }
  const [key, what] =
    pool.key === 'request'
      ? [hashText(hashKey?.(x) ?? path), hashKey === undefined ? 'the path' : 'the hash key']
      : [addressHash(client), 'the address of the client']
  const slot = pool.pick(pool.key === 'none' ? 0 : key, untried, client)
  if (slot < 0) return { because: 'all are at their limit: it waits' }
  return {
    pick: pool.backendAt(slot).id,
    because:
      pool.key === 'none'
        ? `${pool.algorithm}, as loads are now`
        : `${pool.algorithm} over ${what}`,
  }
}
