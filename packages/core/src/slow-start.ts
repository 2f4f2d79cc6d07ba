/** Part of its weight and limit that a member gets while it warms up: linear from 5 % to 100 % over the window. */
export function slowStartFactor(elapsedMs: number, windowMs: number): number {
  if (windowMs <= 0 || elapsedMs >= windowMs) return 1
  return Math.max(0.05, elapsedMs / windowMs)
}

/** How often the weights are recomputed during a slow start: twenty steps, but not more than ten a second. */
export function slowStartStepMs(windowMs: number): number {
  return Math.max(100, windowMs / 20)
}
