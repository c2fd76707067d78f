/** Where the dashboard stands on the gateway. */
export const BASE = '/dashboard';
