// Watches over WebSocket: what the dashboard and the API must agree on.

/** What a browser offers besides its token, so that there is a protocol to agree on. Clients that offer none get none. */
export const WATCH_PROTOCOL = 'watch.kedge.dev'
