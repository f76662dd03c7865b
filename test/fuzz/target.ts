// A control plane as the fuzzer knows it.
import { readFileSync } from 'node:fs'
import type { ControlPlane } from '../rig/control-plane.ts'
import type { Target } from './run.ts'

export const targetOf = (cp: ControlPlane): Target => ({
  host: '127.0.0.1',
  port: cp.port,
  ca: cp.ca,
  token: /token: (\S+)/.exec(readFileSync(cp.kubeconfig, 'utf8'))![1]!,
  pid: cp.pid,
})
