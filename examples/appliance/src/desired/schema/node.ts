import { choice, group, integer, objectName, preset } from './field.ts'
import { duration } from './forms.ts'

/** What concerns the whole process. */
export const nodeSchema = group(
  {
    name: objectName({
      title: 'Name',
      description: 'The name of this node in logs, metrics and status.',
      examples: ['lb-a', 'edge-fra-1'],
    }),
    connectionLimit: preset(
      0,
      integer({
        title: 'Connection limit',
        description:
          'Open client connections of all listeners together; more wait in the kernel. 0 means no limit.',
        minimum: 0,
        maximum: 10_000_000,
        examples: [0, 200_000],
      }),
    ),
    drain: preset(
      '30s',
      duration({
        title: 'Drain time',
        description:
          'How long open connections may go on after a stop, or after their listener was removed, before they are cut.',
        examples: ['30s', '5m'],
      }),
    ),
    logLevel: preset(
      'info',
      choice(['debug', 'info', 'warn', 'error'], {
        title: 'Log level',
        description: 'The least severe messages that are logged.',
        examples: ['info'],
      }),
    ),
  },
  {
    title: 'Node',
    description: 'What concerns the whole process.',
    examples: [{ name: 'lb-a' }],
  },
)
