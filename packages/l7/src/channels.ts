import { type Channel, channel } from 'node:diagnostics_channel'

/** Publishes every exchange's record, as {@link ExchangeRecord}, when somebody listens: `steelyard:http:exchange`. */
export const httpExchangeChannel: Channel = channel('steelyard:http:exchange')
