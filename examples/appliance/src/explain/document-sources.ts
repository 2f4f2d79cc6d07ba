import { pickerNamed, pool, SteelyardError, silentLog, systemClock } from '@steelyard/core'
import type { Desired, DesiredPool } from '../desired/desired.ts'
import { membersOf, policyOf } from '../runtime/build-pool.ts'
import type { FileReader } from '../runtime/file-reader.ts'
import { httpSurroundings } from '../runtime/http-surroundings.ts'
import type { RunningPool } from '../runtime/registry.ts'
import { borrowedStock } from './borrowed-stock.ts'
import type { ExplainSources } from './explain.ts'

/** A document with nobody running it: its members count as up. */
export function documentSources(desired: Desired, files: FileReader): ExplainSources {
  const pools = new Map<string, Pick<RunningPool, 'pool' | 'desired'>>()
  const node = {
    files,
    clock: systemClock,
    log: silentLog,
    logs: {
      sink: () => ({ write: () => true }),
      reopen() {},
      async [Symbol.asyncDispose]() {},
    },
    pool(name: string) {
      const known = pools.get(name)
      if (known !== undefined) return known
      const made = poolOf(desired.pools[name], name)
      pools.set(name, made)
      return made
    },
  }
  return {
    by: 'document',
    desired,
    surroundings: (listener) => httpSurroundings(node, listener, borrowedStock(undefined), []),
  }
}

function poolOf(
  desired: DesiredPool | undefined,
  name: string,
): Pick<RunningPool, 'pool' | 'desired'> {
  if (desired === undefined) {
    throw new SteelyardError(`there is no pool "${name}"`, {
      code: 'no-such-pool',
      source: 'config',
    })
  }
  const { type, ...options } = desired.algorithm
  const picker = pickerNamed(type, options)
  const parts = { picker, check: undefined, outlier: undefined, persistence: undefined }
  return {
    desired,
    pool: pool({ name, backends: membersOf(desired), ...policyOf(desired, parts) }),
  }
}
