/** Where a value stands in the document: keys and indices from the root. */
export type Path = readonly (string | number)[]

/** A {@link Path} as people write it: `loadBalancers[0].listeners[1].port`, `labels["a b"]`. */
export function formatPath(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else if (/^[A-Za-z_$][\w$-]*$/.test(step)) text += text === '' ? step : `.${step}`
    else text += `[${JSON.stringify(step)}]`
  }
  return text
}
