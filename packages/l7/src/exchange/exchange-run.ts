import {
  type Backend,
  type Clock,
  isSteelyardError,
  type Logger,
  type Pool,
  parseDuration,
  WheelTimer,
} from '@steelyard/core'
import { mayReuse } from '../backend/reuse-policy.ts'
import type { ClientEvents, ClientLeg } from '../client/client-leg.ts'
import { replyFor } from '../gate/default-reply.ts'
import { prepareRequest } from '../gate/forward-request.ts'
import { prepareResponse } from '../gate/forward-response.ts'
import { type ForwardedLines, forwardedLines } from '../gate/forwarded-lines.ts'
import { proxyStatus } from '../gate/proxy-status.ts'
import type { RouteEntry } from '../routing/route.ts'
import { contentLength } from '../wire/content-length.ts'
import { Field } from '../wire/field.ts'
import type { Head } from '../wire/head.ts'
import { RequestHead, unknownLength } from '../wire/request-head.ts'
import type { ResponseHead } from '../wire/response-head.ts'
import { Attempt, type AttemptOwner } from './attempt.ts'
import type { BodyTransformer } from './body-transform.ts'
import type { ConnectionFacts } from './connection-facts.ts'
import { type Awaited, Deadline } from './deadline.ts'
import type { Exchange } from './exchange.ts'
import { ExchangeError, type ExchangeErrorCode, type ExchangePhase } from './exchange-error.ts'
import type { ExchangeHost, ExchangeSettings } from './exchange-host.ts'
import type { ExchangeEndedBy, ExchangeRecord } from './exchange-record.ts'
import { FieldEdits, RequestEdits } from './field-edits.ts'
import type { FilterChain } from './filter-chain.ts'
import { isIdempotent } from './idempotent.ts'
import { type ChoiceOwner, MemberChoice } from './member-choice.ts'
import { ownAnswer } from './own-answer.ts'
import type { ForwardPlan, Plan } from './plan.ts'
import { isPromise } from './promised.ts'
import type { Drop, Reply, Verdict } from './reply.ts'
import { type RequestOwner, RequestRelay } from './request-relay.ts'
import { RequestView } from './request-view.ts'
import { type ResponseOwner, ResponseRelay } from './response-relay.ts'
import { RunRecord } from './run-record.ts'
import { Tunnel, upgradeProblem } from './tunnel.ts'

/**
 * One request and its response: the state machine that owns both legs. It routes, asks the filters, makes attempts
 * until one answers, and is over exactly once. The bodies' ways are {@link RequestRelay}'s and {@link ResponseRelay}'s.
 */
export class ExchangeRun
  implements Exchange, ClientEvents, AttemptOwner, ChoiceOwner, RequestOwner, ResponseOwner
{
  readonly leg: ClientLeg
  readonly request: RequestView
  readonly connection: ConnectionFacts
  readonly startedAt: number
  context: unknown = undefined
  /** Where it stands among the exchanges of its balancer. */
  place = -1
  attempts = 0
  status = 0

  // For the record.
  backendStatus = 0
  queuedMs = -1
  connectMs = -1
  firstByteMs = -1
  responseAt = -1
  reused = false
  /** The member of the last attempt. */
  lastBackend: Backend | undefined = undefined

  readonly #host: ExchangeHost
  readonly #settings: ExchangeSettings
  readonly #body: RequestRelay
  readonly #response: ResponseRelay
  readonly #deadline: Deadline
  #total: WheelTimer | undefined = undefined
  #entry: RouteEntry<Plan> | undefined = undefined
  #plan: ForwardPlan | undefined = undefined
  #chain: FilterChain
  /** `request` hooks that have run. */
  #reached = 0
  #pool: Pool | undefined = undefined
  #choice: MemberChoice | undefined = undefined
  #attempt: Attempt | undefined = undefined
  /** The other one, while two race (hedging). */
  #rival: Attempt | undefined = undefined
  /** How the last attempt failed. */
  #failure: ExchangeError | undefined = undefined
  /** An idle connection was closed at the very moment that the request went out on it. */
  #raced = false
  /** Attempts that failed so: they do not count against the retries. */
  #stale = 0
  /** The member has asked for the body. */
  #continued = false
  #tunnel: Tunnel | undefined = undefined
  #bodySeen = 0
  /** The body is read before a member is troubled, when it has at most so many bytes; 0 when not. */
  #gather = 0
  #lastMove = 0
  #afterTarpit: Reply | undefined = undefined
  #memory: Map<object, unknown> | undefined = undefined
  #flags: string[] | undefined = undefined
  #id = ''
  #over = false

  constructor(host: ExchangeHost, leg: ClientLeg) {
    const { settings, clock, wheel } = host
    this.#host = host
    this.#settings = settings
    this.leg = leg
    this.connection = leg.connection
    this.startedAt = clock.now()
    this.request = new RequestView(leg.request, leg.connection, settings.forwarding)
    this.#chain = settings.chain
    this.#body = new RequestRelay(leg, clock, this)
    this.#response = new ResponseRelay(leg, this, this, settings.chain)
    this.#deadline = new Deadline(wheel, (awaited) => this.#expired(awaited))
  }

  get id(): string {
    if (this.#id === '') this.#id = this.#host.newId()
    return this.#id
  }

  get listener(): string {
    return this.#host.name
  }

  get route(): string | undefined {
    return this.#entry?.name
  }

  get pool(): Pool | undefined {
    return this.#pool
  }

  get backend(): Backend | undefined {
    return this.#attempt?.backend
  }

  get clock(): Clock {
    return this.#host.clock
  }

  get log(): Logger {
    return this.#host.log
  }

  get bytesIn(): number {
    return this.#body.bytesIn + (this.#tunnel?.bytesIn ?? 0)
  }

  get bytesOut(): number {
    return this.#response.bytesOut + (this.#tunnel?.bytesOut ?? 0)
  }

  get sentHead(): ResponseHead | undefined {
    return this.#response.sentHead
  }

  get flags(): readonly string[] {
    return this.#flags ?? []
  }

  recall(key: object): unknown {
    return this.#memory?.get(key)
  }

  remember(key: object, value: unknown): void {
    this.#memory ??= new Map()
    this.#memory.set(key, value)
  }

  flag(word: string): void {
    this.#flags ??= []
    if (!this.#flags.includes(word)) this.#flags.push(word)
  }

  /** Routes, and goes on as far as that goes at once. */
  start(): void {
    const { connection, request } = this
    const { router, timeouts } = this.#settings
    this.#host.begun(this)
    const { host } = request
    if (connection.covers !== undefined && host !== '' && !connection.covers(host)) {
      const why = `the certificate of this connection is not for ${host}`
      return this.#fail(this.#error('misdirected-request', 'client', 'route', why))
    }
    this.#entry = router.find(request)
    const plan = this.#entry?.target
    if (plan !== undefined) {
      this.#chain = plan.chain
      this.#response.use(plan.chain)
    }
    const { total } = plan?.timeouts ?? timeouts
    if (total > 0) this.#limitTotal(total)
    try {
      // Before the filters: some judge by the pool.
      if (plan?.kind === 'forward') this.#pool = plan.choose(this)
    } catch (error) {
      return this.#hookFailed(error, this.#what)
    }
    this.#filter(0)
  }

  /** Ends it at once: the drain time is over, or somebody cuts. */
  cut(): void {
    this.#end(this.#error('shutdown', 'system', this.#phase(), 'it was cut by the balancer'))
  }

  /** The member went down, and exchanges on it shall not go on. */
  memberDown(pool: Pool, backend: Backend): void {
    if (this.pool !== pool) return
    for (const attempt of [this.#rival, this.#attempt]) {
      // One that has answered to the end needs its member no more.
      if (attempt === undefined || attempt.over || attempt.answered) continue
      if (attempt.backend.id !== backend.id) continue
      const why = `${backend.address} went down`
      this.attemptFailed(attempt, this.#error('backend-closed', 'backend', this.#phase(), why))
    }
  }

  // 1. The filters, and what the route says.

  #filter(from: number): void {
    const filters = this.#chain.request
    for (let i = from; i < filters.length; i++) {
      const filter = filters[i]!
      this.#reached = i + 1
      let verdict: Verdict | Promise<Verdict>
      try {
        verdict = filter.request(this)
      } catch (error) {
        return this.#hookFailed(error, filter.name)
      }
      if (verdict === undefined) continue
      if (!isPromise(verdict)) return this.#conclude(verdict)
      verdict.then(
        (result) => {
          if (this.#over) return
          if (result === undefined) this.#filter(i + 1)
          else this.#conclude(result)
        },
        (error: unknown) => this.#hookFailed(error, filter.name),
      )
      return
    }
    this.#act()
  }

  #act(): void {
    const plan = this.#entry?.target
    if (plan === undefined) {
      return this.#fail(this.#error('no-route', 'config', 'route', 'no route matches'))
    }
    if (plan.kind === 'forward') return this.#forward(plan)
    let verdict: Verdict | Promise<Verdict>
    try {
      verdict = plan.answer(this)
    } catch (error) {
      return this.#hookFailed(error, this.#what)
    }
    if (!isPromise(verdict)) return this.#conclude(verdict ?? noAnswer)
    verdict.then(
      (result) => {
        if (!this.#over) this.#conclude(result ?? noAnswer)
      },
      (error: unknown) => this.#hookFailed(error, this.#what),
    )
  }

  #forward(plan: ForwardPlan): void {
    const { request } = this.leg
    this.#plan = plan
    if (plan.maxBody > 0 && request.bodyLength > plan.maxBody) {
      return this.requestTooLarge(plan.maxBody)
    }
    if (request.upgrade !== '' && !plan.upgrades.includes(request.upgrade)) request.upgrade = ''
    try {
      this.#choice = new MemberChoice(this, this, this.#pool!, plan)
      if (!this.#body.whole) this.#openBody(plan)
    } catch (error) {
      return this.#hookFailed(error, this.#what)
    }
    this.#host.retryBudget?.record()
    if (this.#body.whole || this.#gather === 0) return this.#choice.next()
    this.#body.gather(this.#gather)
    this.#awaitBody()
  }

  requestGathered(): void {
    if (this.#over) return
    this.#deadline.clear()
    this.#choice?.next()
  }

  #openBody(plan: ForwardPlan): void {
    for (const filter of plan.chain.gather) {
      const most = filter.gather(this)
      if (most !== undefined && (this.#gather === 0 || most < this.#gather)) this.#gather = most
    }
    const transformers: BodyTransformer[] = []
    for (const filter of plan.chain.requestBody) {
      const transformer = filter.requestBody(this)
      if (transformer !== undefined) transformers.push(transformer)
    }
    const { attempts, bodyBytes, nonIdempotent } = plan.retries
    this.#body.open({
      maxBody: plan.maxBody,
      replayBytes: attempts > 0 ? bodyBytes : 0,
      repeats: nonIdempotent || isIdempotent(this.request.method),
      transformers,
      answersContinue: this.#settings.continueBy === 'balancer',
    })
  }

  // 2. Attempts.

  chosen(slot: number): void {
    if (this.#over) return
    this.#begin(new Attempt(this, this.pool!, slot, this.#host.clock.now()))
  }

  queued(): void {
    this.#deadline.await('queue', this.#plan!.timeouts.queue)
  }

  unqueued(waitedMs: number): void {
    this.queuedMs = Math.max(0, this.queuedMs) + waitedMs
    this.#deadline.clear()
  }

  nobody(why: 'no-backend' | 'queue-full'): void {
    const { name, queue } = this.pool!
    const text =
      why === 'no-backend'
        ? `pool "${name}" has no usable member`
        : `${queue.limit} requests wait for pool "${name}" already`
    this.#fail(this.#error(why, 'backend', 'pick', text))
  }

  choiceFailed(error: unknown): void {
    this.#hookFailed(error, `the choice of a member of pool "${this.pool?.name ?? ''}"`)
  }

  /** Makes the head that goes to the member, then asks for a connection. */
  #begin(attempt: Attempt): void {
    if (!this.#body.repeatable) return this.#incomplete(attempt)
    this.attempts += 1
    this.#attempt = attempt
    this.lastBackend = attempt.backend
    const plan = this.#plan!
    if (plan.chain.attempt.length > 0 && !this.#mayAttempt(attempt)) return
    const { request } = this.leg
    const head = this.#host.spareHeads.pop() ?? new RequestHead(0)
    head.layOver(request)
    head.expectsContinue &&= this.#settings.continueBy === 'backend'
    const problem = prepareRequest(
      head,
      { connection: this.connection, head: request, forwarded: this.#forwardedLines() },
      this.#settings.forwarding,
    )
    if (problem !== undefined) {
      return this.#fail(this.#error('loop-detected', 'client', 'request', problem.message))
    }
    const hooks = plan.chain.upstreamHead
    try {
      if (plan.rewrite !== undefined || plan.requestFields !== undefined || hooks.length > 0) {
        const edits = new RequestEdits().on(head)
        plan.rewrite?.(edits, this)
        plan.requestFields?.(edits, this)
        for (let i = 0; i < hooks.length; i++) {
          const promised = hooks[i]!.upstreamHead(edits, this)
          if (isPromise(promised)) return this.#think(promised, i + 1, edits, head, attempt)
        }
      }
    } catch (error) {
      return this.#hookFailed(error, this.#what)
    }
    this.#seek(attempt, head)
  }

  /** More of the body came than could be kept, and nobody has taken it. */
  #incomplete(attempt: Attempt): void {
    attempt.abandon()
    const why = 'a transform of the request gave more than can be kept before a member takes it'
    this.#fail(this.#failure ?? this.#error('hook-failed', 'system', 'pick', why))
  }

  /** Asks the filters; false when it went another way. */
  #mayAttempt(attempt: Attempt): boolean {
    for (const filter of this.#chain.attempt) {
      let verdict: 'pass' | 'stop' | undefined
      try {
        verdict = filter.attempt(this)
      } catch (error) {
        this.#hookFailed(error, filter.name)
        return false
      }
      if (verdict === undefined) continue
      const choice = this.#choice!
      this.attempts -= 1
      this.#attempt = this.#rival
      this.#rival = undefined
      attempt.abandon()
      // The one that it was to race with goes on alone.
      if (this.#attempt !== undefined) {
        this.lastBackend = this.#attempt.backend
        return false
      }
      choice.exclude(attempt.slot)
      if (verdict === 'pass' && choice.hasUntried) choice.next()
      else {
        const why = `pool "${choice.pool.name}" is given a rest`
        this.#fail(this.#failure ?? this.#error('circuit-open', 'backend', 'pick', why))
      }
      return false
    }
    return true
  }

  /** What is said of the connection to every backend, made once. */
  #forwardedLines(): ForwardedLines {
    const { connection } = this
    const { forwarding } = this.#settings
    if (connection.prepared?.settings !== forwarding) {
      const lines = forwardedLines(connection, forwarding)
      connection.prepared = { settings: forwarding, lines }
      return lines
    }
    return connection.prepared.lines as ForwardedLines
  }

  #think(
    promised: Promise<void>,
    from: number,
    edits: RequestEdits,
    head: RequestHead,
    attempt: Attempt,
  ): void {
    const hooks = this.#chain.upstreamHead
    const hooksDone = async (): Promise<void> => {
      await promised
      for (let i = from; i < hooks.length && !attempt.over; i++) {
        await hooks[i]!.upstreamHead(edits, this)
      }
    }
    hooksDone().then(
      () => {
        if (!attempt.over) this.#seek(attempt, head)
      },
      (error: unknown) => {
        // It may be of an attempt that was given up while it was thinking.
        if (attempt.over) this.complain(error, this.#what)
        else this.#hookFailed(error, this.#what)
      },
    )
  }

  #seek(attempt: Attempt, head: RequestHead): void {
    const { connections, reuse: policy, timeouts } = this.#plan!
    const { request, first } = this.leg
    const reuse = mayReuse(policy, {
      idempotent: isIdempotent(request.method) && this.#plan!.retries.attempts > 0,
      firstOfClient: first,
      raced: this.#raced,
    })
    attempt.head = head
    attempt.search = connections.seek(attempt.backend, attempt, {
      client: this.connection,
      mayReuse: reuse !== 'none',
      provenOnly: reuse === 'proven',
      connectTimeoutMs: timeouts.connect,
      upgrade: request.upgrade !== '',
    })
  }

  attemptConnected(attempt: Attempt): void {
    const { clock, spareHeads } = this.#host
    const leg = attempt.leg!
    const head = attempt.head!
    attempt.head = undefined
    attempt.sentAt = clock.now()
    this.reused = leg.reused
    this.connectMs = leg.reused ? 0 : attempt.sentAt - attempt.begunAt
    try {
      leg.sendHead(head, this.#body.length, head.upgrade)
    } catch (error) {
      return this.#hookFailed(error, this.#what)
    }
    // A hook may have kept its hands on it, and must not reach into somebody else's request.
    const seen = this.#plan!.chain.upstreamHead.length > 0
    if (!seen && spareHeads.length < 64) spareHeads.push(head)
    if (attempt.over) return
    if (this.#rival !== undefined) {
      attempt.whole = true
      return this.#body.repeatTo(leg)
    }
    this.#body.sendTo(leg)
    if (attempt.over || attempt.whole || this.#response.begun || this.#response.thinking) return
    const { request } = this.leg
    // Who waits for the member's word to send its body is not slow.
    if (request.expectsContinue && this.#settings.continueBy === 'backend' && !this.#continued) {
      this.#awaitFirstByte(attempt)
    } else this.#awaitBody()
  }

  requestBody(bytes: Uint8Array): void {
    if (this.#tunnel !== undefined) return this.#tunnel.fromClient(bytes)
    if (this.#over) return
    // Answered early: what moves either way shows that it goes on.
    if (this.#response.begun) this.moved()
    this.#body.body(bytes)
  }

  requestEnd(trailers: Head | undefined): void {
    if (this.#tunnel !== undefined) return this.#tunnel.clientEnded()
    if (!this.#over) this.#body.end(trailers)
  }

  requestSent(): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    attempt.whole = true
    if (!this.#response.begun && !this.#response.thinking) this.#awaitFirstByte(attempt)
  }

  requestTooLarge(limit: number): void {
    const why = `the request's body is longer than ${limit} bytes`
    this.#end(this.#error('body-too-large', 'client', 'request-body', why))
  }

  requestFailed(error: unknown): void {
    if (isExchangeError(error)) this.#end(error)
    else this.#hookFailed(error, 'a transform of the request')
  }

  attemptDrained(attempt: Attempt): void {
    if (this.#tunnel !== undefined) this.#tunnel.backendDrained()
    else if (attempt === this.#attempt) this.#body.drained()
  }

  attemptInformational(attempt: Attempt, head: ResponseHead): void {
    if (attempt !== this.#attempt || this.#response.begun) return
    const { status } = head
    if (status === 100) return this.#continue(attempt)
    prepareResponse(head, this.#settings.forwarding)
    const filters = this.#chain.informational
    if (filters.length > 0) {
      const edits = new FieldEdits().on(head)
      try {
        for (const filter of filters) filter.informational(edits, status, this)
      } catch (error) {
        return this.#hookFailed(error, this.#what)
      }
    }
    this.leg.sendInformational(head)
  }

  /** The member wants the body. */
  #continue(attempt: Attempt): void {
    if (this.#continued || this.#settings.continueBy === 'balancer') return
    this.#continued = true
    this.leg.sendContinue()
    if (attempt.whole) return
    this.#body.continued()
    this.#awaitBody()
  }

  attemptHead(attempt: Attempt, head: ResponseHead): void {
    if (this.#response.begun) return
    const now = this.#host.clock.now()
    const { status } = head
    this.backendStatus = status
    this.firstByteMs = now - attempt.sentAt
    this.#judge(attempt, status)
    if (attempt.over) return
    if (status === 101) return this.#upgrade(attempt, head)
    if (this.#plan!.retries.onStatus && this.#retriesHead(attempt, head)) return
    this.#win(attempt)
    this.responseAt = now
    this.#lastMove = now
    this.#body.settle()
    const noBody = this.request.method === 'HEAD' || status === 204 || status === 304
    const declared = noBody ? contentLength(head) : head.bodyLength
    prepareResponse(head, this.#settings.forwarding)
    this.status = status
    this.#deadline.clear()
    this.#response.begin(
      head,
      typeof declared === 'number' ? declared : unknownLength,
      noBody,
      attempt.leg!,
      this.#plan!.responseFields,
      this.#keepsHead,
    )
  }

  attemptBody(attempt: Attempt, bytes: Uint8Array): void {
    if (attempt !== this.#attempt) return
    if (this.#tunnel === undefined) this.#response.body(bytes)
    else this.#tunnel.fromBackend(bytes)
  }

  attemptEnd(attempt: Attempt, trailers: Head | undefined): void {
    if (attempt !== this.#attempt) return
    if (this.#tunnel !== undefined) return this.#tunnel.backendEnded()
    // An early answer: the rest of the request is of no interest, and its connection of no more use.
    if (!attempt.whole) attempt.leg?.abort()
    this.#body.leave()
    attempt.answered = true
    // It may serve somebody else from now on. The pool's count goes down at the very end: who waits for it would
    // otherwise begin in the middle of our response.
    attempt.leg = undefined
    this.#response.end(trailers)
  }

  attemptSettled(attempt: Attempt): void {
    if (attempt === this.#attempt) this.#response.settled()
  }

  attemptFailed(attempt: Attempt, error: ExchangeError): void {
    if (this.#over || attempt.over) return
    const sent = attempt.leg !== undefined && !error.untouched
    if (error.source === 'backend' && (sent || attempt.leg === undefined))
      this.#blame(attempt, error)
    if (attempt.over) return
    if (this.#tunnel !== undefined) return this.#tunnel.failed(error)
    if (this.#rival !== undefined) {
      return this.#leaveToRival(attempt)
    }
    if (attempt !== this.#attempt) return
    if (this.#response.begun || this.#response.thinking) return this.#end(error)
    this.#failure = error
    const { retries } = this.#plan!
    const wanted = !sent
      ? retries.onConnect
      : error.code === 'first-byte-timeout'
        ? retries.onTimeout
        : retries.onReset && error.source === 'backend' && error.code !== 'bad-response'
    // Nobody's fault: a connection that was closed, or shut to more requests, in the same moment.
    const stale = attempt.leg !== undefined && error.replayable && (attempt.leg.reused || !sent)
    if (wanted && this.#mayTryAgain(sent, stale)) {
      if (stale) this.#raced = true
      return this.#tryAgain(attempt, false, stale)
    }
    this.#fail(error)
  }

  /** Of two that race this one failed: the other one is still at it. */
  #leaveToRival(attempt: Attempt): void {
    const other = attempt === this.#attempt ? this.#rival! : this.#attempt!
    this.#attempt = other
    this.lastBackend = other.backend
    this.#rival = undefined
    attempt.abandon()
  }

  /** Tells the pool how the member did. */
  #judge(attempt: Attempt, status: number): void {
    if (status >= 500 && status !== 501) {
      const why = `it answered ${status}`
      return this.#blame(attempt, this.#error('server-error', 'backend', 'response-head', why))
    }
    try {
      this.pool!.succeeded(attempt.slot, this.firstByteMs)
    } catch (error) {
      this.complain(error, `pool "${this.pool!.name}"`)
    }
  }

  #blame(attempt: Attempt, error: ExchangeError): void {
    try {
      this.pool!.failed(attempt.slot, error)
    } catch (thrown) {
      this.complain(thrown, `pool "${this.pool!.name}"`)
    }
  }

  /** The attempt that answered first is the one; the other is given up. */
  #win(attempt: Attempt): void {
    const rival = attempt === this.#attempt ? this.#rival : this.#attempt
    this.#attempt = attempt
    this.lastBackend = attempt.backend
    this.#rival = undefined
    rival?.abandon()
  }

  #retriesHead(attempt: Attempt, head: ResponseHead): boolean {
    const { retries } = this.#plan!
    const grpc = head.indexOf(Field.grpcStatus)
    const wanted =
      retries.retriesStatus(head.status) || (grpc >= 0 && retries.retriesGrpc(head.valueAt(grpc)))
    if (!wanted) return false
    if (this.#rival !== undefined) {
      this.#leaveToRival(attempt)
      return true
    }
    if (!this.#mayTryAgain(true, false)) return false
    this.#tryAgain(attempt, true, false)
    return true
  }

  /**
   * @param sent - something of the request may have been seen by a member
   * @param stale - an idle connection was closed in the same moment: nobody's fault, so it costs no budget
   */
  #mayTryAgain(sent: boolean, stale: boolean): boolean {
    const { retries } = this.#plan!
    if (retries.attempts === 0 || !this.#body.repeatable) return false
    if (stale && this.#stale < mostStale) this.#stale += 1
    else if (this.attempts - this.#stale > retries.attempts) return false
    if (sent && !retries.nonIdempotent && !isIdempotent(this.request.method)) return false
    // The budget is there to spare members work; one that could not be reached had none.
    return stale || !sent || this.#host.retryBudget?.tryRetry() !== false
  }

  #tryAgain(attempt: Attempt, byStatus: boolean, sameMember: boolean): void {
    const { retries } = this.#plan!
    const choice = this.#choice!
    this.#attempt = undefined
    this.#body.leave()
    attempt.abandon()
    if (!sameMember) choice.exclude(attempt.slot)
    this.#deadline.clear()
    if (sameMember || (!byStatus && choice.hasUntried) || retries.backoffBaseMs === 0) {
      return choice.next()
    }
    const span = Math.min(retries.backoffMaxMs, retries.backoffBaseMs * 2 ** (this.attempts - 1))
    this.#deadline.await('backoff', Math.max(1, Math.round(this.#host.random() * span)))
  }

  /** A second attempt beside the first; the first answer wins. */
  #hedge(): void {
    const first = this.#attempt
    const choice = this.#choice!
    if (first === undefined || first.over) return
    const { retries, timeouts } = this.#plan!
    this.#deadline.await('first-byte', retries.perTryMs || timeouts.firstByte)
    let slot = -1
    try {
      slot = choice.another(first.slot)
    } catch (error) {
      this.complain(error, `pool "${choice.pool.name}"`)
    }
    if (slot < 0 || this.#host.retryBudget?.tryRetry() === false) return
    this.flag('hedged')
    this.#rival = first
    this.#begin(new Attempt(this, choice.pool, slot, this.#host.clock.now()))
  }

  // 3. The response, and tunnels.

  clientDrained(): void {
    if (this.#tunnel !== undefined) this.#tunnel.clientDrained()
    else if (!this.#over) this.#response.clientDrained()
  }

  responseBegun(status: number, watched: boolean): void {
    this.status = status
    const { idle } = this.#plan?.timeouts ?? this.#settings.timeouts
    if (watched) this.#deadline.await('response', idle)
    else this.#deadline.clear()
  }

  moved(): void {
    this.#lastMove = this.#host.clock.now()
  }

  responseDone(): void {
    this.#complete('done', 'backend', undefined)
  }

  responseFailed(error: unknown, what: string): void {
    if (isExchangeError(error)) this.#end(error)
    else this.#hookFailed(error, what === '' ? this.#what : what)
  }

  complain(error: unknown, what: string): void {
    this.#host.complain(error, what)
  }

  #upgrade(attempt: Attempt, head: ResponseHead): void {
    const { request } = this.leg
    const problem = upgradeProblem(request, head)
    if (problem !== undefined) {
      return this.#fail(this.#error('upgrade-refused', 'backend', 'response-head', problem))
    }
    this.#win(attempt)
    prepareResponse(head, this.#settings.forwarding)
    head.add('Upgrade', request.upgrade)
    this.status = 101
    this.responseAt = this.#host.clock.now()
    try {
      const edits = new FieldEdits().on(head)
      this.#plan!.responseFields?.(edits, this)
    } catch (error) {
      return this.#hookFailed(error, this.#what)
    }
    this.#deadline.clear()
    if (this.#total?.armed === true) this.#host.wheel.disarm(this.#total)
    const { transport, wheel } = this.#host
    this.#tunnel = new Tunnel(this.leg, attempt.leg!, {
      transport,
      wheel,
      idleMs: this.#plan!.timeouts.tunnel,
      ended: (by, error) => this.#complete(error?.code ?? 'done', by, error),
    })
    this.#tunnel.open(head)
  }

  clientClosed(error: ExchangeError, told = 0): void {
    if (this.#over) return
    if (told > 0) this.status = told
    if (this.#tunnel !== undefined) return this.#tunnel.failed(error)
    this.#complete(error.code, error.source === 'system' ? 'balancer' : 'client', error)
  }

  // 4. Answers of our own.

  #conclude(verdict: Reply | Drop): void {
    if ('drop' in verdict) {
      this.leg.abort(undefined)
      return this.#complete(verdict.reason ?? 'dropped', 'balancer', undefined)
    }
    let afterMs: number
    try {
      afterMs = parseDuration(verdict.after ?? 0)
    } catch (error) {
      return this.#hookFailed(error, this.#what)
    }
    if (afterMs === 0) return this.#answer(verdict, verdict.reason ?? 'replied', undefined)
    this.#afterTarpit = verdict
    this.#deadline.await('tarpit', afterMs)
  }

  /** It cannot go on: answers if that can still be, else lets the client see it cut. */
  #end(error: ExchangeError): void {
    if (this.#over) return
    if (!this.#response.begun && error.code !== 'shutdown') return this.#fail(error)
    this.leg.abort(error)
    const { source } = error
    const by = source === 'client' ? 'client' : source === 'backend' ? 'backend' : 'balancer'
    this.#complete(error.code, by, error)
  }

  #fail(error: ExchangeError): void {
    if (this.#over) return
    let reply: Reply | undefined
    for (const filter of this.#chain.failed) {
      try {
        reply = filter.failed(error, this)
      } catch (thrown) {
        this.complain(thrown, filter.name)
      }
      if (reply !== undefined) break
    }
    this.#answer(reply ?? replyFor(error), error.code, error)
  }

  #hookFailed(cause: unknown, what: string): void {
    if (this.#over) return
    // A rewrite put the client's own words where they cannot stand.
    if (isSteelyardError(cause, 'invalid-field') && cause.source === 'client') {
      return this.#end(this.#error('bad-request', 'client', this.#phase(), cause.message))
    }
    this.complain(cause, what)
    const error = new ExchangeError(`${what} failed`, {
      code: 'hook-failed',
      source: 'system',
      phase: this.#phase(),
      cause,
    })
    if (this.#response.begun) this.#end(error)
    else this.#answer(replyFor(error), error.code, error)
  }

  #answer(reply: Reply, reason: string, error: ExchangeError | undefined): void {
    if (this.#over) return
    this.#letGo()
    // It is nobody's answer but ours.
    this.#attempt = undefined
    const complain = this.complain.bind(this)
    const { errorPages, proxyStatus: pseudonym } = this.#settings
    const { head, body } = ownAnswer(reply, error !== undefined, this, errorPages, complain)
    if (error !== undefined && pseudonym !== '') {
      head.add('proxy-status', proxyStatus(error, pseudonym))
    }
    this.responseAt = this.#host.clock.now()
    // A failure of one request is none of the others' on the same connection of HTTP/2.
    const close = reply.close === true && (error === undefined || this.leg.request.version < 20)
    this.#response.answer(head, body, close, this.#keepsHead)
    if (this.#over) return
    if (!this.#body.whole) this.leg.discardBody()
    this.leg.finish(undefined)
    this.#complete(reason, error?.source === 'client' ? 'client' : 'balancer', error)
  }

  // 5. Time.

  #awaitBody(): void {
    this.#bodySeen = this.#body.progress
    this.#deadline.await('request-body', this.#plan!.timeouts.body)
  }

  #awaitFirstByte(attempt: Attempt): void {
    const { retries, timeouts } = this.#plan!
    const mayHedge =
      retries.hedgeMs > 0 &&
      attempt === this.#attempt &&
      this.attempts === 1 &&
      this.#body.bytesIn === 0 &&
      isIdempotent(this.request.method)
    if (mayHedge) this.#deadline.await('hedge', retries.hedgeMs)
    else this.#deadline.await('first-byte', retries.perTryMs || timeouts.firstByte)
  }

  #limitTotal(ms: number): void {
    this.#total = new WheelTimer(() => {
      const why = `it took longer than ${ms} ms`
      this.#end(this.#error('total-timeout', 'backend', this.#phase(), why))
    })
    this.#host.wheel.arm(this.#total, ms)
  }

  #expired(awaited: Awaited): void {
    if (this.#over) return
    switch (awaited) {
      case 'queue':
        return this.#queueTimeout()
      case 'backoff':
        return this.#choice!.next()
      case 'tarpit':
        return this.#answer(this.#afterTarpit!, this.#afterTarpit!.reason ?? 'tarpit', undefined)
      case 'request-body':
        return this.#bodyStalled()
      case 'hedge':
        return this.#hedge()
      case 'first-byte':
        return this.#firstByteTimeout()
      case 'response':
        return this.#responseStalled()
      case 'nothing':
        return
    }
  }

  #queueTimeout(): void {
    const { name } = this.pool!
    const why = `no member of pool "${name}" had room within ${this.#deadline.limitMs} ms`
    this.#fail(this.#error('queue-timeout', 'backend', 'pick', why))
  }

  #firstByteTimeout(): void {
    const attempt = this.#attempt
    if (attempt === undefined) return
    const why = `${attempt.backend.address} did not answer within ${this.#deadline.limitMs} ms`
    const error = this.#error('first-byte-timeout', 'backend', 'response-head', why)
    this.#rival?.abandon()
    this.#rival = undefined
    this.attemptFailed(attempt, error)
  }

  #bodyStalled(): void {
    const { body: limit, bodyRate } = this.#plan!.timeouts
    const { bytesIn, progress, wanted, wantedSince } = this.#body
    const now = this.#host.clock.now()
    const moved = progress > this.#bodySeen
    if (!wanted) {
      if (moved) return this.#awaitBody()
      const why = `it took nothing of the request for ${limit} ms`
      return this.#end(this.#error('idle-timeout', 'backend', 'request-body', why))
    }
    const left = wantedSince + limit - now
    if (!moved && left > 0) return this.#deadline.await('request-body', left)
    // Without what the member took: only in this time could the client be slow.
    if (moved && bytesIn * 1000 >= bodyRate * this.#body.wantedMs(now)) return this.#awaitBody()
    const why = moved
      ? `the request's body comes at less than ${bodyRate} bytes a second`
      : `no byte of the request's body came for ${limit} ms`
    this.#end(this.#error('body-timeout', 'client', 'request-body', why))
  }

  #responseStalled(): void {
    const { idle } = this.#plan?.timeouts ?? this.#settings.timeouts
    const left = this.#lastMove + idle - this.#host.clock.now()
    if (left > 0) return this.#deadline.await('response', left)
    this.#end(
      this.#response.full
        ? this.#error('idle-timeout', 'client', 'response-body', `it took nothing for ${idle} ms`)
        : this.#error('idle-timeout', 'backend', 'response-body', `it sent nothing for ${idle} ms`),
    )
  }

  // 6. The end.

  /** For messages. */
  get #what(): string {
    return this.#entry === undefined ? `listener ${this.#host.name}` : `route "${this.#entry.name}"`
  }

  get #keepsHead(): boolean {
    return this.#chain.done.length > 0 || this.#host.wantsRecord
  }

  #phase(): ExchangePhase {
    if (this.#tunnel !== undefined) return 'tunnel'
    if (this.#response.begun) return 'response-body'
    const attempt = this.#attempt
    if (attempt === undefined) return this.#plan === undefined ? 'request' : 'pick'
    if (attempt.leg === undefined) return 'connect'
    return attempt.whole ? 'response-head' : 'request-body'
  }

  #error(
    code: ExchangeErrorCode,
    source: 'client' | 'backend' | 'system' | 'config',
    phase: ExchangePhase,
    message: string,
  ): ExchangeError {
    return new ExchangeError(message, { code, source, phase })
  }

  /** Lets go of everything towards the backend. */
  #letGo(): void {
    this.#deadline.clear()
    this.#choice?.leave()
    this.#rival?.abandon()
    this.#rival = undefined
    this.#attempt?.abandon()
    this.#body.destroy()
  }

  #complete(reason: string, by: ExchangeEndedBy, error: ExchangeError | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#letGo()
    this.#response.destroy()
    this.#tunnel?.destroy()
    if (this.#total?.armed === true) this.#host.wheel.disarm(this.#total)
    if (!this.#body.whole && reason === 'done') this.leg.discardBody()
    let record: ExchangeRecord | undefined
    if (this.#keepsHead) {
      record = new RunRecord(this, reason, by, error)
      for (const { filter, after } of this.#chain.done) {
        if (after > this.#reached) continue
        try {
          filter.done(record, this)
        } catch (thrown) {
          this.complain(thrown, filter.name)
        }
      }
    }
    this.#host.finished(this, record)
    this.leg.release(this.#chain.size > 0 || record !== undefined)
  }
}

/** Attempts that may end by a connection's being closed at the same moment. */
const mostStale = 3

const noAnswer: Reply = Object.freeze({ status: 404, reason: 'no-answer' })

function isExchangeError(error: unknown): error is ExchangeError {
  return isSteelyardError(error) && 'phase' in error
}
