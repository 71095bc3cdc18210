// What must not be overlooked, above everything.
import { Icon } from "../parts/icon";
import { session } from "../state/session";
import { health, isDisconnected, mode } from "../state/status";

export function Banners() {
  const warnings = health.value?.warnings ?? [];
  return (
    <section class="banners" aria-label="Warnings">
      {session.value?.auth === "off" && (
        <p class="banner red" role="alert">
          <Icon name="warning" />
          <span>
            <b>Sign-in is off.</b> Whoever reaches this address may read everything and change the policy (LEASH_CONSOLE_AUTH=off).
          </span>
        </p>
      )}
      {isDisconnected.value && (
        <p class="banner red" role="alert">
          <Icon name="warning" />
          <span>
            <b>Disconnected.</b> The console does not answer; what is shown may be old.
          </span>
        </p>
      )}
      {mode.value === "audit" && (
        <p class="banner amber">
          <span>
            <b>Audit mode.</b> Everything passes and is only put on record. Amber rows are what enforce would refuse.
          </span>
          <a href="#/hardening">Harden the policy</a>
        </p>
      )}
      {mode.value === "blocklist" && (
        <p class="banner orange">
          <span>
            <b>Blocklist mode.</b> Everything passes but what the blocklist names.
          </span>
        </p>
      )}
      {warnings.map((warning) => (
        <p key={warning} class="banner amber">
          <Icon name="warning" />
          <span>{warning}</span>
        </p>
      ))}
    </section>
  );
}
