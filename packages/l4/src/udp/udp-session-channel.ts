import { type Channel, channel } from 'node:diagnostics_channel'

/** Publishes a {@link UdpSessionRecord} for each finished UDP session; costs nothing without subscribers. */
export const udpSessionChannel: Channel = channel('steelyard:l4:udp:session')
