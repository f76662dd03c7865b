// A watch over WebSocket, as kube-apiserver offers it: each event is a message. Browsers hold six connections to a server and many sockets.
import { WATCH_PROTOCOL } from '../../shared/session/watch.ts'
import type { Connection } from '../ports/socket.ts'

/** What may wait for a client that does not read, bytes: it is cut off, lists anew, and goes on. */
const MAX_BUFFERED = 4 * 1024 * 1024

/** `response` as it is, or what it streams as messages where the request is an upgrade. */
export function overSocket(connection: Connection, response: Response): Response {
  const upgrade = connection.upgrade?.([WATCH_PROTOCOL, ''])
  if (!upgrade || !response.body) return response
  const accepted = upgrade.accept()
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  void accepted.socket.then(async (socket) => {
    socket.onClose(() => void reader.cancel().catch(() => {}))
    let rest = ''
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        const lines = (rest + part.value).split('\n')
        rest = lines.pop()!
        // Empty lines keep a connection busy that nobody writes to.
        for (const line of lines) if (line) socket.send(line)
        if (socket.buffered() <= MAX_BUFFERED) continue
        void reader.cancel().catch(() => {})
        return socket.close(1013, 'events were not read')
      }
      socket.close(1000)
    } catch {
      socket.close(1011)
    }
  })
  return accepted.response
}
