import { type Backend, type BackendInit, backend } from './backend.ts'
import { invalidOption } from './errors.ts'
import { listOption } from './option-shape.ts'
import type { Member } from './pool-member.ts'
import { shown } from './shown.ts'

/** What has to happen for a pool to have these members and no others. */
export interface MembershipPlan {
  /** Members that are not wanted any more. */
  readonly gone: readonly Member[]
  /**
   * Members whose address changed: the same name at another address is another server, and its health and its clients
   * are not the old one's.
   */
  readonly moved: readonly { readonly member: Member; readonly next: Backend }[]
  readonly added: readonly Backend[]
  /** Members that stay and are to have other settings. */
  readonly edited: readonly { readonly member: Member; readonly next: Backend }[]
}

/**
 * Compares the members of a pool with those wanted.
 *
 * @throws `invalid-option` with the path of the field.
 */
export function membershipPlan(
  members: readonly Member[],
  backends: readonly BackendInit[],
): MembershipPlan {
  const wanted = new Map<string, Backend>()
  listOption(backends, 'pool.backends').forEach((init, index) => {
    const next = backend(init, `pool.backends[${index}]`)
    if (wanted.has(next.id)) {
      throw invalidOption(
        `pool.backends[${index}]`,
        `${shown(next.id)} is in the pool already: give one of the two another id`,
      )
    }
    wanted.set(next.id, next)
  })
  const present = new Set(members.map((member) => member.backend.id))
  const kept = members.flatMap((member) => {
    const next = wanted.get(member.backend.id)
    return next === undefined ? [] : [{ member, next }]
  })
  return {
    gone: members.filter(({ backend: { id } }) => !wanted.has(id)),
    moved: kept.filter(({ member, next }) => member.backend.address !== next.address),
    added: [...wanted.values()].filter(({ id }) => !present.has(id)),
    edited: kept.filter(
      ({ member: { backend: before }, next }) =>
        before.address === next.address && !sameBackend(before, next),
    ),
  }
}

/** Do two descriptions say the same? */
export function sameBackend(a: Backend, b: Backend): boolean {
  return (
    a.address === b.address &&
    a.weight === b.weight &&
    a.backup === b.backup &&
    a.maxConnections === b.maxConnections &&
    a.state === b.state &&
    sameLabels(a.labels, b.labels)
  )
}

function sameLabels(a: Backend['labels'], b: Backend['labels']): boolean {
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && a[name] === b[name])
  )
}
