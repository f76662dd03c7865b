// A shell in a container: xterm over the exec subresource, in the channels of v5.channel.k8s.io.
import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import { useEffect, useRef, useState } from 'preact/hooks'
import { openSocket } from '../client.ts'
import { ContainerChoice, containersOf } from './pod.tsx'

const Channel = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 }
/** The best shell that there is. */
const COMMAND = ['/bin/sh', '-c', 'TERM=xterm-256color; export TERM; command -v bash >/dev/null 2>&1 && exec bash || exec sh']

function frame(channel: number, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(bytes.length + 1)
  out[0] = channel
  out.set(bytes, 1)
  return out
}

export function PodShell({ object: o }: { object: any }) {
  const { namespace, name } = o.metadata
  const running = containersOf(o).filter((c) => c.status.state?.running)
  const [container, setContainer] = useState<string>(running[0]?.name ?? '')
  const [round, setRound] = useState(0)
  const [state, setState] = useState('')
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => {
    if (!container) return
    const style = getComputedStyle(box.current!)
    const terminal = new Terminal({
      fontFamily: 'ui-monospace, monospace',
      fontSize: 13,
      screenReaderMode: true,
      theme: { background: style.backgroundColor, foreground: style.color, cursor: style.color },
    })
    const fit = new FitAddon()
    terminal.loadAddon(fit)
    terminal.open(box.current!)
    fit.fit()
    const encoder = new TextEncoder()
    let socket: WebSocket | undefined
    let closed = false
    const send = (channel: number, bytes: Uint8Array) => {
      if (socket?.readyState === WebSocket.OPEN) socket.send(frame(channel, bytes))
    }
    const size = () => send(Channel.resize, encoder.encode(JSON.stringify({ Width: terminal.cols, Height: terminal.rows })))
    const query = new URLSearchParams({ container, stdin: 'true', stdout: 'true', stderr: 'true', tty: 'true' })
    for (const word of COMMAND) query.append('command', word)
    setState('connecting')
    let last = ''
    void openSocket(`/api/v1/namespaces/${namespace}/pods/${name}/exec`, query, 'v5.channel.k8s.io').then((s) => {
      if (closed) return s.close()
      socket = s
      s.binaryType = 'arraybuffer'
      s.onopen = () => {
        setState('open')
        size()
        terminal.focus()
      }
      s.onmessage = ({ data }) => {
        const bytes = new Uint8Array(data)
        if (bytes[0] === Channel.error) last = new TextDecoder().decode(bytes.subarray(1))
        else terminal.write(bytes.subarray(1))
      }
      s.onclose = () => {
        if (closed) return
        let why = 'the connection has ended'
        try {
          const status = JSON.parse(last)
          why = status.status === 'Success' ? 'the shell has ended' : status.message
        } catch {
          // It ended without a word.
        }
        setState(why)
      }
    })
    const typed = terminal.onData((text) => send(Channel.stdin, encoder.encode(text)))
    const resized = terminal.onResize(size)
    const observer = new ResizeObserver(() => fit.fit())
    observer.observe(box.current!)
    return () => {
      closed = true
      observer.disconnect()
      typed.dispose()
      resized.dispose()
      socket?.close()
      terminal.dispose()
    }
  }, [namespace, name, container, round])
  if (!running.length) return <p class="empty">No container of it runs now.</p>
  return (
    <section class="logs">
      <div class="filters">
        <ContainerChoice among={running} chosen={container} choose={setContainer} />
        <span class="dim" role="status">
          {state}
        </span>
        {state !== 'open' && state !== 'connecting' && (
          <button type="button" onClick={() => setRound(round + 1)}>
            Open another
          </button>
        )}
      </div>
      <div class="terminal" ref={box} />
    </section>
  )
}
