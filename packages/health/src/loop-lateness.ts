import { type Clock, type TimerWheel, WheelTimer } from '@steelyard/core'

/**
 * How much time our own event loop has lost: a beat on the wheel, and what passed between two beats
 * beyond what the wheel's resolution explains. It beats only between {@link LoopLateness.begin} and
 * {@link LoopLateness.end}; differences of {@link LoopLateness.lostMs} are meaningful in between.
 */
export interface LoopLateness {
  /** Milliseconds lost so far, up to this moment. */
  lostMs(): number
  /** Idempotent, as is {@link LoopLateness.end}. */
  begin(): void
  end(): void
}

/** Makes a {@link LoopLateness} on a wheel with this resolution. */
export function loopLateness(clock: Clock, wheel: TimerWheel, tickMs: number): LoopLateness {
  const tolerance = 2 * tickMs
  let lost = 0
  let lastBeat = 0
  const pending = (now: number): number => Math.max(0, now - lastBeat - tolerance)
  const beat: WheelTimer = new WheelTimer(() => {
    const now = clock.now()
    lost += pending(now)
    lastBeat = now
    wheel.arm(beat, tickMs)
  })
  return {
    // Also what no beat has noted yet: a socket callback may run before the late timers do.
    lostMs: () => lost + (beat.armed ? pending(clock.now()) : 0),
    begin() {
      if (beat.armed) return
      lastBeat = clock.now()
      wheel.arm(beat, tickMs)
    },
    end() {
      if (!beat.armed) return
      lost += pending(clock.now())
      wheel.disarm(beat)
    },
  }
}
