// What a daemon is started with, and how it is ended.
import type { Log } from './log.ts'
import type { Keeping } from './logs/kept-logs.ts'
import type { PodNetwork } from './network/routes.ts'
import type { Shares } from './pressure/image-collector.ts'
import type { PressureOptions } from './pressure/pressure.ts'
import type { ShutdownGrace } from './shutdown.ts'

export interface DaemonOptions {
  data: string
  server?: string
  token?: string
  caFile?: string
  name: string
  /** This machine's addresses as others reach it: one, or one of each family. */
  nodeIps?: string[]
  dockerSocket: string
  log: Log
  /** Looks at what is here without dialling or starting anything: for purging. */
  offline?: boolean
  /** The folder with its versions, where install.sh put it down. */
  installed?: string
  /** What starts `serveDials` of network/dial.ts in a process of its own; without it nothing is forwarded. */
  dialer?: string[]
  /** Ends the process: what started it starts the version that is current. */
  restart?: () => void
  /** The folder with manifests of pods that this machine runs by itself; one in `data` where absent. */
  staticPods?: string
  podNetwork?: PodNetwork
  /** `host:port` where others reach this machine by WireGuard; without, it dials out alone. */
  wireguardEndpoint?: string
  /** Ranges of this machine's addresses at which node ports are answered. */
  nodePortAddresses?: string[]
  /** Where the host describes its network, for `cni`. */
  cniConfDir?: string
  /** A cgroup that those of all pods lie in. */
  cgroupRoot?: string
  /** How long pods have when the machine goes down. */
  shutdownGrace?: ShutdownGrace
  /** For how long, and how much, of what containers that are gone have said is kept. */
  logs?: Keeping
  /** When pods are sent away, and when images are. */
  pressure?: Pick<PressureOptions, 'thresholds' | 'softGrace' | 'transition'> & { images: Shares }
}

export interface Daemon {
  /** Stops the daemon and leaves the containers running. */
  close(): Promise<void>
  /** The machine goes down: ends its pods. The daemon is to be closed then. */
  shutDown(): Promise<void>
  /** Stops the daemon and takes containers, rules and routes away with it. */
  purge(): Promise<void>
}
