import { either, flag, group, integer, list, optional, payload } from '../field.ts'
import { notes } from './notes.ts'

const oneText = payload({ ...notes('Text', 'A text, compared as it is.', 'v2'), maxLength: 1024 })

/** One text, or several of which one is enough. */
export const textOrTexts = (title: string, description: string) =>
  either(
    [
      oneText,
      list(oneText, {
        ...notes('Texts', 'Texts of which one is enough.', ['v1', 'v2']),
        minItems: 1,
        maxItems: 4096,
      }),
    ],
    notes(title, `${description} Default: it is not looked at.`, 'v2', ['v1', 'v2']),
  )

const testGroup = group(
  {
    equals: optional(textOrTexts('Equals', 'It is this text, or one of these.')),
    startsWith: optional(textOrTexts('Starts with', 'It begins with this, or one of these.')),
    endsWith: optional(textOrTexts('Ends with', 'It ends with this, or one of these.')),
    contains: optional(textOrTexts('Contains', 'This, or one of these, is somewhere in it.')),
    regex: optional(
      payload({
        ...notes(
          'Regular expression',
          "A pattern in RE2's syntax that matches somewhere in it, in linear time. Default: none.",
          '^v[12]$',
        ),
        maxLength: 4096,
      }),
    ),
    present: optional(
      flag(
        notes(
          'Present',
          'true: it is there, whatever it is; false: it is not there. Default: it is not asked.',
          true,
          false,
        ),
      ),
    ),
    between: optional(
      list(
        integer({
          ...notes('Bound', 'A whole number.', 1),
          minimum: -1e15,
          maximum: 1e15,
        }),
        {
          ...notes(
            'Between',
            'It is a whole number from the first to the second. Default: none.',
            [1, 9],
          ),
          minItems: 2,
          maxItems: 2,
        },
      ),
    ),
    ignoreCase: optional(
      flag(notes('Ignore case', 'Letters are the same in either case. Default: false.', true)),
    ),
  },
  notes('Test', 'One of these comparisons.', { startsWith: 'v2' }, { regex: '^v[12]$' }),
)

/** What a text must be: the text itself, or a comparison. */
export const textTest = either(
  [oneText, testGroup],
  notes('Test', 'The text that it must be, or a comparison.', 'v2', { startsWith: 'v2' }),
)
