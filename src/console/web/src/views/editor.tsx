// The policy files as text, with the loader's findings beside the lines; what a save would do is shown before it.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { api, ApiError } from "../api/client";
import type { Finding } from "../api/types";
import { diffLines } from "../logic/diff";
import { visibleLine } from "../logic/visible_text";
import { yamlTokens } from "../logic/yaml_tokens";
import { Dialog } from "../parts/dialog";
import { DiffView } from "../parts/diff_view";
import { Segmented } from "../parts/segmented";
import { notify } from "../state/notices";
import { loadPolicy, policy } from "../state/policy";
import { isOperator } from "../state/session";
import { refreshStatus } from "../state/status";
import { PreviewView, usePreview } from "./preview_view";

const names = ["enforce.yaml", "blocklist.yaml"] as const;
type FileName = (typeof names)[number];
const maxColoured = 300_000;
const checkMs = 700;

interface Draft {
  text: string;
  base: string; // what it was made from
  etag: string;
}

export function Editor() {
  const files = policy.value?.files;
  const [name, setName] = useState<FileName>("enforce.yaml");
  const [drafts, setDrafts] = useState<Partial<Record<FileName, Draft>>>({});
  const [findings, setFindings] = useState<Finding[] | null>(null); // null: those of what is saved
  const [isSaving, setSaving] = useState(false);
  const stored = files?.[name];
  const draft = drafts[name] ?? { text: stored?.text ?? "", base: stored?.text ?? "", etag: stored?.etag ?? "" };
  const isChanged = draft.text !== draft.base;
  const isStale = isChanged && stored !== undefined && stored.etag !== draft.etag;
  const isEditable = isOperator.value;

  const forget = () => {
    setDrafts((all) => ({ ...all, [name]: undefined }));
    setFindings(null);
  };
  // What was typed while it was being saved stays a draft.
  const forgetSaved = (saved: string) => setDrafts((all) => (all[name]?.text === saved ? { ...all, [name]: undefined } : all));

  // The loader looks at what is typed, when typing pauses.
  useEffect(() => {
    if (!isChanged || !isEditable) {
      setFindings(null);
      return undefined;
    }
    const control = new AbortController();
    const timer = setTimeout(() => {
      api
        .preview({ files: { [name]: draft.text }, hours: 1 }, control.signal)
        .then((preview) => setFindings(preview.findings.filter((one) => one.file === name || one.file === "")))
        .catch((error: unknown) => {
          if (control.signal.aborted) return;
          const said = error instanceof ApiError && Array.isArray(error.body["findings"]) ? (error.body["findings"] as Finding[]) : null;
          setFindings(said ?? [{ file: name, line: 0, message: error instanceof Error ? error.message : String(error) }]);
        });
    }, checkMs);
    return () => {
      clearTimeout(timer);
      control.abort();
    };
  }, [draft.text, name, isChanged]);

  if (files === undefined) return <p class="quiet pad">Loading…</p>;
  const shown = findings ?? (policy.value?.findings ?? []).filter((one) => one.file.endsWith(name));
  return (
    <section aria-label="Policy files" class="editor-page">
      <div class="rules-head">
        <Segmented label="File" value={name} options={names.map((one) => ({ value: one, label: drafts[one] !== undefined && drafts[one].text !== drafts[one].base ? `${one} •` : one }))} onChange={setName} />
        <span class="spring" />
        {isEditable ? (
          <>
            {isChanged && (
              <button type="button" class="button" onClick={forget}>
                Discard changes
              </button>
            )}
            <button type="button" class="button primary" disabled={!isChanged} onClick={() => setSaving(true)}>
              Preview and save
            </button>
          </>
        ) : (
          <span class="quiet">read only</span>
        )}
      </div>
      {isStale && (
        <p class="banner amber" role="alert">
          <span>The file was changed meanwhile by somebody else.</span>
          <button type="button" class="button tiny" onClick={() => setDrafts({ ...drafts, [name]: { ...draft, base: stored.text, etag: stored.etag } })}>
            Keep mine
          </button>
          <button type="button" class="button tiny" onClick={forget}>
            Take theirs
          </button>
        </p>
      )}
      <div class="editor-split">
        <TextEditor
          name={name}
          text={draft.text}
          findings={shown}
          isEditable={isEditable}
          onInput={(text) => setDrafts({ ...drafts, [name]: { ...draft, text } })}
          onSave={() => isChanged && setSaving(true)}
        />
        <Findings findings={shown} isChecked={findings !== null || !isChanged} name={name} />
      </div>
      {isSaving && (
        <SaveDialog
          name={name}
          draft={draft}
          onClose={() => setSaving(false)}
          onFindings={(list) => setFindings(list)}
          onSaved={() => {
            setSaving(false);
            forgetSaved(draft.text);
          }}
        />
      )}
    </section>
  );
}

function TextEditor({ name, text, findings, isEditable, onInput, onSave }: {
  name: FileName;
  text: string;
  findings: Finding[];
  isEditable: boolean;
  onInput: (text: string) => void;
  onSave: () => void;
}) {
  const lines = useMemo(() => text.split("\n"), [text]);
  const marked = useMemo(() => new Map(findings.map((one) => [one.line, one.severity === "warning" ? "warning" : "error"])), [findings]);
  const back = useRef<HTMLPreElement>(null);
  const gutter = useRef<HTMLDivElement>(null);
  const isColoured = text.length <= maxColoured;
  return (
    <div class={`editor ${isColoured ? "is-coloured" : ""}`}>
      <div ref={gutter} class="gutter" aria-hidden="true">
        <div>
          {isColoured && lines.map((_, at) => (
            <div key={at} class={`number ${marked.get(at + 1) ?? ""}`}>
              {at + 1}
            </div>
          ))}
        </div>
      </div>
      <div class="editor-text">
        {isColoured && (
          <pre ref={back} aria-hidden="true">
            {lines.map((line, at) => (
              <div key={at} class={`yaml-line ${marked.get(at + 1) ?? ""}`}>
                {line === "" ? " " : yamlTokens(line).map((token, index) => (
                  <span key={index} class={`tok-${token.kind}`}>
                    {token.text}
                  </span>
                ))}
              </div>
            ))}
          </pre>
        )}
        <textarea
          id="editor"
          aria-label={`Text of ${name}`}
          aria-describedby="findings"
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
          wrap="off"
          readOnly={!isEditable}
          value={text}
          onInput={(event) => onInput(event.currentTarget.value)}
          onScroll={(event) => {
            const { scrollTop, scrollLeft } = event.currentTarget;
            if (back.current) {
              back.current.scrollTop = scrollTop;
              back.current.scrollLeft = scrollLeft;
            }
            if (gutter.current) gutter.current.scrollTop = scrollTop;
          }}
          onKeyDown={(event) => {
            if ((event.ctrlKey || event.metaKey) && event.key === "s") {
              event.preventDefault();
              onSave();
            }
          }}
        />
      </div>
    </div>
  );
}

function goToLine(line: number): void {
  const area = document.getElementById("editor");
  if (!(area instanceof HTMLTextAreaElement) || line < 1) return;
  const lines = area.value.split("\n");
  const begin = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  area.focus();
  area.setSelectionRange(begin, begin + (lines[line - 1]?.length ?? 0));
  const lineHeight = parseFloat(getComputedStyle(area).lineHeight) || 20;
  area.scrollTop = Math.max(0, (line - 4) * lineHeight);
}

function Findings({ findings, isChecked, name }: { findings: Finding[]; isChecked: boolean; name: string }) {
  return (
    <section id="findings" class="findings" aria-label="Findings" aria-live="polite">
      <h2>Findings</h2>
      {findings.length === 0 && <p class="quiet">{isChecked ? `None: the loader takes ${name} as it is.` : "Checking…"}</p>}
      <ul>
        {findings.map((one, at) => (
          <li key={at} class={one.severity === "warning" ? "warning" : "error"}>
            <button type="button" onClick={() => goToLine(one.line)}>
              {one.line > 0 && <b>line {one.line}</b>} {visibleLine(one.message)}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function SaveDialog({ name, draft, onClose, onSaved, onFindings }: { name: FileName; draft: Draft; onClose: () => void; onSaved: () => void; onFindings: (findings: Finding[]) => void }) {
  const [error, setError] = useState("");
  const [isBusy, setBusy] = useState(false);
  const preview = usePreview({ files: { [name]: draft.text }, mode: name === "enforce.yaml" ? "enforce" : "blocklist" });
  const diff = useMemo(() => diffLines(draft.base, draft.text), [draft]);
  const save = async () => {
    setBusy(true);
    setError("");
    try {
      await api.saveFile(name, draft.text, draft.etag);
      notify(`${name} is saved`);
      await loadPolicy();
      void refreshStatus();
      onSaved();
    } catch (caught) {
      setBusy(false);
      if (caught instanceof ApiError && caught.status === 409) {
        await loadPolicy();
        onClose();
        return;
      }
      if (caught instanceof ApiError && Array.isArray(caught.body["findings"])) onFindings(caught.body["findings"] as Finding[]);
      setError(caught instanceof Error ? caught.message : String(caught));
    }
  };
  const found = preview.preview?.findings ?? [];
  return (
    <Dialog
      title={`Save ${name}?`}
      size="wide"
      onClose={onClose}
      footer={
        <>
          <button type="button" class="button" onClick={onClose}>
            Back to the text
          </button>
          <button type="button" class="button primary" disabled={isBusy || preview.isBusy} onClick={() => void save()}>
            Save
          </button>
        </>
      }
    >
      <DiffView lines={diff} label="Changes" />
      {found.length > 0 && (
        <p class="note">
          The loader has {found.length === 1 ? "a finding" : `${found.length} findings`}: {visibleLine(found[0]!.message)}
          {found.length > 1 ? " …" : ""}
        </p>
      )}
      <PreviewView state={preview} />
      {error !== "" && (
        <p class="form-error" role="alert">
          {error}
        </p>
      )}
    </Dialog>
  );
}
