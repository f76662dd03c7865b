// What is asked of the API: how the authorizer, expressions, flow control and the audit log know a request.

export interface Attributes {
  verb: string
  group?: string
  resource?: string
  subresource?: string
  namespace?: string
  name?: string
  /** Non-resource requests have a path instead of a resource. */
  path?: string
}
