import { styleText } from 'node:util'

/** Paints a text, or leaves it as it is when colours are off. */
export interface Colours {
  good(text: string): string
  warn(text: string): string
  bad(text: string): string
  dim(text: string): string
  bold(text: string): string
}

/** Colours for a terminal; none for files and pipes, or when `NO_COLOR` is set. */
export function colours(on: boolean): Colours {
  const paint =
    (style: Parameters<typeof styleText>[0]) =>
    (text: string): string =>
      on ? styleText(style, text, { validateStream: false }) : text
  return {
    good: paint('green'),
    warn: paint('yellow'),
    bad: paint('red'),
    dim: paint('dim'),
    bold: paint('bold'),
  }
}

/** Whether this stream should get colours. */
export function wantsColour(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && env['NO_COLOR'] === undefined
}
