// What a Worker's heap holds, by workerd's debugger: what Workers count, unlike the size of the process.
import { chmodSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { WebSocket } from 'ws'
import { boundCommand } from '../../api/platform/workers/bound.ts'
import { workerd } from '../../api/platform/workers/serve.ts'
import { freePort } from '../rig/sqld.ts'

export interface HeapProbe {
  /** For the server that is to be looked at. */
  env: Record<string, string>
  /** Used after a collection, MB. */
  used(): Promise<number>
  /** Looks every second from now on; the function says what the most was, garbage and all, MB, and ends it. */
  watched(): Promise<() => number>
}

const EVERY = 1000
type Ask = (method: string) => Promise<any>

export async function heapProbe(folder: string): Promise<HeapProbe> {
  const port = await freePort()
  const script = path.join(folder, 'workerd-with-debugger.sh')
  writeFileSync(script, `#!/bin/sh\nexec ${boundCommand(workerd()).join(' ')} "$@" --inspector-addr=127.0.0.1:${port}\n`)
  chmodSync(script, 0o755)
  const opened = async (): Promise<{ ask: Ask; socket: WebSocket }> => {
    const targets = (await (await fetch(`http://127.0.0.1:${port}/json`)).json()) as { id: string; webSocketDebuggerUrl: string }[]
    const socket = new WebSocket(targets.find((t) => t.id === 'core:user:kedge')!.webSocketDebuggerUrl)
    await new Promise((r) => socket.once('open', r))
    const waiting = new Map<number, (result: any) => void>()
    socket.on('message', (text) => {
      const { id, result } = JSON.parse(String(text))
      waiting.get(id)?.(result)
      waiting.delete(id)
    })
    let last = 0
    const ask: Ask = (method) =>
      new Promise((resolve) => {
        waiting.set(++last, resolve)
        socket.send(JSON.stringify({ id: last, method }))
      })
    return { ask, socket }
  }
  const usage = async (ask: Ask): Promise<number> => {
    const { usedSize, backingStorageSize, embedderHeapUsedSize } = await ask('Runtime.getHeapUsage')
    return (usedSize + backingStorageSize + embedderHeapUsedSize) / 2 ** 20
  }
  return {
    env: { MINIFLARE_WORKERD_PATH: script },
    used: async () => {
      const { ask, socket } = await opened()
      await ask('HeapProfiler.enable')
      // workerd does not answer collectGarbage; before a snapshot the heap is collected, too.
      await ask('HeapProfiler.takeHeapSnapshot')
      const mb = await usage(ask)
      socket.close()
      return mb
    },
    watched: async () => {
      const { ask, socket } = await opened()
      let most = 0
      const timer = setInterval(() => void usage(ask).then((mb) => (most = Math.max(most, mb))), EVERY)
      return () => {
        clearInterval(timer)
        socket.close()
        return most
      }
    },
  }
}
