// Asks before something happens that cannot be overlooked.
import { question } from "../state/notices";
import { Dialog } from "./dialog";

export function QuestionDialog() {
  const asked = question.value;
  if (asked === null) return null;
  return (
    <Dialog
      title={asked.title}
      role="alertdialog"
      onClose={() => asked.answer(false)}
      footer={
        <>
          <button type="button" class="button" onClick={() => asked.answer(false)}>
            Cancel
          </button>
          <button type="button" class={`button ${asked.kind === "danger" ? "danger" : "primary"}`} onClick={() => asked.answer(true)}>
            {asked.action}
          </button>
        </>
      }
    >
      <p>{asked.text}</p>
    </Dialog>
  );
}
