// leash's own documents, which the page has in itself.
import { useEffect, useMemo } from "preact/hooks";
import audit from "../../../../../docs/AUDIT.md";
import consoleText from "../../../../../docs/CONSOLE.md";
import operations from "../../../../../docs/OPERATIONS.md";
import policyText from "../../../../../docs/POLICY.md";
import { parseMarkdown, type Block, type Inline } from "../logic/markdown";
import { formatHash, route } from "../state/route";

const documents: { name: string; label: string; text: string }[] = [
  { name: "CONSOLE", label: "Console", text: consoleText },
  { name: "POLICY", label: "Policy", text: policyText },
  { name: "AUDIT", label: "Audit log", text: audit },
  { name: "OPERATIONS", label: "Operating", text: operations },
];

export function HelpPage() {
  const { rest, search } = route.value;
  const shown = documents.find((one) => one.name === rest) ?? documents[0]!;
  const blocks = useMemo(() => parseMarkdown(shown.text), [shown]);
  const section = new URLSearchParams(search).get("section");
  useEffect(() => {
    const heading = section ? document.getElementById(`doc-${section}`) : null;
    if (heading) heading.scrollIntoView();
    else document.getElementById("content")?.scrollTo(0, 0);
  }, [shown, section]);
  return (
    <div class="page help">
      <div class="page-head">
        <nav class="tabs small" aria-label="Documents">
          {documents.map((one) => (
            <a key={one.name} class="tab" href={formatHash("help", one.name)} aria-current={one === shown ? "page" : undefined}>
              {one.label}
            </a>
          ))}
        </nav>
      </div>
      <article class="document">
        {blocks.map((block, at) => (
          <BlockView key={at} block={block} />
        ))}
      </article>
    </div>
  );
}

function BlockView({ block }: { block: Block }) {
  switch (block.kind) {
    case "heading": {
      const Tag = `h${Math.min(block.level, 4)}` as "h1" | "h2" | "h3" | "h4";
      return (
        <Tag id={`doc-${block.id}`}>
          <Text parts={block.text} />
        </Tag>
      );
    }
    case "paragraph":
      return (
        <p>
          <Text parts={block.text} />
        </p>
      );
    case "code":
      return (
        <pre tabIndex={0}>
          <code>{block.text}</code>
        </pre>
      );
    case "list": {
      const items = block.items.map((item, at) => (
        <li key={at}>
          <Text parts={item} />
        </li>
      ));
      return block.isOrdered ? <ol>{items}</ol> : <ul>{items}</ul>;
    }
    case "table":
      return (
        <div class="table-box" tabIndex={0} role="group" aria-label="Table">
          <table>
            <thead>
              <tr>
                {block.head.map((cell, at) => (cell.length > 0 ? <th key={at} scope="col"><Text parts={cell} /></th> : <td key={at} />))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, at) => (
                <tr key={at}>
                  {row.map((cell, index) => (
                    <td key={index}>
                      <Text parts={cell} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
  }
}

function Text({ parts }: { parts: Inline[] }) {
  return (
    <>
      {parts.map((part, at) => {
        if (part.kind === "code") return <code key={at}>{part.text}</code>;
        if (part.kind === "bold") return <b key={at}>{part.text}</b>;
        if (part.kind !== "link") return <span key={at}>{part.text}</span>;
        const inside = /^(\w+)\.md(?:#(.*))?$|^#(.*)$/.exec(part.href);
        const name = inside?.[1] ?? route.value.rest;
        const section = inside?.[2] ?? inside?.[3];
        // Where it leads out of what is here, it is only text.
        if (!inside || (inside[1] && !documents.some((one) => one.name === name))) return <span key={at}>{part.text}</span>;
        return (
          <a key={at} href={formatHash("help", name, section ? new URLSearchParams({ section }).toString() : "")}>
            {part.text}
          </a>
        );
      })}
    </>
  );
}
