// What this machine lets anybody have. Where it is not all (in a container, in some virtual machines), Docker cannot start a privileged container: it asks for
// what nobody gets. Such a container then gets the rest.
import { readFileSync } from 'node:fs'

/** By their numbers (linux/capability.h). */
const NAMES = [
  'CHOWN,DAC_OVERRIDE,DAC_READ_SEARCH,FOWNER,FSETID,KILL,SETGID,SETUID,SETPCAP,LINUX_IMMUTABLE,NET_BIND_SERVICE,NET_BROADCAST,NET_ADMIN,NET_RAW',
  'IPC_LOCK,IPC_OWNER,SYS_MODULE,SYS_RAWIO,SYS_CHROOT,SYS_PTRACE,SYS_PACCT,SYS_ADMIN,SYS_BOOT,SYS_NICE,SYS_RESOURCE,SYS_TIME,SYS_TTY_CONFIG,MKNOD',
  'LEASE,AUDIT_WRITE,AUDIT_CONTROL,SETFCAP,MAC_OVERRIDE,MAC_ADMIN,SYSLOG,WAKE_ALARM,BLOCK_SUSPEND,AUDIT_READ,PERFMON,BPF,CHECKPOINT_RESTORE',
]
  .join()
  .split(',')

/** What a bounding set (hexadecimal, as /proc/PID/status has it) lacks of what the kernel knows up to its last one. */
export function lackedBy(set: string, last: number): string[] {
  const bits = BigInt(`0x${set}`)
  return NAMES.filter((_, n) => n <= last && !((bits >> BigInt(n)) & 1n))
}

let lacked: string[] | undefined

/** Capabilities that nobody has on this machine: none, as a rule. */
export function lackedHere(): readonly string[] {
  if (!lacked) {
    const [, set] = /^CapBnd:\s+([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? []
    lacked = set ? lackedBy(set, Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))) : []
  }
  return lacked
}
