// Calls to other servers that users name: each platform says which addresses may be reached.

/** As fetch. Throws where the address is none that may be reached. */
export type Outbound = (url: string, init?: RequestInit) => Promise<Response>
