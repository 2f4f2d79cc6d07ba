import { randomBytes, randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import {
  isSteelyardError,
  type Logger,
  SteelyardError,
  systemClock,
  type TimerWheel,
  timerWheel,
} from '@steelyard/core'
import { healthMonitor, type Monitor } from '@steelyard/health'
import { type ConnectionLimit, connectionLimit, nodeTransport } from '@steelyard/l4'
import { type AdminDoor, adminDoor } from '../admin/admin-door.ts'
import type { AdminTarget, MemberOverride, Outcome, Readiness } from '../admin/admin-target.ts'
import { type PrometheusMetrics, prometheusMetrics } from '../admin/prometheus.ts'
import type { NodeStatus, QuarantineReport } from '../admin/status.ts'
import type { Desired } from '../desired/desired.ts'
import { poolNamesOf } from '../desired/normalise.ts'
import { load, type Resolution } from '../desired/resolve.ts'
import { apply, type FailedStep } from '../reconcile/apply.ts'
import { plan } from '../reconcile/plan.ts'
import { editListener } from '../reconcile/plan-listener.ts'
import { nothing, type Step } from '../reconcile/step.ts'
import { type DataPlane, dataPlane } from './data-plane.ts'
import { fileReader } from './file-reader.ts'
import { inheritedSockets } from './inherited-sockets.ts'
import { nodeFiles } from './node-files.ts'
import { nodeMetrics } from './node-metrics.ts'
import { nodeStatus } from './node-status.ts'
import { type Overrides, overrides } from './overrides.ts'
import { poolMetrics } from './pool-metrics.ts'
import { cutMember, type Registry, registry } from './registry.ts'

/** How the appliance runs. */
export interface ApplianceOptions {
  /** The document; relative paths in it are taken from its directory. */
  readonly file: string
  readonly log: Logger
  readonly env: NodeJS.ProcessEnv
  readonly version: string
  /** Puts the document's log level in force. Default: nobody does. */
  readonly setLogLevel?: (level: Desired['node']['logLevel']) => void
}

/** What came of a document. */
export interface ApplyReport {
  readonly ok: boolean
  readonly resolution: Resolution
  readonly steps: readonly { readonly text: string; readonly action: string }[]
  readonly failed: readonly FailedStep[]
}

/** A node at work: applies documents, answers the admin endpoint, and stops gracefully. */
export interface Appliance extends AdminTarget {
  /**
   * Reads the document, opens the admin endpoint, which tells of the start, and applies the rest. Nothing
   * runs when the document is refused: then the report says why. Rejects when the document cannot be read
   * or the endpoint cannot be opened.
   */
  start(): Promise<ApplyReport>
  /** Reads the document again. A bad one changes nothing. */
  reload(): Promise<ApplyReport>
  /** Drains and stops. The signal cuts what is left. */
  stop(signal?: AbortSignal): Promise<void>
  readonly adminAddress: string | undefined
  /** Open connections and sessions. */
  readonly open: number
}

/** Makes an {@link Appliance}. */
export function appliance(options: ApplianceOptions): Appliance {
  return new ApplianceNode(options)
}

class ApplianceNode implements Appliance {
  readonly #options: ApplianceOptions
  readonly #registry: Registry = registry()
  readonly #overrides: Overrides = overrides()
  readonly #metrics: PrometheusMetrics = prometheusMetrics()
  readonly #wheel: TimerWheel = timerWheel({ clock: systemClock })
  readonly #transport = nodeTransport()
  readonly #nodeLimit: ConnectionLimit = connectionLimit(0)
  readonly #monitor: Monitor
  readonly #plane: DataPlane
  readonly #admin: AdminDoor
  /** Drains that cut what is left when their time is over, by member. */
  readonly #cuts = new Map<string, Disposable>()
  readonly #startedAt = Date.now()
  #state: NodeStatus['state'] = 'starting'
  #running: Desired | undefined
  #resolution: Resolution | undefined
  #failed: readonly FailedStep[] = []
  #generation = 0
  #appliedAt = 0
  #refused: string | undefined
  /** Applies run one after the other, in the order in which they were asked for. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: ApplianceOptions) {
    this.#options = options
    const { log } = options
    this.#admin = adminDoor(this, log)
    this.#monitor = healthMonitor({
      clock: systemClock,
      log,
      metrics: this.#metrics,
      seed: randomInt(2 ** 31),
    })
    this.#plane = dataPlane(this.#registry, {
      clock: systemClock,
      wheel: this.#wheel,
      log,
      metrics: this.#metrics,
      transport: this.#transport,
      monitor: this.#monitor,
      sockets: inheritedSockets(options.env, process.pid),
      files: fileReader(options.file),
      nodeLimit: this.#nodeLimit,
      overrides: this.#overrides,
      secret: randomBytes(32),
      admin: this.#admin,
      setLogLevel: options.setLogLevel ?? (() => {}),
    })
    poolMetrics(this.#metrics, this.#registry)
    nodeMetrics(this.#metrics, () => this.status())
  }

  get adminAddress(): string | undefined {
    return this.#admin.address
  }

  get open(): number {
    const { listeners, draining } = this.#registry
    return [...listeners.values(), ...draining].reduce(
      (sum, { balancer }) => sum + balancer.stats().active,
      0,
    )
  }

  async start(): Promise<ApplyReport> {
    const report = await this.reload()
    if (this.#running !== undefined && this.#state === 'starting') this.#state = 'running'
    return report
  }

  async reload(): Promise<ApplyReport> {
    const { file, log } = this.#options
    let bytes: Uint8Array
    try {
      bytes = await readFile(file)
    } catch (cause) {
      const error = new SteelyardError(`${file} cannot be read: ${(cause as Error).message}`, {
        code: 'file-unreadable',
        source: 'config',
        cause,
      })
      this.#refused = error.message
      log.error({ file, error: error.message }, 'reload failed; the running configuration stays')
      throw error
    }
    return this.#inTurn(() => this.#apply(bytes))
  }

  async stop(signal?: AbortSignal): Promise<void> {
    this.#state = 'draining'
    await this.#inTurn(async () => {
      signal?.addEventListener('abort', () => this.#cutAll(), { once: true })
      const listeners = [...this.#registry.listeners.values()]
      await Promise.all(listeners.map(({ desired }) => this.#plane.stopListener(desired, false)))
      if (signal?.aborted === true) this.#cutAll()
      await this.#plane.drained()
    })
    for (const cut of this.#cuts.values()) cut[Symbol.dispose]()
    await this.#admin[Symbol.asyncDispose]()
    this.#monitor[Symbol.dispose]()
    this.#wheel[Symbol.dispose]()
  }

  // -- what the admin endpoint asks --

  readiness(): Readiness {
    const problems = this.#problems().map(({ name, reason }) => `left out: ${name}: ${reason}`)
    if (this.#state !== 'running') return { ready: false, notes: [`the node is ${this.#state}`] }
    const isDeaf = problems.length > 0 && this.#registry.listeners.size === 0
    return { ready: !isDeaf, notes: isDeaf ? ['no listener runs', ...problems] : problems }
  }

  status(): NodeStatus {
    const { file, version } = this.#options
    return nodeStatus({
      registry: this.#registry,
      overrides: this.#overrides,
      running: this.#running,
      quarantined: this.#problems(),
      state: this.#state,
      file,
      version,
      generation: this.#generation,
      appliedAt: this.#appliedAt,
      startedAt: this.#startedAt,
      refused: this.#refused,
      transport: this.#transport.name,
      latenessMs: this.#wheel.latenessMs,
      now: Date.now(),
    })
  }

  metrics(): string {
    return this.#metrics.expose()
  }

  async plan(text: string): Promise<Outcome> {
    const { desired, findings, quarantined } = this.#resolve(text)
    if (desired === undefined) return { ok: false, body: { findings, quarantined } }
    return { ok: true, body: { findings, quarantined, steps: plan(desired, this.#running) } }
  }

  async apply(text: string): Promise<Outcome> {
    const { ok, resolution, steps, failed } = await this.#inTurn(() => this.#apply(text))
    const { findings, quarantined } = resolution
    return { ok, body: { findings, quarantined, steps, failed } }
  }

  override(poolName: string, member: string, change: MemberOverride): Outcome {
    const pool = this.#pool(poolName)
    const { cutAfterMs, ...edit } = change
    const backend = pool.edit(member, edit)
    this.#overrides.set(poolName, member, edit)
    this.#options.log.info({ pool: poolName, member, ...change }, 'member was changed by hand')
    if (change.state !== undefined) this.#cutLater(poolName, member, cutAfterMs)
    return { ok: true, body: { member: backend.id, state: backend.state, weight: backend.weight } }
  }

  undo(poolName: string, member: string): Outcome {
    const pool = this.#pool(poolName)
    const written = this.#running?.pools[poolName]?.members[member]
    if (written === undefined) {
      throw new SteelyardError(`pool "${poolName}" has no member "${member}"`, {
        code: 'no-such-backend',
        source: 'client',
      })
    }
    this.#overrides.delete(poolName, member)
    this.#cutLater(poolName, member, undefined)
    const backend = pool.edit(member, { state: written.state, weight: written.weight })
    this.#options.log.info({ pool: poolName, member }, 'member is as the document says again')
    return { ok: true, body: { member: backend.id, state: backend.state, weight: backend.weight } }
  }

  async #apply(text: string | Uint8Array): Promise<ApplyReport> {
    const { log, file } = this.#options
    const resolution = this.#resolve(text)
    const { desired, findings, quarantined } = resolution
    if (this.#state === 'draining') {
      throw new SteelyardError('the node is draining and takes no document any more', {
        code: 'draining',
        source: 'client',
      })
    }
    if (desired === undefined) {
      const errors = findings.filter(({ severity }) => severity === 'error')
      const [first] = errors
      this.#refused = `${first?.file}:${first?.line}:${first?.column}: ${first?.message}`
      log.error(
        { file, errors: errors.length, first: this.#refused },
        'document refused; nothing was changed',
      )
      return { ok: false, resolution, steps: [], failed: [] }
    }
    for (const { name, reason } of quarantined) log.warn({ name, reason }, 'object left out')
    if (this.#running === undefined) {
      await this.#admin.change(desired.admin)
      this.#plane.editNode(desired.node)
    }
    const steps = plan(desired, this.#running)
    const { running, failed } = await apply(steps, this.#running ?? nothing(desired), this.#plane)
    const stale = this.#refresh(running, steps)
    this.#running = running
    this.#resolution = resolution
    this.#failed = [...failed, ...stale]
    this.#refused = undefined
    this.#generation += 1
    this.#appliedAt = Date.now()
    this.#overrides.prune((pool, member) => running.pools[pool]?.members[member] !== undefined)
    for (const { step, message } of this.#failed) {
      log.error({ step: step.text, error: message }, 'step failed')
    }
    log.info(
      { generation: this.#generation, steps: steps.length, failed: this.#failed.length },
      'configuration applied',
    )
    return { ok: this.#failed.length === 0, resolution, steps, failed: this.#failed }
  }

  /**
   * Listeners that no step touched may depend on what did change: on a pool's TLS or PROXY header, or on
   * the content of files that the document names, such as certificates. They are made ready again.
   */
  #refresh({ listeners, pools }: Desired, steps: readonly Step[]): FailedStep[] {
    const touched = new Set(steps.map(({ kind, name }) => `${kind} ${name}`))
    return Object.values(listeners).flatMap((listener) => {
      if (listener.protocol === 'udp' || touched.has(`listener ${listener.id}`)) return []
      const names = poolNamesOf(listener)
      const isConcerned = names.some((name) => touched.has(`pool ${name}`) || pools[name]?.tls)
      if (listener.protocol !== 'tls' && !isConcerned) return []
      try {
        this.#plane.editListener(listener, listener)
        return []
      } catch (error) {
        const code = isSteelyardError(error) ? error.code : 'internal'
        const step = editListener(listener, listener)
        return [{ step, code, message: (error as Error).message }]
      }
    })
  }

  /** What of the document does not run, or not in its newest form. */
  #problems(): QuarantineReport[] {
    return [
      ...(this.#resolution?.quarantined ?? []).map(({ path, name, reason, kept }) => ({
        path,
        name,
        reason,
        kept,
      })),
      ...this.#failed.map(({ step: { kind, name, action }, message }) => ({
        path: kind,
        name,
        reason: message,
        kept: action === 'edit',
      })),
    ]
  }

  #resolve(text: string | Uint8Array): Resolution {
    const { file } = this.#options
    return load(text, file, {
      files: nodeFiles(file),
      ...(this.#running === undefined ? {} : { running: this.#running }),
    })
  }

  #inTurn<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(task, task)
    this.#turn = result.catch(() => {})
    return result
  }

  #pool(name: string): NonNullable<ReturnType<Registry['pools']['get']>>['pool'] {
    const found = this.#registry.pools.get(name)
    if (found !== undefined) return found.pool
    const names = [...this.#registry.pools.keys()].join(', ') || 'none'
    throw new SteelyardError(`there is no pool "${name}"; there are ${names}`, {
      code: 'no-such-pool',
      source: 'client',
    })
  }

  /** Connections that a withdrawn member still has after its time are cut; a new order takes the place of the one before. */
  #cutLater(poolName: string, member: string, delayMs: number | undefined): void {
    const key = JSON.stringify([poolName, member])
    this.#cuts.get(key)?.[Symbol.dispose]()
    this.#cuts.delete(key)
    if (delayMs === undefined) return
    const timer = systemClock.after(delayMs, () => {
      this.#cuts.delete(key)
      const found = this.#registry.pools.get(poolName)
      // A reload may have taken the member, and what was said of it, away.
      if (found === undefined || this.#overrides.get(poolName, member) === undefined) return
      const cut = cutMember(this.#registry, found.pool, member)
      this.#options.log.warn({ pool: poolName, member, cut }, 'drain time is over, connections cut')
    })
    this.#cuts.set(key, timer)
  }

  #cutAll(): void {
    for (const { balancer } of this.#registry.draining) balancer.cut()
  }
}
