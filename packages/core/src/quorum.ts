import { invalidOption } from './errors.ts'
import { shown } from './shown.ts'

/** How many members must be usable: a number, or a percentage of the enabled ones. */
export type Quorum = number | `${number}%`

/**
 * Decides whether a pool is available: it becomes so at `quorum + hysteresis` usable members and ceases
 * below `quorum - hysteresis`; in between it stays what it was, and the first answer is by the quorum alone.
 */
export interface QuorumRule {
  decide(usable: number, enabled: number, before: boolean | undefined): boolean
}

/**
 * Makes a {@link QuorumRule}.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function quorumRule(quorum: Quorum, hysteresis: number, path = 'pool'): QuorumRule {
  const percent =
    typeof quorum === 'string' ? Number(/^(\d+(?:\.\d+)?)%$/.exec(quorum)?.[1]) : undefined
  const wrong =
    percent === undefined
      ? !Number.isInteger(quorum) || Number(quorum) < 1
      : !(percent > 0 && percent <= 100)
  if (wrong)
    throw invalidOption(
      `${path}.quorum`,
      `${shown(quorum)} is not a quorum: use a whole number from 1, or 1% to 100%`,
    )
  if (!Number.isInteger(hysteresis) || hysteresis < 0) {
    throw invalidOption(
      `${path}.hysteresis`,
      `${shown(hysteresis)} is not a hysteresis: use a whole number from 0`,
    )
  }
  return {
    decide(usable, enabled, before) {
      const needed =
        percent === undefined ? Number(quorum) : Math.max(1, Math.ceil((enabled * percent) / 100))
      if (before === undefined) return usable >= needed
      if (before) return usable >= Math.max(1, needed - hysteresis)
      // Never ask for more members than there are: a full house is available.
      return usable >= Math.max(needed, Math.min(needed + hysteresis, enabled))
    },
  }
}
