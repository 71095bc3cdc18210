// One of a few, side by side: a group of radio buttons.
import { useRef } from "preact/hooks";

interface Option<T extends string> {
  value: T;
  label: string;
  kind?: string;
}

interface Props<T extends string> {
  label: string;
  value: T | null;
  options: readonly Option<T>[];
  onChange: (value: T) => void;
  isReadOnly?: boolean;
  class?: string;
}

export function Segmented<T extends string>({ label, value, options, onChange, isReadOnly = false, class: extra = "" }: Props<T>) {
  const group = useRef<HTMLDivElement>(null);
  return (
    <div ref={group} class={`segmented ${extra}`} role="radiogroup" aria-label={label}>
      {options.map((option, at) => {
        const isOn = option.value === value;
        return (
          <button
            key={option.value}
            type="button"
            role="radio"
            aria-checked={isOn}
            class={`segment ${option.kind ?? ""}`}
            tabIndex={isOn || (at === 0 && !options.some((one) => one.value === value)) ? 0 : -1}
            disabled={isReadOnly && !isOn}
            onClick={() => !isOn && onChange(option.value)}
            onKeyDown={(event) => {
              if (event.key === "ArrowRight" || event.key === "ArrowDown") moveFrom(event, 1);
              else if (event.key === "ArrowLeft" || event.key === "ArrowUp") moveFrom(event, -1);
            }}
          >
            {option.label}
          </button>
        );
      })}
    </div>
  );

  // The arrows move the focus only: a mode must not change by passing over it.
  function moveFrom(event: KeyboardEvent, by: number) {
    event.preventDefault();
    const buttons = [...(group.current?.querySelectorAll<HTMLButtonElement>("button:not(:disabled)") ?? [])];
    const at = buttons.indexOf(event.currentTarget as HTMLButtonElement);
    buttons[(at + by + buttons.length) % buttons.length]?.focus();
  }
}
