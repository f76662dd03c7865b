// The Alarm port on Node: one timer. Due times themselves are rows, so a restart arms it anew.
import type { Alarm } from '../../ports/clock.ts'

const MAX_DELAY = 2 ** 31 - 1

export function timerAlarm(ring: () => void): Alarm {
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    set: (at) => {
      clearTimeout(timer)
      timer = undefined
      if (at !== undefined) timer = setTimeout(ring, Math.min(Math.max(0, at - Date.now()), MAX_DELAY))
    },
  }
}
