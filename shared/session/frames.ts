// The node session's frames. Text frames are JSON control messages; binary frames carry stream data: u32 stream id, u8 channel, bytes.
// The daemon dials; the hub opens streams; either side closes them. Credit bounds what a slow reader can pile up.

import type { Peer, PeerGroup } from './peers.ts'
import type { RouteChange } from './routes.ts'

/** What a stream does at the node. */
export type StreamRequest = PodStream | NodeFetch

/** What is about one pod. */
type PodStream =
  | {
      kind: 'exec'
      namespace: string
      pod: string
      uid: string
      container: string
      command: string[]
      stdin: boolean
      stdout: boolean
      stderr: boolean
      tty: boolean
      /** The client speaks SPDY: its bytes are carried as they are, on the channels of stdin and stdout. */
      spdy?: boolean
    }
  | {
      kind: 'attach'
      namespace: string
      pod: string
      uid: string
      container: string
      stdin: boolean
      stdout: boolean
      stderr: boolean
      tty: boolean
      spdy?: boolean
    }
  | {
      kind: 'portforward'
      namespace: string
      pod: string
      uid: string
      spdy?: boolean
      /** Without SPDY: one pair of channels for each, data and errors. */
      ports: number[]
    }
  | {
      kind: 'logs'
      namespace: string
      pod: string
      uid: string
      container: string
      follow: boolean
      previous: boolean
      timestamps: boolean
      tailLines?: number
      sinceSeconds?: number
      sinceTime?: string
      limitBytes?: number
    }

/** An HTTP request that the daemon makes from its machine: to webhooks, aggregated APIs, whatever listens in the cluster. With port 0 it answers itself. */
export interface NodeFetch {
  kind: 'http'
  address: string
  port: number
  /** HTTPS, as this name, trusting this CA (PEM) alone where it is given, or whoever answers; with this certificate and key of ours (PEM). */
  tls?: { serverName: string; ca?: string; insecure?: boolean; cert?: string; key?: string }
  method: string
  path: string
  /** Several values of a name are sent as lines of their own. */
  headers: Record<string, string | string[]>
  /** How long it may take, the whole answer included; as long as it takes where absent. */
  timeoutMs?: number
}

/** The head of the answer to a NodeFetch, as JSON on the error channel; the body follows on stdout. */
export interface NodeAnswer {
  status: number
  headers: [name: string, value: string][]
}

/** From the daemon to the hub. */
export type DaemonFrame =
  /** Starts (or with `rv` resumes) a list+watch. Answered by `event`s and one `synced`. */
  | { t: 'subscribe'; id: number; resource: string; namespace?: string; name?: string; rv?: number }
  | { t: 'unsubscribe'; id: number }
  /** Wants to know where each node's pods are, and has a table of this hash (shared/session/routes.ts). Answered by `routes` where that is another. */
  | { t: 'routes'; have?: string }
  /** Wants to know who is in these groups and in no others, and has members of this hash (shared/session/peers.ts). Answered by `peers`. */
  | { t: 'peers'; groups: [id: number, group: PeerGroup, have: string][] }
  | { t: 'close'; stream: number; status?: string }
  | { t: 'credit'; stream: number; bytes: number }
  | { t: 'ping' }

/** From the hub to the daemon. */
export type HubFrame =
  /** `object` has kind and apiVersion; DELETED carries the last state. `replace` starts a new list: what is not in it is gone. */
  | { t: 'event'; id: number; type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: any }
  | { t: 'replace'; id: number }
  | { t: 'synced'; id: number; rv: number }
  | { t: 'refused'; id: number; message: string }
  /** Routes that have changed, with null for those that are gone; or the whole table. */
  | { t: 'routes'; whole: boolean; routes: readonly RouteChange[] }
  /** Members of groups that have come or changed, and the addresses of those that are gone; or all of them. */
  | { t: 'peers'; groups: [id: number, whole: boolean, members: Peer[], gone: string[]][] }
  | { t: 'open'; stream: number; request: StreamRequest }
  | { t: 'close'; stream: number; status?: string }
  | { t: 'credit'; stream: number; bytes: number }
  | { t: 'pong' }
  /** The hub has slept: say again what is subscribed, with the versions reached. */
  | { t: 'resubscribe' }

/** Bytes that may be under way on a stream before the receiver grants more. */
export const WINDOW = 256 * 1024

export const Channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4, closeStdin: 255 } as const

export function encodeData(stream: number, channel: number, bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(5 + bytes.length)
  new DataView(out.buffer).setUint32(0, stream)
  out[4] = channel
  out.set(bytes, 5)
  return out
}

export function decodeData(frame: Uint8Array): { stream: number; channel: number; bytes: Uint8Array } {
  if (frame.length < 5) throw new Error('short data frame')
  return { stream: new DataView(frame.buffer, frame.byteOffset).getUint32(0), channel: frame[4]!, bytes: frame.subarray(5) }
}
