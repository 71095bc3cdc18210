import type { HeaderPair } from "../logic/body_text";
import { redactHeaders } from "../logic/redact";
import { visible } from "../logic/visible_text";
import { redact } from "../state/settings";
import { CopyButton } from "./copy_button";

export function HeaderTable({ headers, label }: { headers: readonly HeaderPair[]; label: string }) {
  if (headers.length === 0) return <p class="quiet">no headers</p>;
  const shown = redactHeaders(headers, redact.value);
  return (
    <div class="headers-box">
      <table class="headers" aria-label={label}>
        <tbody>
          {shown.map(([name, value], at) => (
            <tr key={at}>
              <th scope="row">{visible(name)}</th>
              <td>{visible(value)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <CopyButton text={shown.map(([name, value]) => `${name}: ${value}`).join("\n")} what={label.toLowerCase()} />
    </div>
  );
}
