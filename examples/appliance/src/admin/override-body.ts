import { parseDuration, SteelyardError } from '@steelyard/core'
import type { MemberOverride } from './admin-target.ts'

/**
 * Reads the body of a request that changes a member.
 *
 * @throws `invalid-body`, or `invalid-option` for a duration that is none.
 */
export function overrideOf(body: string): MemberOverride {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (cause) {
    throw new SteelyardError('the body is not JSON', {
      code: 'invalid-body',
      source: 'client',
      cause,
    })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new SteelyardError('the body is no object', { code: 'invalid-body', source: 'client' })
  }
  const { state, weight, cutAfter, ...rest } = value as Record<string, unknown>
  const unknown = Object.keys(rest)
  if (unknown.length > 0) {
    throw new SteelyardError(`"${unknown[0]}" is not known: use state, weight, cutAfter`, {
      code: 'invalid-body',
      source: 'client',
    })
  }
  if (state !== undefined && state !== 'enabled' && state !== 'draining' && state !== 'disabled') {
    throw new SteelyardError('state is none of enabled, draining, disabled', {
      code: 'invalid-body',
      source: 'client',
    })
  }
  if (
    weight !== undefined &&
    !(Number.isInteger(weight) && Number(weight) >= 0 && Number(weight) <= 65_535)
  ) {
    throw new SteelyardError('weight is not a whole number from 0 to 65535', {
      code: 'invalid-body',
      source: 'client',
    })
  }
  if (state === undefined && weight === undefined) {
    throw new SteelyardError('the body changes nothing: give state or weight', {
      code: 'invalid-body',
      source: 'client',
    })
  }
  if (cutAfter !== undefined && state !== 'draining' && state !== 'disabled') {
    throw new SteelyardError('cutAfter goes with the state draining or disabled only', {
      code: 'invalid-body',
      source: 'client',
    })
  }
  return {
    ...(state === undefined ? {} : { state }),
    ...(weight === undefined ? {} : { weight: Number(weight) }),
    ...(cutAfter === undefined
      ? {}
      : { cutAfterMs: parseDuration(cutAfter as string | number, 'cutAfter') }),
  }
}
