// kedge version: of this command, and of the server.

import { json } from '../../shared/print/json.ts'
import { gitVersion, KUBERNETES_MINOR } from '../../shared/version.ts'
import { Client } from '../kube/client.ts'
import { err, Failure, kubeCommand, messageOf, out } from '../kube/command.ts'
import { connect } from '../kube/config.ts'
import { yaml } from '../print/yaml.ts'

const client = {
  major: '1',
  minor: String(KUBERNETES_MINOR),
  gitVersion,
  platform: `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`,
}

export const run = kubeCommand(
  {
    name: 'version',
    usage: '[flags] [options]',
    about: 'Print the client and server version information for the current context.',
    local: true,
    flags: {
      client: { type: 'bool', about: 'If true, shows client version only (no server required).' },
      output: { type: 'string', short: 'o', about: "One of 'yaml' or 'json'." },
    },
  },
  async (k) => {
    if (!['', 'yaml', 'json'].includes(k.f.output)) throw new Failure("--output must be 'yaml' or 'json'")
    let server: any
    let fault: unknown
    if (!k.f.client)
      try {
        server = await new Client(connect(k.f)).get('/version')
      } catch (cause) {
        fault = cause
      }
    if (k.f.output)
      out(
        (k.f.output === 'json' ? (v: unknown) => json(v).replace(/^( +)/gm, (m) => m.slice(m.length / 2)) : yaml)({
          clientVersion: client,
          ...(server ? { serverVersion: server } : {}),
        }),
      )
    else {
      out(`Client Version: ${gitVersion}\n`)
      if (server) out(`Server Version: ${server.gitVersion}\n`)
    }
    if (fault) {
      err(`${messageOf(fault)}\n`)
      return 1
    }
    return 0
  },
)
