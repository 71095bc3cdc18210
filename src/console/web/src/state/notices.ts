// Short messages that come and go, and questions that want an answer.
import { signal } from "@preact/signals";

export interface Notice {
  id: number;
  kind: "good" | "bad";
  text: string;
}

export const notices = signal<Notice[]>([]);
let nextId = 1;

export function dismiss(id: number): void {
  notices.value = notices.value.filter((one) => one.id !== id);
}

export function notify(text: string, kind: Notice["kind"] = "good"): void {
  const id = nextId++;
  notices.value = [...notices.value.slice(-3), { id, kind, text }];
  setTimeout(() => dismiss(id), kind === "bad" ? 12_000 : 4000);
}

export function complain(error: unknown): void {
  notify(error instanceof Error ? error.message : String(error), "bad");
}

export interface Question {
  title: string;
  text: string;
  action: string;
  kind: "plain" | "danger";
  answer: (yes: boolean) => void;
}

export const question = signal<Question | null>(null);

export function ask(title: string, text: string, action: string, kind: Question["kind"] = "plain"): Promise<boolean> {
  question.value?.answer(false);
  return new Promise((resolve) => {
    question.value = {
      title,
      text,
      action,
      kind,
      answer: (yes) => {
        question.value = null;
        resolve(yes);
      },
    };
  });
}
