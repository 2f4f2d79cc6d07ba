/**
 * HTTP load balancing: HTTP/1.1 and HTTP/2, routing with ACLs, policies, filters.
 *
 * @packageDocumentation
 */
export type { ReusePolicy, UpstreamOptions } from './backend/upstream-options.ts'
export { httpExchangeChannel } from './channels.ts'
export type { H2Options } from './client/h2/h2-options.ts'
export type { BodySink, BodyTransform, BodyTransformer } from './exchange/body-transform.ts'
export type { ConnectionFacts } from './exchange/connection-facts.ts'
export type { ErrorPage, ErrorPages } from './exchange/error-pages.ts'
export type { Exchange } from './exchange/exchange.ts'
export {
  ExchangeError,
  type ExchangeErrorCode,
  type ExchangeErrorInit,
  type ExchangePhase,
} from './exchange/exchange-error.ts'
export type {
  ExchangeEndedBy,
  ExchangeRecord,
  ExchangeTimes,
} from './exchange/exchange-record.ts'
export type { FieldEditor, RequestEditor, ResponseEditor } from './exchange/field-editor.ts'
export type { HttpFilter } from './exchange/http-filter.ts'
export type { HttpRequest, HttpVersion } from './exchange/http-request.ts'
export type { Drop, Reply, Verdict } from './exchange/reply.ts'
export type { ExchangeTimeouts } from './exchange/timeouts.ts'
export type { ClaimRule } from './filters/auth/claim-rule.ts'
export { type Claims, claimOf, claimsOf } from './filters/auth/claims.ts'
export type { JwtKeyOptions } from './filters/auth/key-option.ts'
export { hashPassword, type PasswordHashOptions } from './filters/auth/password.ts'
export type { TokenSource } from './filters/auth/token-source.ts'
export { type BandwidthOptions, bandwidth } from './filters/bandwidth.ts'
export {
  type BasicAuthOptions,
  type BasicPassword,
  basicAuth,
  userOf,
} from './filters/basic-auth.ts'
export { type ResponseLimitOptions, responseLimit } from './filters/body-limit.ts'
export {
  type BufferRequest,
  type BufferRequestOptions,
  bufferRequest,
} from './filters/buffer-request.ts'
export type { CircuitCause, CircuitState, CircuitTransition } from './filters/circuit/circuit.ts'
export type { CircuitStatus } from './filters/circuit/circuit-table.ts'
export {
  type CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitEvent,
  type CircuitOpenRules,
  type CircuitThresholds,
  circuitBreaker,
} from './filters/circuit-breaker.ts'
export { negotiateCoding } from './filters/compression/negotiate.ts'
export { type ContentCoding, supportedCodings } from './filters/compression/zlib-transform.ts'
export { type Compression, type CompressionOptions, compression } from './filters/compression.ts'
export {
  type ConcurrencyLimit,
  type ConcurrencyLimitOptions,
  type ConcurrencyQueueOptions,
  concurrencyLimit,
} from './filters/concurrency-limit.ts'
export { type CorsOptions, cors } from './filters/cors.ts'
export type { ErrorPageMap, PageForms, PageSource } from './filters/error-pages/error-page-map.ts'
export { type ErrorPageFilter, type ErrorPageOptions, errorPages } from './filters/error-pages.ts'
export {
  type FaultAbort,
  type FaultDelay,
  type FaultInjection,
  type FaultInjectionOptions,
  faultInjection,
} from './filters/fault-injection.ts'
export type { FieldRecord } from './filters/field-option.ts'
export {
  type AuthAnswer,
  type AuthQuestion,
  type AuthService,
  type ForwardAuth,
  type ForwardAuthOptions,
  forwardAuth,
} from './filters/forward-auth.ts'
export { type HstsOptions, hsts } from './filters/hsts.ts'
export { type HttpsRedirectOptions, httpsRedirect } from './filters/https-redirect.ts'
export { type IpAccessOptions, ipAccess } from './filters/ip-access.ts'
export { type JwtAuthOptions, jwtAuth } from './filters/jwt-auth.ts'
export {
  type LoadPriority,
  type LoadShedding,
  type LoadSheddingOptions,
  loadShedding,
} from './filters/load-shedding.ts'
export {
  type EventLoopDelayOptions,
  eventLoopDelay,
  type LoadSignal,
} from './filters/load-signal.ts'
export {
  type HttpMirrorSenderOptions,
  httpMirrorSender,
} from './filters/mirror/http-mirror-sender.ts'
export type {
  MirrorCall,
  MirrorOutcome,
  MirrorOver,
  MirrorRequest,
  MirrorSender,
} from './filters/mirror/mirror-sender.ts'
export { type Mirror, type MirrorCounts, type MirrorOptions, mirror } from './filters/mirror.ts'
export type { CookieValueKind } from './filters/persistence/cookie-value.ts'
export { type HashKey, type HashKeys, keyFrom } from './filters/persistence/hash-key.ts'
export {
  type HeaderPersistenceOptions,
  headerPersistence,
} from './filters/persistence/header-persistence.ts'
export {
  type InsertedCookieOptions,
  insertedCookie,
} from './filters/persistence/inserted-cookie.ts'
export { type LearnedCookieOptions, learnedCookie } from './filters/persistence/learned-cookie.ts'
export type { Secret } from './filters/persistence/secret-option.ts'
export type { SessionPersistence } from './filters/persistence/session-persistence.ts'
export type { SessionEntry } from './filters/persistence/session-table.ts'
export type { RateStore, WhenFull } from './filters/rate-limit/limiter-store.ts'
export type { RateFields } from './filters/rate-limit/rate-fields.ts'
export type { RateAlgorithmName, RateDecision, RateRule } from './filters/rate-limit/rate-rule.ts'
export {
  type RateLimit,
  type RateLimitOptions,
  type RateQueueOptions,
  rateLimit,
} from './filters/rate-limit.ts'
export type { RefusalOptions } from './filters/refusal.ts'
export { type RequestIdOptions, requestId } from './filters/request-id.ts'
export type { ClientKey, RequestKey, WhenKeyAbsent } from './filters/request-key.ts'
export type { CookieRewriteOptions } from './filters/rewrite-location/cookie-rules.ts'
export type { LocationMap } from './filters/rewrite-location/location-rules.ts'
export type { PathMap } from './filters/rewrite-location/url-text.ts'
export { type RewriteLocationOptions, rewriteLocation } from './filters/rewrite-location.ts'
export type { CertificateField } from './gate/certificate-lines.ts'
export type { ForwardedField, ForwardingOptions } from './gate/forwarding-options.ts'
export type { GateOptions } from './gate/gate-options.ts'
export type { TrustOptions } from './gate/trusted-client.ts'
export {
  type HttpBalancer,
  type HttpBalancerEvents,
  type HttpCutFilter,
  httpBalancer,
} from './http-balancer.ts'
export type { HttpStats } from './http-counters.ts'
export type {
  Http2Options,
  HttpBalancerOptions,
  HttpLimits,
  HttpReconfiguration,
} from './http-options.ts'
export type { InjectedRequest, InjectedResponse } from './inject.ts'
export {
  type AccessLog,
  type AccessLogOptions,
  accessLog,
  type LogFormatName,
} from './observe/access-log.ts'
export type { AliasOptions, AliasSet } from './observe/alias-metrics.ts'
export {
  type BufferedSink,
  type BufferedSinkOptions,
  bufferedSink,
  type LineStream,
} from './observe/buffered-sink.ts'
export { combinedLine, commonLine, type LogUser } from './observe/common-line.ts'
export { type HaproxyLineOptions, haproxyLine } from './observe/haproxy-line.ts'
export { type HttpMetrics, type HttpMetricsOptions, httpMetrics } from './observe/http-metrics.ts'
export { type JsonFieldsOption, jsonFields, jsonLine } from './observe/json-line.ts'
export { latencyBuckets } from './observe/latency-buckets.ts'
export { type LatencyHistogram, latencyHistogram } from './observe/latency-histogram.ts'
export type { LogLine } from './observe/log-line.ts'
export type { LogSink } from './observe/log-sink.ts'
export { type LogReader, type LogValue, logVariableNames } from './observe/log-variable.ts'
export type { MetricLimits } from './observe/metric-limits.ts'
export type { RandomBytes } from './observe/random-ids.ts'
export {
  type ServerTimingOptions,
  type ServerTimingPhase,
  serverTiming,
} from './observe/server-timing.ts'
export { templateLine } from './observe/template-line.ts'
export { terminationState } from './observe/termination-state.ts'
export {
  parseTraceParent,
  readTraceState,
  type TraceParent,
  traceParentText,
} from './observe/trace-context.ts'
export { type TracePlace, traceOf } from './observe/trace-of.ts'
export type { SpanAttribute, SpanStart, TracerPort, TraceSpan } from './observe/tracer.ts'
export { type Tracing, type TracingOptions, tracing } from './observe/tracing.ts'
export {
  type TrafficRow,
  type TrafficSnapshot,
  type TrafficTable,
  type TrafficTableOptions,
  trafficTable,
} from './observe/traffic-table.ts'
export type {
  Action,
  AnswerAction,
  FieldChanges,
  ForwardAction,
  ForwardOptions,
  ForwardTarget,
  RetryOptions,
  Rewrite,
  Template,
  WeightedPool,
} from './routing/action.ts'
export { all, always, any, not } from './routing/combine.ts'
export { forward } from './routing/forward.ts'
export { type LinearRegex, type LinearRegexOptions, linearRegex } from './routing/linear-regex.ts'
export { clientIn, peerIn, port, scheme } from './routing/match-connection.ts'
export { cookie, type HeaderMatchOptions, header, method, query } from './routing/match-fields.ts'
export { type GrpcCall, grpc } from './routing/match-grpc.ts'
export { host, hostText } from './routing/match-host.ts'
export {
  fileType,
  path,
  pathPrefix,
  pathRegex,
  pathSuffix,
  pathText,
} from './routing/match-path.ts'
export {
  type ClientCertificateOptions,
  clientCertificate,
  type DistinguishedNameOptions,
  distinguishedName,
  serverName,
  verifyResult,
} from './routing/match-tls.ts'
export {
  type OctaviaOptions,
  type OctaviaPolicy,
  type OctaviaPolicyAction,
  type OctaviaPools,
  octaviaPolicies,
} from './routing/octavia-policy.ts'
export type { OctaviaCompareType, OctaviaRule, OctaviaRuleType } from './routing/octavia-rule.ts'
export type { PathForm } from './routing/path-pattern.ts'
export {
  type RedirectOptions,
  type RedirectStatus,
  redirect,
  redirectPrefix,
  redirectScheme,
} from './routing/redirect.ts'
export {
  drop,
  handle,
  type MaintenanceOptions,
  maintenance,
  type RespondOptions,
  reject,
  respond,
  tarpit,
} from './routing/respond.ts'
export {
  type Match,
  type Matcher,
  type Predicate,
  type Route,
  type RouteEntry,
  type RouteOptions,
  type RouteOrder,
  type Router,
  type RouteTrial,
  route,
} from './routing/route.ts'
export {
  type CompiledTemplate,
  constantText,
  fieldText,
  rendered,
  type TemplatePart,
  template,
  templateParts,
} from './routing/template.ts'
export type {
  Variable as TemplateVariable,
  VariableKind as TemplateVariableKind,
  VariableReader as TemplateVariableReader,
} from './routing/template-variables.ts'
export {
  between,
  contains,
  endsWith,
  equals,
  matches,
  oneOf,
  present,
  startsWith,
  type TextTest,
  type TextTestInit,
  type TextTestOptions,
} from './routing/text-test.ts'
