// Sets of completion indexes as a Job's status writes them: `0-2,5`.

/** Throws on nothing: what is no number is left out. */
export function parseIndexes(text: string | undefined, below = Number.POSITIVE_INFINITY): Set<number> {
  const all = new Set<number>()
  for (const part of (text ?? '').split(',')) {
    const [from, to = from] = part.split('-').map(Number) as [number, number?]
    if (part && Number.isInteger(from) && Number.isInteger(to)) for (let i = from; i <= Math.min(to!, below - 1); i++) all.add(i)
  }
  return all
}

export function formatIndexes(all: ReadonlySet<number>): string {
  const parts: string[] = []
  const sorted = [...all].sort((a, b) => a - b)
  for (let i = 0; i < sorted.length; ) {
    let end = i
    while (sorted[end + 1] === sorted[end]! + 1) end++
    // Two neighbours are written apart, as upstream does.
    parts.push(end === i ? `${sorted[i]}` : end === i + 1 ? `${sorted[i]},${sorted[end]}` : `${sorted[i]}-${sorted[end]}`)
    i = end + 1
  }
  return parts.join(',')
}
