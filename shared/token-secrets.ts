// Secrets that are tokens: what says so, and what is noted on them.
export const ACCOUNT_TOKEN = 'kubernetes.io/service-account-token'
export const BOOTSTRAP_TOKEN = 'bootstrap.kubernetes.io/token'
/** Annotations: whose token it is. */
export const ACCOUNT = 'kubernetes.io/service-account.name'
export const ACCOUNT_UID = 'kubernetes.io/service-account.uid'
/** Labels, as days: `2026-01-31`. */
export const LAST_USED = 'kubernetes.io/legacy-token-last-used'
export const INVALID_SINCE = 'kubernetes.io/legacy-token-invalid-since'
/** The tasks that write into such a secret: its token, and that it has no power any more. */
export const FILL_TOKEN = 'fill-account-token'
export const DISABLE_TOKEN = 'disable-account-token'
