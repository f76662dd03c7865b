// kedge version
import { gitVersion } from '../../shared/version.ts'

export async function run(): Promise<number> {
  process.stdout.write(`${gitVersion}\n`)
  return 0
}
