import { type Clock, systemClock } from './clock.ts'
import { invalidOption } from './errors.ts'
import { surface } from './listener-error.ts'
import { clockOption, objectOption } from './option-shape.ts'
import { shown } from './shown.ts'

/** Something that waits on a {@link TimerWheel}. Make one object and arm it again and again: arming allocates nothing. */
export class WheelTimer {
  /** Runs when the time is up; the timer is no longer armed then and may be armed again. */
  readonly task: () => void
  /** @internal */
  next: WheelTimer | undefined = undefined
  /** @internal */
  previous: WheelTimer | undefined = undefined
  /** @internal */
  slot = -1
  /** @internal */
  rounds = 0

  constructor(task: () => void) {
    this.task = task
  }

  get armed(): boolean {
    return this.slot >= 0
  }
}

/** How a wheel is made. */
export interface TimerWheelOptions {
  readonly clock?: Clock
  /** Resolution in milliseconds; a timer fires up to one tick late, never early. Default 10. */
  readonly tickMs?: number
  /** Slots; delays beyond `slots × tickMs` take further rounds. Default 1024. */
  readonly slots?: number
}

/**
 * One clock timer for any number of waits (a hashed timing wheel, Varghese and Lauck 1987): arming and
 * disarming cost the same whatever the number of timers. It ticks only while something is armed.
 */
export interface TimerWheel extends Disposable {
  /** Timers armed now. */
  readonly size: number
  /** How late the last tick came, in milliseconds: the lateness of our own event loop. */
  readonly latenessMs: number
  /**
   * Runs the timer's task once after `delayMs`; one that is armed already is moved.
   *
   * @param now - the clock's time, from whoever has just read it: it is not read once more then
   */
  arm(timer: WheelTimer, delayMs: number, now?: number): void
  disarm(timer: WheelTimer): void
}

/**
 * Makes a {@link TimerWheel}.
 *
 * @throws `invalid-option`
 */
export function timerWheel(options: TimerWheelOptions = {}): TimerWheel {
  const { clock = systemClock, tickMs = 10, slots = 1024 } = objectOption(options, 'timerWheel')
  if (!Number.isFinite(tickMs) || tickMs <= 0) {
    throw invalidOption('timerWheel.tickMs', `${shown(tickMs)} is not a tick: use more than 0`)
  }
  if (!Number.isInteger(slots) || slots < 1 || slots > 1_048_576) {
    throw invalidOption(
      'timerWheel.slots',
      `${shown(slots)} slots: use a whole number from 1 to 1048576`,
    )
  }
  return new HashedWheel(clockOption(clock, 'timerWheel.clock'), tickMs, slots)
}

class HashedWheel implements TimerWheel {
  readonly #clock: Clock
  readonly #tickMs: number
  readonly #slots: (WheelTimer | undefined)[]
  /** Monotonic time of the tick that `#cursor` stands for. */
  #time = 0
  #cursor = 0
  #pending: Disposable | undefined
  size = 0
  latenessMs = 0

  constructor(clock: Clock, tickMs: number, slots: number) {
    this.#clock = clock
    this.#tickMs = tickMs
    this.#slots = new Array<WheelTimer | undefined>(slots).fill(undefined)
  }

  arm(timer: WheelTimer, delayMs: number, now: number = this.#clock.now()): void {
    if (timer.slot >= 0) this.#unlink(timer)
    if (this.#pending === undefined) {
      this.#time = now
      this.#tickAfter(this.#tickMs)
    }
    const ticks = Math.max(1, Math.ceil((now + delayMs - this.#time) / this.#tickMs))
    const count = this.#slots.length
    timer.slot = (this.#cursor + ticks) % count
    timer.rounds = Math.ceil(ticks / count) - 1
    const first = this.#slots[timer.slot]
    timer.next = first
    if (first !== undefined) first.previous = timer
    this.#slots[timer.slot] = timer
    this.size += 1
  }

  disarm(timer: WheelTimer): void {
    timer.rounds = 0
    if (timer.slot < 0) return
    this.#unlink(timer)
    if (this.size === 0) this.#rest()
  }

  [Symbol.dispose](): void {
    for (let slot = 0; slot < this.#slots.length; slot++) {
      for (let timer = this.#slots[slot]; timer !== undefined; timer = this.#slots[slot])
        this.#unlink(timer)
    }
    this.#rest()
  }

  #tickAfter(delayMs: number): void {
    this.#pending = this.#clock.after(delayMs, () => this.#tick())
  }

  #tick(): void {
    this.#pending = undefined
    const now = this.#clock.now()
    this.latenessMs = Math.max(0, now - this.#time - this.#tickMs)
    // Hold a pending marker, so that a task which arms a timer does not restart the wheel's time.
    this.#pending = none
    try {
      while (this.size > 0 && this.#time + this.#tickMs <= now + 0.01) {
        this.#time += this.#tickMs
        this.#cursor = (this.#cursor + 1) % this.#slots.length
        this.#fire(this.#cursor)
      }
    } finally {
      this.#pending = undefined
      if (this.size > 0) this.#tickAfter(Math.max(0, this.#time + this.#tickMs - now))
    }
  }

  #fire(slot: number): void {
    // Take the due ones out first: a task may arm or disarm any timer, also those due with it.
    const due: WheelTimer[] = []
    for (let timer = this.#slots[slot]; timer !== undefined; ) {
      const { next } = timer
      if (timer.rounds > 0) {
        timer.rounds -= 1
      } else {
        this.#unlink(timer)
        timer.rounds = firing
        due.push(timer)
      }
      timer = next
    }
    for (const timer of due) {
      if (timer.rounds !== firing) continue
      timer.rounds = 0
      try {
        timer.task()
      } catch (error) {
        // One task's bug must not keep the others waiting.
        surface(error)
      }
    }
  }

  #unlink(timer: WheelTimer): void {
    if (timer.previous === undefined) this.#slots[timer.slot] = timer.next
    else timer.previous.next = timer.next
    if (timer.next !== undefined) timer.next.previous = timer.previous
    timer.next = undefined
    timer.previous = undefined
    timer.slot = -1
    this.size -= 1
  }

  #rest(): void {
    if (this.#pending === none) return
    this.#pending?.[Symbol.dispose]()
    this.#pending = undefined
  }
}

/** {@link WheelTimer.rounds} of a timer that is due in this very tick. */
const firing = -1

const none: Disposable = { [Symbol.dispose]() {} }
