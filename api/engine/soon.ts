// The next turn of the loop, as every platform has it.

/** Workers without setImmediate have only timers. */
export const soon = (f: () => void): void => void (typeof setImmediate === 'function' ? setImmediate(f) : setTimeout(f, 0))
