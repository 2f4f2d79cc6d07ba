/** Did a hook promise its answer? Anything else is the answer, and costs no promise. */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value
}
