// The hub port: whoever fans the log out to watchers and node sessions, in this process or in the cluster's Durable Object.
import type { Selector } from '../../shared/meta/selector.ts'
import type { NodeFetch, StreamRequest } from '../../shared/session/frames.ts'
import type { LogEvent } from '../store/store.ts'

export type Encoding = 'object' | 'table' | 'partial'

export interface WatchRequest {
  resource: string
  /** The version to show objects in, where it is not the stored one. */
  as?: { group: string; version: string; plural: string }
  ns?: string
  labels?: Selector
  fields?: Selector
  /** Events after this version; the caller has answered what came before. */
  rv: number
  bookmarks: boolean
  timeoutMs: number
  encoding: Encoding
  /** Objects inside table rows: whole ones only when asked for. */
  includeObject?: 'None' | 'Metadata' | 'Object'
  /** Lines to send before the first event, already encoded. */
  first?: Uint8Array[]
}

/** Two byte streams and an end, however they travel. Channels number what flows: 0 stdin, 1 stdout, 2 stderr, 3 error, 4 resize. */
export interface Duplex {
  send(channel: number, bytes: Uint8Array): void | Promise<void>
  /** Ends both directions; `status` is the Status JSON of how it ended. */
  close(status?: string): void
  onData(handler: (channel: number, bytes: Uint8Array) => void | Promise<void>): void
  onClose(handler: (status?: string) => void): void
}

/** An HTTP request into the cluster: to the first of these that can be reached. */
export interface NodeCall extends Omit<NodeFetch, 'kind' | 'address' | 'port'> {
  /** `node`: whose daemon is to dial; any, where it is not said. */
  targets: { node?: string; address: string; port: number }[]
  body?: Uint8Array | ReadableStream<Uint8Array>
}

export interface Hub {
  /** Told of a commit; a lost call loses nothing, the log fills the gap. */
  publish(event: LogEvent): void
  watch(request: WatchRequest): ReadableStream<Uint8Array> | Promise<ReadableStream<Uint8Array>>
  /** A stream to the daemon of a node; throws 503 when no session is open. */
  open(node: string, request: StreamRequest): Promise<Duplex>
  /** Has a daemon make an HTTP request. Throws 503 when nobody can, and 504 when nothing answers. */
  reach(call: NodeCall): Promise<Response>
  /** Nodes with an open session. */
  connected(): string[] | Promise<string[]>
}
