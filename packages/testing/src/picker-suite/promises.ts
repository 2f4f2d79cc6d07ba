/** What a picker promises. */
export interface PickerSuiteOptions {
  /** Shares follow the weights; else everybody gets the same. */
  readonly weighted: boolean
  /** The same key gets the same member. */
  readonly affinity: boolean
  /**
   * Largest relative error of a member's share of 100,000 picks. `false`: it does not spread
   * traffic. Default 0.01.
   */
  readonly evenness?: number | false
  /**
   * When one of ten members goes or comes: largest part of the keys of the others that moves as
   * well. `false`: any number may. Default 0.
   */
  readonly strayMoves?: number | false
}
