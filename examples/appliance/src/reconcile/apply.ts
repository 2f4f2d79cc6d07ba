import { isSteelyardError } from '@steelyard/core'
import type { Desired } from '../desired/desired.ts'
import type { DataPlane } from '../runtime/data-plane.ts'
import { after } from './after.ts'
import type { Step } from './step.ts'

/** A step that could not be done; what it concerns runs on as before, or does not run. */
export interface FailedStep {
  readonly step: Step
  readonly code: string
  readonly message: string
}

/** What came of a plan. */
export interface Applied {
  /** What runs now, in truth. */
  readonly running: Desired
  readonly failed: readonly FailedStep[]
}

/** Does the steps of a plan in their order. One that fails is named, and the rest goes on. */
export async function apply(
  steps: readonly Step[],
  before: Desired,
  plane: DataPlane,
): Promise<Applied> {
  let running = before
  const failed: FailedStep[] = []
  for (const step of steps) {
    try {
      await perform(step, plane)
      running = after(running, step)
    } catch (error) {
      const code = isSteelyardError(error) ? error.code : 'internal'
      failed.push({ step, code, message: error instanceof Error ? error.message : String(error) })
    }
  }
  return { running, failed }
}

async function perform(step: Step, plane: DataPlane): Promise<void> {
  switch (step.kind) {
    case 'node':
      plane.editNode(step.to)
      return
    case 'admin':
      await plane.editAdmin(step.to)
      return
    case 'address-pool':
    case 'load-balancer':
      // These are facts that others refer to; nothing of them runs by itself.
      return
    case 'pool':
      if (step.action === 'add') plane.addPool(step.to)
      else if (step.action === 'edit') plane.editPool(step.to)
      else plane.removePool(step.name)
      return
    case 'listener':
      if (step.action === 'start') await plane.startListener(step.to)
      else if (step.action === 'edit') plane.editListener(step.from, step.to)
      else await plane.stopListener(step.from, step.makesWayFor !== undefined)
      return
    default:
      return step satisfies never
  }
}
