// The sandbox's one program: ignores SIGCHLD (so the kernel reaps orphans for it) and pauses. A static ELF of some 250 bytes, built here,
// so that no registry and no compiler is needed on a node.

/** Machine code, assembled from: sigaction(SIGCHLD, SIG_IGN); for (;;) pause(). */
const code: Record<string, { machine: number; text: string }> = {
  x64: {
    machine: 62,
    text: 'b80d000000bf11000000488d351700000031d241ba080000000f05b8220000000f05ebf70f1f40000100000000000000000000040000000000000000000000000000000000000000',
  },
  arm64: {
    machine: 183,
    text: 'c81080d2200280d281010010020080d2030180d2010000d4280980d2000080d2010080d2020080d2030080d2010000d4faffff171f2003d50100000000000000000000040000000000000000000000000000000000000000',
  },
}

const BASE = 0x400000n
const HEADERS = 64 + 56

/** An executable file for this architecture; throws on others. */
export function pauseProgram(arch: string): Buffer {
  const c = code[arch]
  if (!c) throw new Error(`no pause program for ${arch}`)
  const text = Buffer.from(c.text, 'hex')
  const file = Buffer.alloc(HEADERS + text.length)
  // ELF header: 64-bit, little-endian, executable.
  file.write('7f454c46020101', 0, 'hex')
  file.writeUInt16LE(2, 16)
  file.writeUInt16LE(c.machine, 18)
  file.writeUInt32LE(1, 20)
  file.writeBigUInt64LE(BASE + BigInt(HEADERS), 24)
  file.writeBigUInt64LE(64n, 32)
  file.writeUInt16LE(64, 52)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(1, 56)
  // One loadable segment: the whole file, readable and executable.
  file.writeUInt32LE(1, 64)
  file.writeUInt32LE(5, 68)
  file.writeBigUInt64LE(BASE, 80)
  file.writeBigUInt64LE(BASE, 88)
  file.writeBigUInt64LE(BigInt(file.length), 96)
  file.writeBigUInt64LE(BigInt(file.length), 104)
  file.writeBigUInt64LE(0x1000n, 112)
  text.copy(file, HEADERS)
  return file
}

/** A tar archive with one executable file at its root: what `docker import` takes. */
export function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512)
  header.write(name, 0)
  header.write('0000755\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257, 'latin1')
  header.write(
    `${header
      .reduce((n: number, b: number) => n + b, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  )
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512), Buffer.alloc(1024)])
}
