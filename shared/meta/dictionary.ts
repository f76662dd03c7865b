// Tables that are asked for what users write.

/** A table without keys but its own: `__proto__` and `constructor` are words like any other. */
export const dictionary = <T>(entries: Record<string, T>): Record<string, T> => Object.assign(Object.create(null), entries)
