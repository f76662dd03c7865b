// Templates of a hook: `{{name}}` becomes what the delivery says.
import type { Facts } from './payload.ts'

/** What templates may name: the facts, and a few that follow from them. */
export const valuesOf = (facts: Facts, hook: { namespace: string; name: string }): Facts => ({
  ...facts,
  ...(facts.sha ? { short: facts.sha.slice(0, 7) } : {}),
  namespace: hook.namespace,
  hook: hook.name,
})

/** Fills in a template. Throws when the delivery has no such value. `encode` is for URLs. */
export function fill(template: string, values: Facts, encode: (value: string) => string = (v) => v): string {
  return template.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name: string) => {
    const value = values[name]
    if (value === undefined) throw new Error(`the delivery has no ${name} to fill ${JSON.stringify(template)} with`)
    return encode(value)
  })
}
