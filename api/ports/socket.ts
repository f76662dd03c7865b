// A WebSocket as both platforms give it to us, and how a handler gets one.

import type { Identity } from '../registry/context.ts'

export interface Socket {
  send(data: string | Uint8Array): void
  close(code?: number, reason?: string): void
  /** Bytes accepted but not yet on the wire, where the platform tells. */
  buffered(): number
  onMessage(handler: (data: string | Uint8Array) => void): void
  onClose(handler: () => void): void
}

/** What the platform hands to handlers besides the request. */
export interface Connection {
  /** Turns the request into a WebSocket speaking the first of `protocols` that the client offers; undefined when it is no upgrade. */
  upgrade?: (protocols: string[]) => { response: Response; protocol: string; accepted: Promise<Socket> } | undefined
  /** Where the client is, for the audit trail. */
  address?: string
  /** Who asks, where a door before the app has found out already. */
  identity?: Identity
  /** Told when a socket has become the session of a node. */
  opened?: (node: string, socket: Socket) => void
}
