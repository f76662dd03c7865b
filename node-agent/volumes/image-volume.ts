// Images as volumes: what they hold, to be read. Where Docker keeps an image's layers as folders they are mounted as they lie, else a copy is taken.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { exec } from '../network/commands.ts'
import type { Runtime } from '../runtime/docker.ts'
import { isMounted } from './mounts.ts'

/** What mount takes of options: a page. Images of very many layers have more. */
const MOST_OPTIONS = 4000

/** Shows the contents of an image that is here at `at`. */
export async function mountImage(runtime: Runtime, reference: string, at: string): Promise<void> {
  if (isMounted(at)) return
  mkdirSync(at, { recursive: true })
  const layers = await runtime.layersOf(reference)
  const options = `ro,lowerdir=${layers?.join(':')}`
  if (layers?.length === 1) await exec('mount', '-o', 'bind,ro', layers[0]!, at)
  else if (layers && options.length < MOST_OPTIONS) await exec('mount', '-t', 'overlay', '-o', options, 'overlay', at)
  else await copied(runtime, reference, at)
}

/** Nobody writes to it: that is seen to where it is mounted. A copy that was cut short is made again. */
async function copied(runtime: Runtime, reference: string, at: string): Promise<void> {
  const whole = `${at}.whole`
  if (existsSync(whole)) return
  await runtime.exportImage(reference, at)
  writeFileSync(whole, '')
}
