/** One log line's data; libraries put facts here and keep the message constant, so that lines can be counted. */
export type LogFields = Readonly<Record<string, unknown>>

/** The log port, shaped so that a pino logger fits as it is. Libraries never print. */
export interface Logger {
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
}

const ignore = (): void => {}

/** The default: nothing is logged. */
export const silentLog: Logger = Object.freeze({
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
})
