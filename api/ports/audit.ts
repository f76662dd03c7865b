// The audit port: where the events of the audit log go. A write that is lost must not fail the request that it tells of.
export interface Audit {
  write(event: object): void
}
