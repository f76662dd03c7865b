// Runs vitest over all projects (or those named) and prints the counts on the last line.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const folder = mkdtempSync(path.join(tmpdir(), 'kedge-tests-'))
const report = path.join(folder, 'report.json')
// `e2e:hosted` is the project e2e, and of it the files whose path has `hosted` in it.
const projects = process.argv.slice(2).flatMap((p) => {
  const [project, filter] = p.split(':') as [string, string?]
  return ['--project', project, ...(filter ? [filter] : [])]
})
const run = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', ...projects, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  { stdio: 'inherit' },
)
let line = '0 passed, 1 failed, 0 skipped'
try {
  const r = JSON.parse(readFileSync(report, 'utf8'))
  line = `${r.numPassedTests} passed, ${r.numFailedTests} failed, ${r.numPendingTests + (r.numTodoTests ?? 0)} skipped`
} catch {
  // No report: the run itself broke, and its output above says how.
}
rmSync(folder, { recursive: true, force: true })
console.log(line)
process.exitCode = run.status ?? 1
