import { copyText } from "../state/clipboard";
import { Icon } from "./icon";

export function CopyButton({ text, what }: { text: string | (() => string); what: string }) {
  return (
    <button
      type="button"
      class="button ghost square copy"
      title={`Copy ${what}`}
      aria-label={`Copy ${what}`}
      onClick={(event) => {
        event.stopPropagation();
        void copyText(typeof text === "string" ? text : text(), what);
      }}
    >
      <Icon name="copy" />
    </button>
  );
}
