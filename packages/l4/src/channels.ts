import { type Channel, channel } from 'node:diagnostics_channel'

/** Publishes a {@link SessionRecord} for each finished TCP connection; costs nothing without subscribers. */
export const tcpSessionChannel: Channel = channel('steelyard:l4:tcp:session')
