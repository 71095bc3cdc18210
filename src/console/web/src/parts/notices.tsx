// The short messages at the lower edge.
import { dismiss, notices } from "../state/notices";
import { Icon } from "./icon";

export function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map((notice) => (
        <div key={notice.id} class={`notice ${notice.kind}`}>
          <Icon name={notice.kind === "good" ? "check" : "warning"} />
          <span>{notice.text}</span>
          <button type="button" class="button ghost square" aria-label="Dismiss" onClick={() => dismiss(notice.id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
