// A word of status with its colour; the word says it all, the colour only helps.

const GOOD = new Set([
  'Running',
  'Ready',
  'Active',
  'Bound',
  'Succeeded',
  'Completed',
  'Complete',
  'True',
  'Available',
  'Healthy',
  'Approved,Issued',
])
const BUSY = new Set([
  'Pending',
  'ContainerCreating',
  'PodInitializing',
  'Terminating',
  'Released',
  'Progressing',
  'Running, not ready',
  'Deploying',
  'Queued',
  'Waiting',
])

export type Tone = 'good' | 'busy' | 'bad' | 'plain'

export function toneOf(word: string): Tone {
  if (GOOD.has(word)) return 'good'
  if (BUSY.has(word) || word.startsWith('Init:')) return 'busy'
  if (/Err|Fail|BackOff|Evicted|NotReady|OOM|Lost|Unknown|Invalid|Unschedulable|Warning|Refused/.test(word)) return 'bad'
  return 'plain'
}

export function Pill({ word, tone }: { word: string; tone?: Tone }) {
  return <span class={`pill ${tone ?? toneOf(word)}`}>{word}</span>
}
