import type { Agent } from 'node:http'
import type { ServerOptions as HttpsServerOptions } from 'node:https'
import type { Clock } from '@steelyard/core'

/** Keys and certificates: PEM as text or bytes, or the bytes of a PFX file. */
export type TlsMaterial = string | Buffer | readonly (string | Buffer)[]

/** A target that is taken apart; what URL objects have is understood too. */
export interface ProxyTargetDetailed {
  /** A host, with or without port. */
  readonly host?: string | null
  /** The host alone; goes before `host`. */
  readonly hostname?: string | null
  /** Default: 443 for https and wss, else 80. */
  readonly port?: number | string | null
  /** `http:`, `https:`, `ws:` or `wss:`, with or without colon. Default `http:`. */
  readonly protocol?: string | null
  /** A Unix socket; host and port then only make the Host field of `changeOrigin`. */
  readonly socketPath?: string | null
  /** Path and query to put before the request's. */
  readonly path?: string | null
  readonly pathname?: string | null
  readonly search?: string | null
  /** `user:password`, as in {@link ServerOptions.auth}, which goes before it. */
  readonly auth?: string | null
  /** Client certificate and trust, as of `tls.connect()`. */
  readonly pfx?: TlsMaterial
  readonly key?: TlsMaterial
  readonly passphrase?: string
  readonly cert?: TlsMaterial
  readonly ca?: TlsMaterial
  readonly ciphers?: string
  readonly secureProtocol?: string
  /** The name that the target's certificate must have, and that it is asked for (SNI). Default: `hostname`, or the Host field where that is an address. */
  readonly servername?: string
}

/** Where requests go: a URL as text or object, or its parts. */
export type ProxyTargetUrl = string | URL | ProxyTargetDetailed
/** The same; http-proxy has two names for it. */
export type ProxyTarget = ProxyTargetUrl

/** Values and what stands instead; `*` for all others, an empty text removes the attribute. */
export type RewriteMap = Readonly<Record<string, string>>

/** How redirects are followed. */
export interface FollowRedirects {
  /** Redirects one request may take; the next is handed to the client. Default 5, at most 20. */
  readonly max?: number
  /**
   * Hosts beside the target's own that may be gone to, as `host` or `host:port`. Default: none. Who could steer the
   * proxy anywhere would see what only the proxy can reach.
   */
  readonly hosts?: readonly string[]
}

/**
 * What {@link createProxyServer}, `web()` and `ws()` take; what a call is given goes before what the server was given.
 * `null` is as good as left out. Unknown fields are left alone, since programs keep their own there.
 */
export interface ServerOptions {
  /** Where requests go. Without it `forward` must be given, with one of them at the latest by the call. */
  readonly target?: ProxyTarget | null
  /** Gets a copy of each request; its answers are thrown away. Alone, the client is answered by an empty 200. */
  readonly forward?: ProxyTargetUrl | null
  /** Connections to targets. Default: kept alive by the server's own agents; `false`: one connection for each request. */
  readonly agent?: Agent | false | null
  /** Makes `listen()` speak https: certificate and key, as of `https.createServer()`. */
  readonly ssl?: HttpsServerOptions | null
  /** Makes `listen()` pass WebSocket handshakes on. Default `false`. */
  readonly ws?: boolean | null
  /**
   * Tells the target about the client by X-Forwarded-For, -Port, -Proto and -Host. `true` replaces the whole family of
   * such fields, so that no client can tell tales; `'append'` believes and extends what came, as http-proxy does: only
   * behind a proxy of your own. Default `false`: fields of that family pass as they came.
   */
  readonly xfwd?: boolean | 'append' | null
  /** Verifies the target's certificate. `false` lets anybody on the way read and change everything. Default `true`. */
  readonly secure?: boolean | null
  /** The target is a proxy: the request's URL is passed whole, and proxy credentials go through. Default `false`. */
  readonly toProxy?: boolean | null
  /** Puts the target's path before the request's. Default `true`. */
  readonly prependPath?: boolean | null
  /** Leaves the request's path out: the target's is used for all. Default `false`. */
  readonly ignorePath?: boolean | null
  /** The local address to connect from. */
  readonly localAddress?: string | null
  /** Makes the Host field the target's. Default `false`: the client's passes. */
  readonly changeOrigin?: boolean | null
  /** Writes names of response fields with the target's upper and lower case. Default `false`: in lower case. */
  readonly preserveHeaderKeyCase?: boolean | null
  /** `user:password` for requests that have no Authorization of their own. */
  readonly auth?: string | null
  /** The host, with or without port, to put into Location of 201, 301, 302, 307 and 308 that name the target. */
  readonly hostRewrite?: string | null
  /** Puts the client's Host there. Default `false`. */
  readonly autoRewrite?: boolean | null
  /** Puts this scheme there. */
  readonly protocolRewrite?: 'http' | 'https' | null
  /** Domain attributes of cookies: one text for all, or by domain. Default `false`. */
  readonly cookieDomainRewrite?: false | string | RewriteMap | null
  /** Path attributes of cookies, in the same way. Default `false`. */
  readonly cookiePathRewrite?: false | string | RewriteMap | null
  /** Fields to set in requests; fields that frame a message are refused. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>> | null
  /** Milliseconds in which nothing comes from the target; 0 for ever. Default 120,000 up to the response's head and no limit behind it. */
  readonly proxyTimeout?: number | null
  /** Milliseconds in which nothing moves on the client's connection, which is then closed. Default: the server's. */
  readonly timeout?: number | null
  /** Milliseconds in which nothing moves in a tunnel; 0 for ever. Default 3,600,000. Ours. */
  readonly tunnelTimeout?: number | null
  /** Follows redirects instead of handing them to the client. Default `false`. */
  readonly followRedirects?: boolean | FollowRedirects | null
  /** Answering is up to the `proxyRes` listener. Default `false`. */
  readonly selfHandleResponse?: boolean | null
  /** The request's body instead of the request itself, which somebody has read already. */
  readonly buffer?: NodeJS.ReadableStream | null
  /** The method to use instead of the request's. */
  readonly method?: string | null
  /** Certificates that the target's must come from; `target.ca` goes before it. */
  readonly ca?: TlsMaterial | null
  /** The time; for tests. Ours. */
  readonly clock?: Clock | null
}
