// Stands in the single file for the commands that run a control plane: their database and runtime do not fit into it.
export async function run(): Promise<number> {
  throw new Error('this is the single file for machines and terminals: the control plane runs from the sources, see README.md')
}
