import { getHeapStatistics } from 'node:v8'

const perBatch = 2000
const batches = 50

/**
 * Bytes that one step of `run` leaves on the heap once it is optimised. It looks at the heap around
 * many small batches and takes the median, so that neither a garbage collection nor a compilation
 * in between disturbs it; the best of several rounds counts.
 *
 * @param run - takes the number of steps to do.
 */
export function bytesPerStep(run: (steps: number) => void): number {
  const nothing = median((): void => {})
  let least = Infinity
  for (let round = 0; round < 5 && least >= 1; round++) {
    for (let i = 0; i < batches; i++) run(perBatch)
    least = Math.min(least, (median(run) - nothing) / perBatch)
  }
  return least
}

function median(run: (steps: number) => void): number {
  const growth = new Float64Array(batches)
  for (let batch = 0; batch < batches; batch++) {
    const before = getHeapStatistics().used_heap_size
    run(perBatch)
    growth[batch] = getHeapStatistics().used_heap_size - before
  }
  return growth.sort()[batches >> 1]!
}
