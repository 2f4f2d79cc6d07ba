/**
 * Divides `total` seats by weight, with the largest-remainder method (Hamilton): each share is off
 * by less than one seat, equal remainders go to the first. Whoever is due less than one seat gets
 * one, at the cost of the others, as long as there are enough seats for all.
 */
export function apportion(weights: Float64Array, total: number): Uint32Array {
  const seats = new Uint32Array(weights.length)
  const rising = Uint32Array.from(weights, (_, index) => index).sort(
    (a, b) => weights[a]! - weights[b]! || a - b,
  )
  let left = total
  let sum = weights.reduce((all, weight) => all + weight, 0)
  let poor = 0
  for (const index of weights.length <= total ? rising : []) {
    if ((weights[index]! / sum) * left >= 1) break
    seats[index] = 1
    sum -= weights[index]!
    left -= 1
    poor += 1
  }
  const rich = rising.subarray(poor).sort()
  const remainders = new Float64Array(weights.length)
  const share = left / sum
  for (const index of rich) {
    const quota = weights[index]! * share
    const whole = Math.floor(quota)
    seats[index] = whole
    remainders[index] = quota - whole
    left -= whole
  }
  rich.sort((a, b) => remainders[b]! - remainders[a]! || a - b)
  for (const index of rich.subarray(0, left)) seats[index]! += 1
  return seats
}
