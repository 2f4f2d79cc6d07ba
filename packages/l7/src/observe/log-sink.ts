/** Where finished lines go: a file, a pipe, a collector. */
export interface LogSink {
  /**
   * Takes a line without its end, and never blocks.
   *
   * @returns false when there was no room and the line is lost.
   */
  write(line: string): boolean
}
