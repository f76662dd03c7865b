// Files of the data folder that are there whole or not at all, for the owner's eyes.
import { renameSync, writeFileSync } from 'node:fs'

/** Throws when the disk does not take it; what was there stays then. */
export function writeWhole(file: string, data: string | Uint8Array): void {
  writeFileSync(`${file}.new`, data, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** What only makes the next start cheaper: a full disk ends nothing. */
export function remember(file: string, data: string | Uint8Array): void {
  try {
    writeWhole(file, data)
  } catch {
    // It is made anew then.
  }
}
