// Packages that are nothing here, whoever asks for them. Before whoever asks: imports run in their order.
import { registerHooks } from 'node:module'

/** What the single file leaves out as well. */
export const LEFT_OUT = ['ssh2', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs']
const NOTHING = 'kedge:nothing'

registerHooks({
  resolve: (specifier, context, next) =>
    LEFT_OUT.includes(specifier) ? { url: NOTHING, format: 'commonjs', shortCircuit: true } : next(specifier, context),
  load: (url, context, next) => (url === NOTHING ? { format: 'commonjs', source: '', shortCircuit: true } : next(url, context)),
})
