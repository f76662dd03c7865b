// Places on disk that others may change at any moment, held open: from one to the next without following a link, and what is done is done to what was opened.
import { closeSync, constants, fstatSync, openSync, readdirSync, type Stats } from 'node:fs'

/** Linux' O_PATH: a place, and no right to read what is there. */
const O_PATH = 0o10000000

/** A file, folder or link that is held open; to be closed. */
export class Place {
  readonly fd: number
  readonly stats: Stats

  private constructor(fd: number) {
    this.fd = fd
    this.stats = fstatSync(fd)
  }

  /** A link itself, not what it leads to. */
  static open(at: string): Place {
    return new Place(openSync(at, O_PATH | constants.O_NOFOLLOW))
  }

  /** The path by which this process, or another of `pid`, has what is held here. */
  path(pid: number | 'self' = 'self'): string {
    return `/proc/${pid}/fd/${this.fd}`
  }
  within(name: string): string {
    return `${this.path()}/${name}`
  }
  step(name: string): Place {
    return Place.open(this.within(name))
  }
  names(): string[] {
    return readdirSync(this.within('.'))
  }
  close(): void {
    closeSync(this.fd)
  }
}
