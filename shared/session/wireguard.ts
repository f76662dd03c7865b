// What a node says of its WireGuard, on its Node and in the tables of routes: its public key, where others reach it if they do, and whether it is Ready.

/** On a Node: `KEY`, or `KEY HOST:PORT`. */
export const WIREGUARD = 'kedge.dev/wireguard'

export interface WireGuardPeer {
  /** A public key, base64. */
  key: string
  /** Where others reach it; without, it dials out alone. */
  endpoint?: string
  /** It may stand between two that do not reach each other. */
  ready: boolean
}

const KEY = /^[A-Za-z0-9+/]{43}=$/
/** A name, an address, or one of version 6 in brackets; with a port. It ends in a configuration. */
const ENDPOINT = /^([A-Za-z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\]):\d{1,5}$/

/** Whether others can be told of it. */
export const isEndpoint = (text: string): boolean => ENDPOINT.test(text) && Number(text.slice(text.lastIndexOf(':') + 1)) < 65_536

/** For a table of routes: what the annotation says, and of those that may stand between others whether they can. Undefined for what is no such annotation. */
export function wireguardText(annotation: string | undefined, ready: boolean): string | undefined {
  const [key = '', endpoint, ...more] = annotation?.split(' ') ?? []
  if (!KEY.test(key) || more.length || (endpoint !== undefined && !isEndpoint(endpoint))) return undefined
  // Of the others it does not matter: they would only make the table change.
  return endpoint === undefined ? key : `${key} ${endpoint}${ready ? ' ready' : ''}`
}

/** What a table of routes says. */
export function wireguardOf(text: string | undefined): WireGuardPeer | undefined {
  const [key = '', endpoint, ready] = text?.split(' ') ?? []
  if (!KEY.test(key) || (endpoint !== undefined && !isEndpoint(endpoint))) return undefined
  return { key, ready: ready === 'ready', ...(endpoint === undefined ? {} : { endpoint }) }
}
