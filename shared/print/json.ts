// JSON as kubectl prints it: keys sorted, four spaces, angle brackets and ampersands escaped as Go does.

const escapes: Record<string, string> = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026', '\u2028': '\\u2028', '\u2029': '\\u2029' }
const escaped = (text: string) => text.replace(/[<>&\u2028\u2029]/g, (c) => escapes[c]!)

const sorted = (v: any): any =>
  Array.isArray(v)
    ? v.map(sorted)
    : v && typeof v === 'object'
      ? Object.fromEntries(
          Object.keys(v)
            .sort()
            .map((k) => [k, sorted(v[k])]),
        )
      : v

export const json = (v: unknown): string => `${escaped(JSON.stringify(sorted(v), null, 4))}\n`
/** On one line. */
export const compactJson = (v: unknown): string => escaped(JSON.stringify(sorted(v)))
