// Addresses of a control plane: its server URL may have a path of its own, `https://host/clusters/name`.

/** `path` below the server's own path. */
export function under(server: string, path: string): URL {
  const url = new URL(server)
  const at = path.indexOf('?')
  url.pathname = url.pathname.replace(/\/$/, '') + (at < 0 ? path : path.slice(0, at))
  url.search = at < 0 ? '' : path.slice(at)
  return url
}
