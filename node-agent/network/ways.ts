// How other machines are reached from this one, as its kernel says.

/** By which device and from which address, and whether a router stands between. */
export interface Way {
  device: string
  routed: boolean
  from?: string
}

/** What `ip route get` says, one line per address, in their order or not. */
export const waysOf = (text: string): Map<string, Way> =>
  new Map(
    [...text.matchAll(/^(?:local )?([\da-f][\da-f.:]+) (?:from :: )?(via \S+ )?dev (\S+)(?:.*? src (\S+))?/gm)].map((m) => [
      m[1]!,
      { device: m[3]!, routed: m[2] !== undefined, ...(m[4] ? { from: m[4] } : {}) },
    ]),
  )
