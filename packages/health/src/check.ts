import {
  functionOption,
  type HealthCheck,
  objectOption,
  partOption,
  textOption,
} from '@steelyard/core'
import { type LocateOptions, locator } from './locate.ts'
import { healthMonitor, type Monitor } from './monitor.ts'
import type { Probe, ProbeTarget, ScheduledProbe } from './probe.ts'
import { type ScheduleOptions, schedule } from './schedule.ts'

/** What every check may be told: when, where, and by which monitor. */
export interface CheckOptions extends ScheduleOptions, LocateOptions {
  /** The monitor that makes the checks when a pool attaches this one. Default: a monitor of its own, made when first needed. */
  readonly monitor?: Monitor
}

/** What a check of one's own may be told besides. */
export interface CustomCheckOptions extends CheckOptions {
  /**
   * Canonical text of what the probe asks. Two checks with the same name, key and schedule share one
   * probe per target. Default: the check is shared with no other.
   */
  readonly key?: string
  /** The target is no longer checked: close what the probe keeps for it. */
  readonly forget?: (target: ProbeTarget) => void
}

/** A check for `pool({ check })`, or for {@link Monitor.attach}. */
export interface Check extends HealthCheck, ScheduledProbe {}

/**
 * Makes a check of a probe: one function from a target to a result.
 *
 * @example
 * ```ts
 * import { stat } from 'node:fs/promises'
 * import { check, failed, passed } from '@steelyard/health'
 *
 * const maintenance = check('maintenance', async ({ host }) =>
 *   (await stat(`/run/maintenance/${host}`).catch(() => undefined)) === undefined
 *     ? passed('not in maintenance')
 *     : failed('in maintenance'), { every: '1s', fall: 1 })
 * ```
 *
 * @param name - the kind, such as `tcp`: for messages, metrics and the path in errors.
 * @throws `invalid-option` with the path of the field.
 */
export function check(name: string, probe: Probe, options: CustomCheckOptions = {}): Check {
  const path = `${textOption(name, 'check.name')}Check`
  const plan = schedule(objectOption(options, path), path)
  const locate = locator(options, path)
  const key = options.key === undefined ? undefined : textOption(options.key, `${path}.key`)
  const advice = 'make one with healthMonitor()'
  let monitor = partOption(options.monitor, 'attach', `${path}.monitor`, advice)
  const self: Check = Object.freeze({
    name,
    key:
      key === undefined
        ? Symbol(name)
        : [name, key, options.address, options.port, ...Object.values(plan)].join(' '),
    schedule: plan,
    locate,
    probe: functionOption(probe, `${path}.probe`),
    forget:
      options.forget === undefined ? undefined : functionOption(options.forget, `${path}.forget`),
    attach(subject) {
      monitor ??= healthMonitor()
      return monitor.attach(subject, self)
    },
  } satisfies Check)
  return self
}
