// kedge plugin list: programs called kedge-… or kubectl-… in PATH, which are commands too.
import { err, kubeCommand, kubeGroup, out } from '../kube/command.ts'
import { plugins } from '../kube/plugins.ts'

const list = kubeCommand(
  {
    name: 'plugin list',
    usage: '[flags] [options]',
    about: "List all available plugin files on a user's PATH.",
    local: true,
    flags: { 'name-only': { type: 'bool', about: 'If true, display only the binary name of each plugin, rather than its full path' } },
  },
  async (k) => {
    const found = plugins()
    if (!found.length) {
      err('error: unable to find any kubectl plugins in your PATH\n')
      return 1
    }
    out('The following compatible plugins are available:\n\n')
    for (const p of found) out(`${k.f['name-only'] ? p.split('/').at(-1) : p}\n`)
    return 0
  },
)

export const run = kubeGroup('plugin', 'Provides utilities for interacting with plugins.', { list })
