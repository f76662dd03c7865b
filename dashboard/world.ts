// What is read before something is explained or its consequences are said.
import { World } from '../shared/why/world.ts'
import { call } from './client.ts'
import { kindOf, pathOf } from './kinds.ts'

const MOST = 5000

/** All objects of a resource, as far as they may be read; rejects where they may not. */
export async function listAll(resource: string, namespace: string | undefined): Promise<any[]> {
  const k = kindOf(resource)
  if (!k) throw new Error(`this cluster serves no ${resource}`)
  const items: any[] = []
  let token = ''
  do {
    const page = await call('GET', pathOf(k, namespace ?? ''), { query: { limit: '500', ...(token ? { continue: token } : {}) } })
    for (const o of page.items) items.push({ apiVersion: page.apiVersion, kind: k.kind, ...o })
    token = page.metadata.continue ?? ''
  } while (token && items.length < MOST)
  return items
}

/** Lists by resource; those that may not be read are left out. */
export async function worldOf(resources: readonly string[], namespace: string | undefined): Promise<World> {
  const lists = new Map<string, any[]>()
  await Promise.all(
    resources.map(async (r) => {
      const list = await listAll(r, kindOf(r)?.namespaced ? namespace : undefined).catch(() => undefined)
      if (list) lists.set(r, list)
    }),
  )
  return new World(lists, Date.now())
}
