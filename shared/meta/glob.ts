// Patterns for names and paths: `*` is anything but a slash, `**` anything, `?` one character. Matched in time linear in the text for each star.

/** Whether the text fits the pattern. */
export function matches(pattern: string, text: string): boolean {
  let p = 0
  let t = 0
  // Where to go on when what follows the last star did not fit: `*` may take one more character, unless that is a slash.
  let star: { p: number; t: number } | undefined
  let deep: { p: number; t: number } | undefined
  for (;;) {
    if (p < pattern.length && pattern.startsWith('**', p)) {
      p += pattern.startsWith('**/', p) ? 3 : 2
      deep = { p, t }
      star = undefined
      continue
    }
    if (pattern[p] === '*') {
      star = { p: ++p, t }
      continue
    }
    if (t === text.length && p === pattern.length) return true
    if (t < text.length && p < pattern.length && (pattern[p] === text[t] || (pattern[p] === '?' && text[t] !== '/'))) {
      p++
      t++
      continue
    }
    if (star && star.t < text.length && text[star.t] !== '/') {
      p = star.p
      t = ++star.t
      continue
    }
    if (deep && deep.t < text.length) {
      star = undefined
      p = deep.p
      t = ++deep.t
      continue
    }
    return false
  }
}

/** Whether a list of patterns lets a text through: one must fit and none of those with a `!` before. Without patterns everything fits. */
export function passes(patterns: readonly string[] | undefined, text: string): boolean {
  if (!patterns?.length) return true
  const wanted = patterns.filter((p) => !p.startsWith('!'))
  if (patterns.some((p) => p.startsWith('!') && matches(p.slice(1), text))) return false
  return !wanted.length || wanted.some((p) => matches(p, text))
}
