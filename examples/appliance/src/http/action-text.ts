import type { DesiredPolicy, DesiredRule } from '../desired/desired.ts'

/** What a rule does, in a few words: `→ web`, `redirect to /new/`. */
export function actionText(rule: DesiredRule | DesiredPolicy): string {
  if (rule.unavailable !== undefined) return '503: left out'
  if ('action' in rule) return policyText(rule)
  const { pool, pools, redirect, respond, reject, tarpit } = rule
  if (pool !== undefined) return `→ ${pool}`
  if (pools !== undefined) {
    return `→ ${pools.map((one) => `${one.pool} ${one.weight}`).join(', ')}`
  }
  if (redirect !== undefined) {
    const to =
      typeof redirect === 'string' ? redirect : (redirect.to ?? redirect.prefix ?? redirect.scheme)
    return `redirect to ${to ?? ''}`
  }
  if (respond !== undefined) return `respond ${respond.status}`
  if (reject !== undefined) return `reject ${reject.status ?? 403}`
  if (rule.maintenance !== undefined) return 'maintenance'
  return tarpit === undefined ? 'drop' : 'tarpit'
}

function policyText(policy: DesiredPolicy): string {
  switch (policy.action) {
    case 'REJECT':
      return 'reject 403'
    case 'REDIRECT_TO_POOL':
      return `→ ${policy.redirectPool ?? ''}`
    case 'REDIRECT_PREFIX':
      return `redirect to ${policy.redirectPrefix ?? ''}…`
    case 'REDIRECT_TO_URL':
      return `redirect to ${policy.redirectUrl ?? ''}`
    default:
      return policy.action satisfies never
  }
}
