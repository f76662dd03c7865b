// How the heap grows: by small steps at rest (the launcher's flag), which costs a collection for each; by V8's own measure while a start fills it.
import { setFlagsFromString } from 'node:v8'

const FLAG = '--heap-growing-percent='
/** How long after its start a server is filling its memory and has its clients come back, ms. */
const STARTING = 10_000

export function growFreelyAtFirst(): void {
  const chosen = process.execArgv.find((a) => a.startsWith(FLAG))
  if (!chosen) return
  // Zero is V8's own measure.
  setFlagsFromString(`${FLAG}0`)
  setTimeout(() => setFlagsFromString(chosen), STARTING).unref()
}
