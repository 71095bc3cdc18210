// The only page that somebody who is not signed in sees.
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { Logo } from "../parts/icon";
import { session, signIn } from "../state/session";

export function SignIn() {
  const [token, setToken] = useState("");
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [locked, setLocked] = useState(0); // seconds
  const field = useRef<HTMLInputElement>(null);

  useEffect(() => field.current?.focus(), []);
  useEffect(() => {
    if (locked <= 0) return undefined;
    const timer = setTimeout(() => setLocked(locked - 1), 1000);
    return () => clearTimeout(timer);
  }, [locked]);

  const submit = async (event: Event) => {
    event.preventDefault();
    if (token.trim() === "" || locked > 0) return;
    setBusy(true);
    setError("");
    try {
      await signIn(token.trim());
    } catch (caught) {
      if (caught instanceof ApiError && caught.status === 429) setLocked(Number(caught.body["retry_after"]) || 60);
      setError(caught instanceof Error ? caught.message : String(caught));
      setBusy(false);
      field.current?.select();
    }
  };

  return (
    <main class="splash">
      <form class="sign-in" onSubmit={(event) => void submit(event)}>
        <div class="sign-in-head">
          <Logo />
          <h1>leash console</h1>
        </div>
        <label class="field" for="token">
          <span>Token</span>
          <input
            ref={field}
            id="token"
            name="token"
            type="password"
            autocomplete="current-password"
            spellcheck={false}
            value={token}
            aria-invalid={error !== ""}
            aria-describedby="token-help"
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        {error !== "" && (
          <p class="form-error" role="alert">
            {error}
          </p>
        )}
        <button type="submit" class="button primary large" disabled={isBusy || locked > 0}>
          {locked > 0 ? `Locked for ${locked} s` : "Sign in"}
        </button>
        <p id="token-help" class="quiet">
          <code>leashctl console token</code> on leash's machine prints it.
        </p>
      </form>
      <p class="quiet version">leash-console {session.value?.version}</p>
    </main>
  );
}
