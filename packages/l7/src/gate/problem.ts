import type { HeadProblem } from '../wire/head-problem.ts'

/**
 * Makes a {@link HeadProblem}. They are made once and shared: a flood of bad requests costs no objects, and no word
 * of the client's comes back to it.
 */
export function problem(status: number, code: HeadProblem['code'], message: string): HeadProblem {
  return Object.freeze({ status, code, message })
}

/** A {@link HeadProblem} that is answered by 400. */
export function badRequest(message: string): HeadProblem {
  return problem(400, 'bad-request', message)
}
