// Masks the values of headers that carry secrets, on the screen only: the log has its own redaction.
import type { HeaderPair } from "./body_text";

const secret = new Set([
  "authorization", "x-api-key", "cookie", "set-cookie", "proxy-authorization", "x-auth-token", "x-goog-api-key", "api-key", "apikey",
  "private-token", "x-vault-token", "x-amz-security-token", "x-csrf-token", "x-access-token", "x-auth-key",
]);

export const mask = "••••••••";

export function isSecretHeader(name: string): boolean {
  return secret.has(name.toLowerCase());
}

export function redactHeaders(headers: readonly HeaderPair[], isOn: boolean): HeaderPair[] {
  return headers.map(([name, value]) => {
    // What the log has already redacted can be compared, and gives nothing away.
    if (!isOn || !isSecretHeader(name) || /^(\w+ )?\[redacted hmac:[0-9a-f]+\]$/.test(value)) return [name, value];
    return [name, mask];
  });
}
