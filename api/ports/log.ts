// The log port: a constant message and the keys that vary, never a secret.

export type Fields = Record<string, string | number | boolean | undefined>

export interface Log {
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  /** `cause` is printed with its stack and never reaches a client. */
  error(message: string, cause: unknown, fields?: Fields): void
}
