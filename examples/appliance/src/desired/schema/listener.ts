import { variants } from './field.ts'
import { h2cListenerSchema, httpListenerSchema, httpsListenerSchema } from './http/http-listener.ts'
import { tcpListenerSchema } from './tcp-listener.ts'
import { tlsListenerSchema } from './tls-listener.ts'
import { udpListenerSchema } from './udp-listener.ts'

/** One port of a load balancer, by protocol. */
export const listenerSchema = variants(
  'protocol',
  [
    tcpListenerSchema,
    tlsListenerSchema,
    udpListenerSchema,
    httpListenerSchema,
    httpsListenerSchema,
    h2cListenerSchema,
  ],
  {
    title: 'Listener',
    description: 'One port of a load balancer and what becomes of the traffic to it.',
    examples: [
      { name: 'redis', protocol: 'tcp', port: 6379, pool: 'redis' },
      { name: 'web', protocol: 'http', port: 80, pool: 'web' },
      { name: 'dns', protocol: 'udp', port: 53, pool: 'dns', udp: { expectedReplies: 1 } },
    ],
  },
)
