// kedge version
import { gitVersion } from '../../api/version.ts'

export async function run(): Promise<number> {
  process.stdout.write(`${gitVersion}\n`)
  return 0
}
