// kedge node doctor: looks, says what is wrong and how to mend it, and gathers what somebody else would need to help.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { gitVersion } from '../../shared/version.ts'
import { exec } from '../network/commands.ts'
import { TABLE } from '../network/service-rules.ts'
import { stateFile } from '../service.ts'
import { diagnose, type Finding, redact } from './diagnose.ts'
import { collect } from './facts.ts'

const MAX_FILE = 4 << 20
const marks = { ok: 'ok     ', warning: 'warning', fault: 'FAULT  ' }

const show = (findings: Finding[]): string =>
  findings.map((f) => `${marks[f.level]}  ${f.check.padEnd(11)}${f.what}\n${f.mend ? `${' '.repeat(20)}→ ${f.mend}\n` : ''}`).join('')

/** What a bundle holds, besides the report. Neither keys nor environments are among it. */
const parts = (data: string): [file: string, command: string, ...args: string[]][] => [
  ['daemon.json', 'cat', stateFile(data)],
  ['journal.txt', 'journalctl', '-u', 'kedge-node', '-n', '3000', '--no-pager', '-o', 'short-iso'],
  ['journal-docker.txt', 'journalctl', '-u', 'docker', '-n', '500', '--no-pager', '-o', 'short-iso'],
  ['unit.txt', 'systemctl', 'status', 'kedge-node', '--no-pager', '-l'],
  ['docker-info.txt', 'docker', 'info'],
  ['containers.txt', 'docker', 'ps', '-a', '--format', '{{.ID}}\t{{.Image}}\t{{.Status}}\t{{.Names}}'],
  ['addresses.txt', 'ip', 'address'],
  ['routes.txt', 'ip', 'route', 'show', 'table', 'all'],
  ['nftables.txt', 'nft', 'list', 'table', 'ip', TABLE],
  ['iptables.txt', 'iptables-save'],
  ['ingress.txt', 'tail', '-n', '200', path.join(data, 'ingress', 'proxy.log')],
  ['kernel.txt', 'uname', '-a'],
  ['os-release.txt', 'cat', '/etc/os-release'],
  ['memory.txt', 'cat', '/proc/meminfo'],
  ['disk.txt', 'df', '-h'],
  ['listening.txt', 'ss', '-lntu'],
  ['kernel-log.txt', 'dmesg', '--ctime', '--level=err,warn'],
]

async function bundle(file: string, report: string, data: string): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'kedge-doctor-'))
  try {
    const inside = path.join(folder, 'kedge-doctor')
    mkdirSync(inside)
    const add = (name: string, text: string) => writeFileSync(path.join(inside, name), redact(text).slice(-MAX_FILE))
    add('report.txt', report)
    for (const [name, command, ...args] of parts(data)) add(name, await exec(command, ...args).catch((cause: Error) => cause.message))
    execFileSync('tar', ['-C', folder, '-czf', file, 'kedge-doctor'], { stdio: ['ignore', 'ignore', 'inherit'] })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Exit code 1 when there is a fault. */
export async function runDoctor(o: { data: string; dockerSocket: string; bundle?: string }): Promise<number> {
  const findings = diagnose(await collect(o.data, o.dockerSocket))
  const report = `${gitVersion}\n${show(findings)}`
  process.stdout.write(report)
  const faults = findings.filter((f) => f.level === 'fault').length
  process.stdout.write(faults ? `\n${faults} fault${faults > 1 ? 's' : ''}: mend the first one first\n` : '\nno fault found\n')
  if (o.bundle) {
    await bundle(path.resolve(o.bundle), report, o.data)
    process.stdout.write(`${o.bundle} holds this report, logs and settings, without secrets: look through it before you send it\n`)
  }
  return faults ? 1 : 0
}
