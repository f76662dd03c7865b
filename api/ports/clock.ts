// Time and chance come in through ports, so that controllers stay pure and tests move time themselves.

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
}

export interface Random {
  bytes(n: number): Uint8Array
  uuid(): string
}

export interface Alarm {
  /** Arms the one alarm to this time (ms since the epoch), or disarms it. Survives restarts where the platform can. */
  set(at: number | undefined): void | Promise<void>
}
