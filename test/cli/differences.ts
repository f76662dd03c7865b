// Where kedge and kubectl part, each with its reason. What is listed has to differ, so that nothing stays here that no longer does.

const klog = 'kubectl prints this one fault through its log, with a time and a process id; kedge as every other error'
const structs =
  "kubectl prints objects that it made itself in the order of Go's structs; kedge sorts keys as all JSON from servers is sorted"

export const differences: Record<string, string> = {
  'create deployment x --dry-run=client': klog,
  'run x --dry-run=client': klog,
  'kustomize DIR/missing': klog,
  'create deployment x --image=a --image=b/c:1 --dry-run=client -o json': structs,
  'create secret generic x --type=example.com/t --from-literal=a=1 --dry-run=client -o json': structs,
  'auth whoami -o json --as=jane --as-group=dev': structs,
  'config view -o json': structs,
  'taint node h1 a=b:NoSchedule --dry-run=client': 'kubectl leaves out that it was a dry run',
  'create, change and delete: create -f DIR/bad.yaml': "a YAML parser's own words for what is wrong",
}
