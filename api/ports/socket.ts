// A WebSocket as both platforms give it to us, and how a handler gets one.

import type { Identity } from '../registry/context.ts'

export interface Socket {
  send(data: string | Uint8Array): void
  close(code?: number, reason?: string): void
  /** Bytes accepted but not yet on the wire, where the platform tells. */
  buffered(): number
  onMessage(handler: (data: string | Uint8Array) => void): void
  onClose(handler: () => void): void
  /** Stops reading, so that the peer is held back; where the platform can. */
  pause?(): void
  resume?(): void
}

/** A protocol whose bytes are a SPDY session: inside a WebSocket that offers the whole name, or after an `Upgrade: SPDY/3.1` with what follows the prefix as its stream protocol. */
export const SPDY = 'SPDY/3.1+'

interface Upgrade {
  protocol: string
  /** Turns the request into a socket. Until then it can be refused like any other. */
  accept(): { response: Response; socket: Promise<Socket> }
}

/** What the platform hands to handlers besides the request. */
export interface Connection {
  /** The first of `protocols` that the client offers to go on with, and how it is taken up; undefined when it is no upgrade. */
  upgrade?: (protocols: string[]) => Upgrade | undefined
  /** Where the client is, for the audit trail. */
  address?: string
  /** The certificate (DER) that the client proved to hold, and its fingerprint. Whether it is to be trusted is not said. */
  certificate?: { id: string; der: Uint8Array }
  /** Who asks, where a door before the app has found out already. */
  identity?: Identity
  /** Told when a socket has become the session of a node. */
  opened?: (node: string, socket: Socket) => void
}
