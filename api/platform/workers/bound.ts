// Programs of ours that must not outlive us: after a kill -9 the next start would find their ports and files taken.
import { existsSync, writeFileSync } from 'node:fs'

const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find(existsSync)

/** The command line that runs `program` until it ends or this process does. Where setpriv is missing, the program itself. */
export const boundCommand = (program: string): string[] => (SETPRIV ? [SETPRIV, '--pdeathsig', 'KILL', '--', program] : [program])

/** The same as a script, for those who want a path. */
export function boundScript(file: string, program: string): string {
  writeFileSync(file, `#!/bin/sh\nexec ${boundCommand(program).join(' ')} "$@"\n`, { mode: 0o755 })
  return file
}
