import type { Evidence, ProbeResult } from './probe.ts'

/** A part of a combination: the check's name, and its result as soon as there is one. */
export interface Part {
  readonly name: string
  readonly result: ProbeResult | undefined
}

/**
 * What the parts say together when `wanted` of them must pass; `undefined` while it depends on those
 * that have no result yet. An inconclusive part neither helps nor harms, it only keeps the answer open.
 */
export function combined(parts: readonly Part[], wanted: number): ProbeResult | undefined {
  const ok = parts.filter(({ result }) => result?.outcome === 'ok')
  const bad = parts.filter(({ result }) => result?.outcome === 'fail')
  const pending = parts.some(({ result }) => result === undefined)
  const total = parts.length
  if (ok.length >= wanted) {
    const reason =
      bad.length === 0
        ? `${ok.length} of ${total} checks passed`
        : `${ok.length} of ${total} checks passed, ${wanted} are needed; ${told(bad)}`
    return { outcome: 'ok', reason, evidence: evidenceOf(parts) }
  }
  // All are waited for, though it be lost already: the reason is to name every one that failed.
  if (pending) return undefined
  const evidence = evidenceOf(parts)
  const reason = `${ok.length} of ${total} checks passed, ${wanted} are needed; `
  if (total - bad.length < wanted) {
    const definite = bad.filter(({ result }) => result?.outcome === 'fail' && result.definite)
    return {
      outcome: 'fail',
      reason: reason + told(bad),
      evidence,
      definite: total - definite.length < wanted,
    }
  }
  const open = parts.filter(({ result }) => result?.outcome !== 'ok')
  return { outcome: 'inconclusive', reason: reason + told(open), evidence }
}

function told(parts: readonly Part[]): string {
  return parts.map(({ name, result }) => `${name}: ${result?.reason ?? 'no result'}`).join('; ')
}

/** Each part's facts under its name, which is numbered where two have the same. */
function evidenceOf(parts: readonly Part[]): Evidence {
  const evidence: Record<string, string | number | boolean> = {}
  const seen = new Map<string, number>()
  for (const { name, result } of parts) {
    const number = (seen.get(name) ?? 0) + 1
    seen.set(name, number)
    const prefix = number === 1 ? name : `${name}${number}`
    if (result === undefined) continue
    evidence[prefix] = result.outcome
    for (const [field, value] of Object.entries(result.evidence ?? {})) {
      evidence[`${prefix}.${field}`] = value
    }
  }
  return evidence
}
