// The keys, and what the colours mean.
import { Dialog } from "../parts/dialog";

const keys: [string, string][] = [
  ["/", "search"],
  ["↑ ↓ or j k", "move through the list"],
  ["Enter", "open the request"],
  ["Esc", "close what is open"],
  ["g", "back to the newest"],
  ["p", "pause, go on"],
  ["h", "hide the host of the row"],
  ["o", "only the host of the row"],
  ["a", "manage access for the row"],
  ["c", "copy the URL of the row"],
  ["?", "this help"],
];

export function HelpDialog({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keyboard and colours" onClose={onClose}>
      <dl class="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <ul class="legend">
        <li class="tone-allowed">allowed</li>
        <li class="tone-would_block">passed, but enforce would refuse it</li>
        <li class="tone-blocked">blocked</li>
        <li class="tone-error">error</li>
        <li class="tone-mode">the mode was changed</li>
      </ul>
      <p>
        <a href="#/help" onClick={onClose}>
          The documentation of leash
        </a>{" "}
        has the rest.
      </p>
    </Dialog>
  );
}
