import { writeSync } from 'node:fs'
import { type Server, Socket } from 'node:net'
import { constants as os } from 'node:os'
import type { SocketAddress } from '@steelyard/core'
import { hiddenReset, isHiddenReset } from './hidden-reset.ts'
import type { ReadBuffer } from './read-buffer.ts'
import { SendQueue } from './send-queue.ts'
import { ipAddress, type RawAddress, unnamed, unnamedUnix } from './socket-address.ts'
import type { Wire, WireOwner, WireTarget } from './wire.ts'

// The only file that knows what lies under `net.Socket`. A connection here is libuv's handle with one
// small object instead of a Duplex, which makes setting it up nearly twice as cheap. Everything is taken
// from public objects and checked by `handleKit`; where anything is not as expected, the transport runs
// on `net.Socket` alone.

/** libuv's TCP or pipe handle as Node wraps it. */
interface Handle {
  readonly fd: number
  readonly writeQueueSize: number
  onread: unknown
  readStart(): number
  readStop(): number
  useUserBuffer(buffer: Uint8Array): void
  writeBuffer(request: Request | null, bytes: Uint8Array): number | Request
  shutdown(request: Request): number
  close(done: (this: Handle) => void): void
  reset?(done: (this: Handle) => void): number
  bind?(address: string, port: number, flags?: number): number
  bind6?(address: string, port: number, flags?: number): number
  connect(request: Request, address: string, port?: number): number
  connect6?(request: Request, address: string, port: number): number
  getsockname?(into: RawAddress): number
  getpeername?(into: RawAddress): number
  setNoDelay?(on: boolean): number
  setKeepAlive?(on: boolean, delaySeconds: number): number
  [owner: symbol]: unknown
}

/** One write, connect or shutdown under way; Node calls `oncomplete` on it. */
interface Request {
  oncomplete: (this: Request, status: number) => void
  handle?: Handle
  wire?: HandleWire
  /** Keeps the bytes from the collector while libuv points at them. */
  buffer?: Uint8Array
}

type HandleClass = new (type: number) => Handle
type RequestClass = new () => Request

/** What was found under `net.Socket`. */
export interface HandleKit {
  readonly Tcp: HandleClass
  readonly Pipe: HandleClass
  /** Undefined where the handle makes the request itself (Node 26). */
  readonly WriteRequest: RequestClass | undefined
  readonly ShutdownRequest: RequestClass
  readonly TcpConnectRequest: RequestClass
  readonly PipeConnectRequest: RequestClass
  /** Under this symbol a handle keeps its owner. */
  readonly owner: symbol
  /** Node's own reader, which knows how many bytes came and calls the owner. */
  readonly onread: unknown
  /** The close callback of every handle. */
  readonly closed: (this: Handle) => void
}

/** The type number of a handle that connects or was accepted, in every version of Node. */
const plainSocket = 0
const ignore = (): void => {}

/** One connection on a bare handle. */
export class HandleWire implements Wire {
  readonly shared: ReadBuffer
  readonly #kit: HandleKit
  readonly #owner: WireOwner
  readonly #noDelay: boolean
  #handle: Handle | undefined
  #fd = -1
  /** Seconds of silence before probes; 0 for none. */
  #keepAlive = 0
  /** The write that libuv has not finished; while there is one, everything else waits in the queue. */
  #request: Request | undefined = undefined
  #queue: SendQueue | undefined = undefined
  #usesBuffer = false
  #finishing = false
  #last = false
  #shutting = false
  #resetting = false

  constructor(
    kit: HandleKit,
    owner: WireOwner,
    shared: ReadBuffer,
    noDelay: boolean,
    accepted?: object,
  ) {
    this.#kit = kit
    this.#owner = owner
    this.shared = shared
    this.#noDelay = noDelay
    this.#handle = accepted as Handle | undefined
    if (this.#handle !== undefined) this.#take(this.#handle)
  }

  get pending(): number {
    if (this.#request === undefined) return 0
    return this.#handle!.writeQueueSize + (this.#queue?.size ?? 0)
  }

  connect(target: WireTarget): void {
    const kit = this.#kit
    const { family, keepAliveMs } = target
    this.#keepAlive = keepAliveMs > 0 ? Math.max(1, Math.round(keepAliveMs / 1000)) : 0
    if (this.#handle !== undefined) {
      this.#handle[kit.owner] = undefined
      this.#handle.close(ignore)
    }
    const handle = new (family === 'unix' ? kit.Pipe : kit.Tcp)(plainSocket)
    this.#handle = handle
    handle[kit.owner] = this
    const request = new (family === 'unix' ? kit.PipeConnectRequest : kit.TcpConnectRequest)()
    request.handle = handle
    request.wire = this
    request.oncomplete = connected
    try {
      const status = begin(handle, request, target)
      if (status !== 0) this.#owner.wireFailed(status, 'connect')
    } catch (error) {
      // Node's permission model throws.
      this.#owner.wireFailed(error, 'connect')
    }
  }

  connectDone(handle: Handle, status: number): void {
    // An attempt that was given up for the next address still reports.
    if (handle !== this.#handle || handle[this.#kit.owner] !== this) return
    if (status < 0) return this.#owner.wireFailed(status, 'connect')
    this.#take(handle)
    // Before the connect there is no socket that would remember the delay.
    if (this.#keepAlive > 0) handle.setKeepAlive?.(true, this.#keepAlive)
    this.#owner.wireOpened()
  }

  write(bytes: Uint8Array): boolean {
    if (this.#request !== undefined) {
      this.#queue ??= new SendQueue()
      this.#queue.append(bytes)
      return false
    }
    const length = bytes.length
    if (length === 0) return true
    const taken = this.#offer(bytes)
    if (taken === length) return true
    if (taken < 0) return false
    const rest = Buffer.allocUnsafeSlow(length - taken)
    rest.set(taken === 0 ? bytes : bytes.subarray(taken))
    return this.#send(rest)
  }

  writeDone(request: Request, status: number): void {
    if (this.#request !== request) return
    this.#request = undefined
    if (status < 0) return this.#owner.wireFailed(status, 'write')
    this.#flush()
  }

  finish(last: boolean): void {
    this.#finishing = true
    this.#last = last
    if (this.#request === undefined) this.#sendFin()
  }

  finishDone(): void {
    this.#shutting = false
    if (this.#resetting) this.reset()
    else this.#owner.wireFinished()
  }

  readStart(): void {
    const handle = this.#handle!
    if (!this.#usesBuffer) {
      // Not before somebody reads: a handle that is given to TLS unread is then as Node made it.
      this.#usesBuffer = true
      handle.onread = this.#kit.onread
      handle.useUserBuffer(this.shared.bytes)
    }
    const status = handle.readStart()
    if (status < 0) this.#owner.wireFailed(status, 'read')
  }

  readStop(): void {
    this.#handle!.readStop()
  }

  close(): void {
    this.#leave()
    this.#handle!.close(this.#kit.closed)
  }

  reset(): void {
    this.#leave()
    const handle = this.#handle!
    const { closed } = this.#kit
    // libuv refuses to reset while it shuts down, which takes one turn of the loop.
    if (this.#shutting) {
      this.#resetting = true
      return
    }
    if (handle.reset === undefined || handle.reset(closed) !== 0) handle.close(closed)
  }

  closeDone(): void {
    this.#owner.wireClosed()
  }

  local(): SocketAddress {
    const handle = this.#handle
    if (handle?.getsockname === undefined) return unnamedUnix
    const raw: RawAddress = {}
    return handle.getsockname(raw) === 0 ? ipAddress(raw) : unnamed
  }

  remote(): SocketAddress {
    const handle = this.#handle
    if (handle?.getpeername === undefined) return unnamedUnix
    const raw: RawAddress = {}
    return handle.getpeername(raw) === 0 ? ipAddress(raw) : unnamed
  }

  detach(): Socket {
    const handle = this.#handle!
    const queue = this.#queue
    handle.readStop()
    this.#leave()
    // A handle that has read into our buffer keeps handing out lengths instead of buffers, so that the
    // socket needs a buffer of its own, whose bytes it then queues as any socket does.
    const onread = this.#usesBuffer ? ownBuffer(this.shared.bytes.length) : undefined
    const socket: Socket = new Socket({
      handle,
      allowHalfOpen: true,
      manualStart: true,
      ...(onread === undefined ? {} : { onread }),
    } as object)
    for (let chunk = queue?.shift(); chunk !== undefined; chunk = queue?.shift())
      socket.write(chunk)
    socket.pause()
    return socket
  }

  /** `onStreamRead`: the peer's FIN. */
  push(): void {
    if (isHiddenReset(this.#fd)) this.#owner.wireFailed(hiddenReset, 'read')
    else this.#owner.wireEnded()
  }

  /** `onStreamRead` asks for more after the FIN. */
  read(): void {}

  /** `onStreamRead`: reading failed. */
  destroy(failure: unknown): void {
    this.#owner.wireFailed(failure, 'read')
  }

  /** `onStreamRead`: `length` bytes are in the shared buffer. */
  received(length: number): void {
    this.#owner.wireRead(this.shared.first(length))
  }

  /** The descriptor's number may be another connection's from now on: nothing may be written to it. */
  #leave(): void {
    this.#fd = -1
    this.#request = undefined
    this.#queue = undefined
  }

  #take(handle: Handle): void {
    handle[this.#kit.owner] = this
    this.#fd = handle.fd
    if (this.#noDelay) handle.setNoDelay?.(true)
  }

  /** What the kernel takes at once; -1 when the connection failed over it. */
  #offer(bytes: Uint8Array): number {
    try {
      return writeSync(this.#fd, bytes, 0, bytes.length)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
      this.#owner.wireFailed(error, 'write')
      return -1
    }
  }

  /** Lets libuv send what the kernel has no room for now; the bytes are ours. True when they went at once. */
  #send(bytes: Uint8Array): boolean {
    const handle = this.#handle!
    const { WriteRequest } = this.#kit
    let request: Request
    if (WriteRequest === undefined) {
      const answer = handle.writeBuffer(null, bytes)
      if (typeof answer === 'number') {
        if (answer === 0) return true
        this.#owner.wireFailed(answer, 'write')
        return false
      }
      request = answer
      this.#prepare(request, handle, bytes)
    } else {
      request = new WriteRequest()
      this.#prepare(request, handle, bytes)
      const status = handle.writeBuffer(request, bytes) as number
      if (status !== 0) {
        this.#owner.wireFailed(status, 'write')
        return false
      }
    }
    // Nothing queued: the bytes are gone, and whatever the request still reports is old news.
    if (handle.writeQueueSize === 0) return true
    this.#request = request
    return false
  }

  #prepare(request: Request, handle: Handle, bytes: Uint8Array): void {
    request.handle = handle
    request.wire = this
    request.buffer = bytes
    request.oncomplete = written
  }

  #flush(): void {
    for (let chunk = this.#queue?.shift(); chunk !== undefined; chunk = this.#queue?.shift()) {
      const taken = this.#offer(chunk)
      if (taken < 0) return
      if (taken < chunk.length && !this.#send(chunk.subarray(taken))) return
    }
    if (this.#finishing) this.#sendFin()
    this.#owner.wireDrained()
  }

  #sendFin(): void {
    if (this.#last) return this.#owner.wireFinished()
    const handle = this.#handle!
    const request = new this.#kit.ShutdownRequest()
    request.handle = handle
    request.wire = this
    request.oncomplete = finished
    this.#shutting = true
    const status = handle.shutdown(request)
    if (status !== 0) {
      // 1: done already. ENOTCONN: the peer reset meanwhile, which reading will tell.
      this.#shutting = false
      this.#owner.wireFinished()
    }
  }
}

/** Starts a connect; a negative errno when it fails at once. */
function begin(handle: Handle, request: Request, target: WireTarget): number {
  const { address, port, family, localAddress, localPort } = target
  if (family === 'unix') return handle.connect(request, address) ?? 0
  if (localAddress !== undefined || localPort !== 0) {
    const status = bindLocal(handle, family, localAddress, localPort)
    if (status !== 0) return status
  }
  return family === 4
    ? handle.connect(request, address, port)
    : handle.connect6!(request, address, port)
}

/** Binds before connecting; libuv would report a port that is taken only by choosing another one. */
function bindLocal(
  handle: Handle,
  family: 4 | 6,
  localAddress: string | undefined,
  localPort: number,
): number {
  const status =
    family === 4
      ? handle.bind!(localAddress ?? '0.0.0.0', localPort)
      : handle.bind6!(localAddress ?? '::', localPort, 0)
  if (status !== 0 || localPort === 0) return status
  const raw: RawAddress = {}
  const known = handle.getsockname!(raw)
  if (known !== 0) return known
  return raw.port === localPort ? 0 : addressInUse
}

const addressInUse = -os.errno.EADDRINUSE

function connected(this: Request, status: number): void {
  this.wire!.connectDone(this.handle!, status)
}

function written(this: Request, status: number): void {
  this.wire!.writeDone(this, status)
}

function finished(this: Request): void {
  this.wire!.finishDone()
}

/** A read buffer for a socket that takes over a handle which has read into ours. */
function ownBuffer(size: number): object {
  return {
    buffer: Buffer.allocUnsafeSlow(Math.min(size, 65_536)),
    callback(this: Socket, length: number, buffer: Uint8Array): boolean {
      return this.push(Buffer.from(buffer.subarray(0, length)))
    },
  }
}

/** The descriptor under a socket or handle, or -1 where there is none to see. */
export function descriptorOf(holder: object): number {
  const { fd } = ((holder as { _handle?: object })._handle ?? holder) as { fd?: unknown }
  return typeof fd === 'number' ? fd : -1
}

/** Takes accepted handles from a listening server before it makes sockets of them. */
export function takeAccepted(
  server: Server,
  accepted: (status: number, handle: object | undefined) => void,
): void {
  const listening = (server as unknown as { _handle: { onconnection: unknown } })._handle
  listening.onconnection = accepted
}

/** Closes a handle that nobody will own; the peer sees a reset. */
export function refuse(handle: object): void {
  const bare = handle as Handle
  if (bare.reset === undefined || bare.reset(ignore) !== 0) bare.close(ignore)
}

let found: HandleKit | Error | undefined

/**
 * Looks under `net.Socket`, once for the process: what is needed, or the reason why it cannot be used.
 * Nothing is sent or opened: sockets are handed stand-ins for handles, and what they call is noted.
 */
export function handleKit(): HandleKit | Error {
  found ??= look()
  return found
}

function look(): HandleKit | Error {
  try {
    const { Tcp, owner, onread } = lookAtHandle()
    const kit: HandleKit = {
      Tcp,
      Pipe: lookAtPipe(),
      WriteRequest: requestClass('writeBuffer', (socket) => {
        socket._write(Buffer.from('x'), 'buffer' as BufferEncoding, ignore)
      }),
      ShutdownRequest: required('shutdown', (socket) => socket._final(ignore)),
      TcpConnectRequest: required('connect', (socket) => {
        socket.connect({
          host: 'steelyard.invalid',
          port: 1,
          autoSelectFamily: false,
          lookup: (_name, _options, done) => done(null, '127.0.0.1', 4),
        })
      }),
      PipeConnectRequest: required('connect', (socket) => {
        socket.connect({ path: '/' })
      }),
      owner,
      onread,
      closed(this: Handle) {
        ;(this[owner] as HandleWire | undefined)?.closeDone()
      },
    }
    return kit
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

function lookAtHandle(): { Tcp: HandleClass; owner: symbol; onread: unknown } {
  const socket = new Socket({ onread: { buffer: new Uint8Array(1), callback: () => true } })
  // Makes the handle now and would connect in the next tick, when the socket is long destroyed.
  socket.connect({ host: '127.0.0.1', port: 1 })
  const handle = (socket as unknown as { _handle: Handle })._handle
  const owner = symbolOf(handle, 'owner_symbol')
  const { onread } = handle
  const missing = [
    ...['readStart', 'readStop', 'useUserBuffer', 'writeBuffer', 'shutdown', 'close', 'reset'],
    ...[
      'bind',
      'bind6',
      'connect',
      'connect6',
      'getsockname',
      'getpeername',
      'setNoDelay',
      'setKeepAlive',
    ],
  ].filter((name) => typeof (handle as unknown as Record<string, unknown>)[name] !== 'function')
  if (typeof onread !== 'function') missing.push('onread')
  if (typeof handle.writeQueueSize !== 'number') missing.push('writeQueueSize')
  if (typeof handle.fd !== 'number') missing.push('fd')
  dressAsOwner(socket)
  socket.destroy()
  if (missing.length > 0) throw new Error(`the TCP handle has no ${missing.join(', ')}`)
  return { Tcp: handle.constructor as HandleClass, owner, onread }
}

/** Gives {@link HandleWire} what Node's reader looks for in the owner of a handle. */
function dressAsOwner(socket: Socket): void {
  const members: [string | symbol, PropertyDescriptor][] = [
    ['destroyed', { value: false }],
    ['_readableState', { value: Object.freeze({ endEmitted: false }) }],
    [symbolOf(socket, 'kUpdateTimer'), { value: ignore }],
    [
      symbolOf(socket, 'kBuffer'),
      {
        get(this: HandleWire) {
          return this.shared.bytes
        },
      },
    ],
    [symbolOf(socket, 'kBufferGen'), { value: null }],
    [
      symbolOf(socket, 'kBufferCb'),
      {
        value(this: HandleWire, length: number) {
          this.received(length)
        },
      },
    ],
  ]
  for (const [name, member] of members) {
    Object.defineProperty(HandleWire.prototype, name, { ...member, configurable: true })
  }
}

function lookAtPipe(): HandleClass {
  const socket = new Socket()
  // The connect fails later on a path that cannot be; nobody is interested.
  socket.on('error', ignore)
  socket.connect({ path: '/dev/null/none' })
  const handle = (socket as unknown as { _handle: Handle | null })._handle
  socket.destroy()
  if (handle === null) throw new Error('the pipe handle cannot be seen')
  return handle.constructor as HandleClass
}

function required(method: 'shutdown' | 'connect', provoke: (socket: Socket) => void): RequestClass {
  const request = requestClass(method, provoke)
  if (request === undefined) throw new Error(`${method} is called without a request`)
  return request
}

/** The class of request that a socket passes to one method of its handle. */
function requestClass(
  method: 'writeBuffer' | 'shutdown' | 'connect',
  provoke: (socket: Socket) => void,
): RequestClass | undefined {
  let called = false
  let request: unknown
  const standIn = {
    readStart: () => 0,
    readStop: () => 0,
    close: ignore,
    [method](first: unknown) {
      called = true
      request = first
      return 0
    },
  }
  const socket = new Socket({ handle: standIn, manualStart: true } as object)
  socket.on('error', ignore)
  provoke(socket)
  socket.destroy()
  if (!called) throw new Error(`a socket does not call ${method} of its handle`)
  return request === null ? undefined : ((request as object).constructor as RequestClass)
}

function symbolOf(holder: object, description: string): symbol {
  for (
    let at: object | null = holder;
    at !== null;
    at = Object.getPrototypeOf(at) as object | null
  ) {
    const symbol = Object.getOwnPropertySymbols(at).find((each) => each.description === description)
    if (symbol !== undefined) return symbol
  }
  throw new Error(`no symbol ${description} is to be seen`)
}
