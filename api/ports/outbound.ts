// Calls to other servers that users name: each platform says which addresses may be reached.

/** As fetch; `ca` (PEM) is all that is trusted, where it is given. Throws where the address is none that may be reached. */
export type Outbound = (url: string, init?: RequestInit & { ca?: string }) => Promise<Response>
