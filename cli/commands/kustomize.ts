// kedge kustomize: what a kustomization comes to.
import { writeFileSync } from 'node:fs'
import { kubeCommand, out } from '../kube/command.ts'
import { buildKustomization } from '../kube/objects.ts'
import { yaml } from '../print/yaml.ts'

export const run = kubeCommand(
  {
    name: 'kustomize',
    usage: 'DIR [flags] [options]',
    about: 'Build a set of KRM resources using a kustomization.yaml file.',
    local: true,
    flags: { output: { type: 'string', short: 'o', about: 'If specified, write output to this path.' } },
  },
  async (k) => {
    const text = (await buildKustomization(k.args[0] ?? '.')).map(yaml).join('---\n')
    if (k.f.output) writeFileSync(k.f.output, text)
    else out(text)
    return 0
  },
)
