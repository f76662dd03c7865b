// Signing people in at a provider of OpenID Connect: what the terminal and the page ask for alike.

export const SIGN_IN_SCOPE = 'openid email profile offline_access'
