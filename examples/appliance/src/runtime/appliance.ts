import { randomBytes, randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import {
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
import { type NodeStatus, problemText, type QuarantineReport } from '../admin/status.ts'
import type { Desired } from '../desired/desired.ts'
import type { Finding } from '../desired/finding.ts'
import { effectOf } from '../desired/finding-codes.ts'
import { load, type Resolution } from '../desired/resolve.ts'
import { explainRequest } from '../explain/explain.ts'
import type { Explanation } from '../explain/explanation.ts'
import type { Question } from '../explain/question.ts'
import { apply, type FailedStep } from '../reconcile/apply.ts'
import { plan } from '../reconcile/plan.ts'
import { listenerKey } from '../reconcile/plan-listener.ts'
import { nothing } from '../reconcile/step.ts'
import { type AccessLogs, accessLogs } from './access-logs.ts'
import { type DataPlane, dataPlane } from './data-plane.ts'
import { type DrainDeadlines, drainDeadlines } from './drain-deadlines.ts'
import { fileReader } from './file-reader.ts'
import { inheritedSockets } from './inherited-sockets.ts'
import { nodeFiles } from './node-files.ts'
import { nodeMetrics } from './node-metrics.ts'
import { nodeStatus } from './node-status.ts'
import { type Overrides, overrides } from './overrides.ts'
import { poolMetrics } from './pool-metrics.ts'
import { objectOf, refresh } from './refresh.ts'
import { type Registry, type RunningListener, registry } from './registry.ts'

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
  readonly #logs: AccessLogs
  readonly #admin: AdminDoor
  readonly #deadlines: DrainDeadlines
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
    this.#deadlines = drainDeadlines(this.#registry, this.#overrides, systemClock, log)
    this.#monitor = healthMonitor({
      clock: systemClock,
      log,
      metrics: this.#metrics,
      seed: randomInt(2 ** 31),
    })
    const directory = dirname(resolve(options.file))
    this.#logs = accessLogs((file) => resolve(directory, file), systemClock, log)
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
      logs: this.#logs,
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
      (sum, { balancer }) => sum + openOf(balancer),
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
    this.#deadlines[Symbol.dispose]()
    await this.#logs[Symbol.asyncDispose]()
    await this.#admin[Symbol.asyncDispose]()
    this.#monitor[Symbol.dispose]()
    this.#wheel[Symbol.dispose]()
  }

  // -- what the admin endpoint asks --

  readiness(): Readiness {
    const problems = this.#problems().map(problemText)
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
      wanted: this.#resolution?.desired,
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

  async plan(document: Uint8Array): Promise<Outcome> {
    const { desired, findings, quarantined } = this.#resolve(document)
    if (desired === undefined) return { ok: false, body: { findings, quarantined } }
    return { ok: true, body: { findings, quarantined, steps: plan(desired, this.#running) } }
  }

  async apply(document: Uint8Array): Promise<Outcome> {
    if (this.#state === 'draining') {
      throw new SteelyardError('the node is draining and takes no document any more', {
        code: 'draining',
        source: 'client',
      })
    }
    const { ok, resolution, steps, failed } = await this.#inTurn(() => this.#apply(document))
    const { desired, findings, quarantined } = resolution
    const done = desired === undefined ? {} : { steps, failed }
    return { ok, body: { findings, quarantined, ...done } }
  }

  async explain(question: Question): Promise<Explanation> {
    const running = this.#running
    if (running === undefined) {
      throw new SteelyardError('the node runs no document yet', {
        code: 'not-running',
        source: 'client',
      })
    }
    return explainRequest(
      {
        by: 'running',
        desired: running,
        running: (listener) => {
          const { balancer } = this.#registry.listeners.get(listenerKey(listener)) ?? {}
          return balancer !== undefined && 'explain' in balancer ? balancer : undefined
        },
        surroundings: (listener) => this.#plane.routesOf(listener),
      },
      question,
    )
  }

  override(poolName: string, member: string, change: MemberOverride): Outcome {
    const pool = this.#pool(poolName)
    const { cutAfterMs, ...edit } = change
    const backend = pool.edit(member, edit)
    this.#overrides.set(poolName, member, edit)
    this.#options.log.info({ pool: poolName, member, ...change }, 'member was changed by hand')
    if (change.state !== undefined) this.#deadlines.set(poolName, member, cutAfterMs)
    return { ok: true, body: { member: backend.id, state: backend.state, weight: backend.weight } }
  }

  undo(poolName: string, member: string): Outcome {
    const pool = this.#pool(poolName)
    const members = this.#running?.pools[poolName]?.members ?? {}
    const written = members[member]
    if (written === undefined) {
      const ids = Object.keys(members).join(', ') || 'none'
      throw new SteelyardError(`pool "${poolName}" has no member "${member}"; it has ${ids}`, {
        code: 'no-such-backend',
        source: 'client',
      })
    }
    this.#overrides.delete(poolName, member)
    this.#deadlines.set(poolName, member, undefined)
    const backend = pool.edit(member, { state: written.state, weight: written.weight })
    this.#options.log.info({ pool: poolName, member }, 'member is as the document says again')
    return { ok: true, body: { member: backend.id, state: backend.state, weight: backend.weight } }
  }

  async #apply(document: Uint8Array): Promise<ApplyReport> {
    const { log, file } = this.#options
    const resolution = this.#resolve(document)
    const { desired, findings, quarantined } = resolution
    if (desired === undefined) {
      this.#refused = refusalText(findings)
      log.error({ file, reason: this.#refused }, 'document refused; nothing was changed')
      return { ok: false, resolution, steps: [], failed: [] }
    }
    for (const { kind, name, reason, kept } of quarantined) {
      const message = kept ? 'object runs on in its earlier form' : 'object left out'
      log.warn({ kind, object: name, reason }, message)
    }
    if (this.#running === undefined) {
      await this.#admin.change(desired.admin)
      this.#plane.editNode(desired.node)
    }
    const steps = plan(desired, this.#running)
    const { running, failed } = await apply(steps, this.#running ?? nothing(desired), this.#plane)
    const kept = quarantined.filter((one) => one.kept)
    const touched = new Set([...kept, ...steps].map(objectOf))
    this.#logs.reopen()
    const stale = refresh(running, touched, this.#plane)
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

  /** What of the document does not run, or not in its newest form. */
  #problems(): QuarantineReport[] {
    return [
      ...(this.#resolution?.quarantined ?? []).map(({ kind, path, name, reason, kept }) => ({
        kind,
        name,
        path,
        reason,
        kept,
      })),
      ...this.#failed.map(({ step: { kind, name, action }, message }) => ({
        kind,
        name,
        reason: message,
        kept: action === 'edit',
      })),
    ]
  }

  #resolve(document: Uint8Array): Resolution {
    const { file } = this.#options
    return load(document, file, {
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

  #cutAll(): void {
    for (const { balancer } of this.#registry.draining) balancer.cut()
  }
}

/** Open connections and sessions. */
function openOf(balancer: RunningListener['balancer']): number {
  const stats = balancer.stats()
  return 'connections' in stats ? stats.connections : stats.active
}

/** The first finding for which a document is refused as a whole, and how many more there are. */
function refusalText(findings: readonly Finding[]): string {
  const reasons = findings.filter(({ code }) => effectOf(code) === 'refuse')
  const [first] = reasons
  const more = reasons.length - 1
  const rest = more > 0 ? ` (and ${more} more: "steelyard check" says all)` : ''
  return `${first?.file}:${first?.line}:${first?.column}: ${first?.message}${rest}`
}
