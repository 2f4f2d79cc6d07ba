import { isSteelyardError } from '@steelyard/core'
import { type Desired, type DesiredListener, isHttp } from '../desired/desired.ts'
import { poolNamesOf } from '../desired/normalise.ts'
import type { FailedStep } from '../reconcile/apply.ts'
import { editListener } from '../reconcile/plan-listener.ts'
import type { Step } from '../reconcile/step.ts'
import { namesFiles } from './build-check.ts'
import type { DataPlane } from './data-plane.ts'

/**
 * Objects that no step touched may depend on what did change: a listener on a pool's TLS or PROXY header,
 * and both on the content of files that the document names, such as certificates. They are made ready
 * again; whatever fails stays as it is.
 *
 * @param touched - objects that are in their newest form already, or are to stay in their earlier one,
 *   as {@link objectOf} names them.
 */
export function refresh(
  { listeners, pools }: Desired,
  touched: ReadonlySet<string>,
  plane: DataPlane,
): FailedStep[] {
  const failed: FailedStep[] = []
  const attempt = (step: Step, task: () => void): void => {
    try {
      task()
    } catch (error) {
      const code = isSteelyardError(error) ? error.code : 'internal'
      failed.push({ step, code, message: error instanceof Error ? error.message : String(error) })
    }
  }
  for (const pool of Object.values(pools)) {
    if (touched.has(`pool ${pool.name}`) || !namesFiles(pool.health)) continue
    const step: Step = {
      action: 'edit',
      kind: 'pool',
      name: pool.name,
      text: `pool ${pool.name}`,
      connections: 'untouched',
      changes: [],
      from: pool,
      to: pool,
    }
    attempt(step, () => plane.editPool(pool))
  }
  for (const listener of Object.values(listeners)) {
    if (listener.protocol === 'udp' || touched.has(`listener ${listener.id}`)) continue
    const isConcerned = poolNamesOf(listener).some(
      (name) => touched.has(`pool ${name}`) || pools[name]?.tls !== undefined,
    )
    if (listener.protocol !== 'tls' && !isConcerned && !dependsOnFiles(listener)) continue
    attempt(editListener(listener, listener), () => plane.editListener(listener, listener))
  }
  return failed
}

/** Certificates, pages and secrets may be others while the document is the same. */
function dependsOnFiles(listener: DesiredListener): boolean {
  return isHttp(listener) && /"(?:\w*[fF]iles?|cert)":/.test(JSON.stringify(listener))
}

/** The object that a step is about. */
export function objectOf({ kind, name }: { readonly kind: string; readonly name: string }): string {
  return `${kind} ${name}`
}
