import { flag, group, preset } from './field.ts'
import { endpoint } from './forms.ts'

/** The admin endpoint. */
export const adminSchema = group(
  {
    listen: preset(
      '127.0.0.1:9901',
      endpoint({
        title: 'Listen',
        description:
          'Where health, status, metrics and the runtime commands are served. It asks for no password, so keep it on a loopback address or a unix socket.',
        examples: ['127.0.0.1:9901', '[::1]:9901', 'unix:/run/steelyard/admin.sock'],
      }),
    ),
    readOnly: preset(
      false,
      flag({
        title: 'Read only',
        description: 'Serves health, status and metrics only: no drain, no weights, no apply.',
        examples: [true],
      }),
    ),
  },
  {
    title: 'Admin endpoint',
    description: 'Where the appliance is watched and operated.',
    examples: [{ listen: '127.0.0.1:9901' }],
  },
)
