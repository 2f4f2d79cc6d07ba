import { group, kind } from './field.ts'
import { listenerFields, poolField } from './listener-fields.ts'
import { streamFields } from './stream-fields.ts'

/** A listener that forwards TCP connections as they are. */
export const tcpListenerSchema = group(
  {
    ...listenerFields,
    protocol: kind('tcp', 'Forwards TCP connections as they are.'),
    pool: poolField(),
    ...streamFields,
  },
  {
    title: 'TCP listener',
    description: 'Forwards TCP connections as they are.',
    examples: [{ name: 'redis', protocol: 'tcp', port: 6379, pool: 'redis' }],
  },
)
