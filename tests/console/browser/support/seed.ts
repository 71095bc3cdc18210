// Lines of an older log, as the original leash wrote them: something to look at before the first agent works.
export const hostileMethod = "<img/src=x/onerror=window.pwned=1>";
export const bigBodyPath = "/v1/messages/big";

const hosts: [string, string, number][] = [
  ["api.anthropic.com", "/v1/messages", 40], ["registry.npmjs.org", "/react/-/react-19.1.0.tgz", 18], ["pypi.org", "/simple/requests/", 12],
  ["files.pythonhosted.org", "/packages/ab/cd/requests-2.32.tar.gz", 12], ["github.com", "/acme/service.git/info/refs?service=git-upload-pack", 10],
  ["telemetry.example.net", "/collect", 5], ["pastebin.com", "/api/api_post.php", 2], ["huggingface.co", "/api/models?limit=5", 4],
];

// The same numbers each time.
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}

export function seedLines(count: number, now: number): string {
  const roll = dice(7);
  const sum = hosts.reduce((total, [, , weight]) => total + weight, 0);
  const lines: string[] = [];
  const write = (line: Record<string, unknown>) => lines.push(JSON.stringify(line, null, 1).replace(/\n */g, " ").replace(/^\{ /, "{").replace(/ \}$/, "}"));
  for (let at = 0; at < count; at += 1) {
    const ts = Math.round((now - 23 * 3600 + (at / count) * 22.9 * 3600 + roll() * 60) * 1000) / 1000;
    let pick = roll() * sum;
    const [host, path] = hosts.find(([, , weight]) => (pick -= weight) <= 0) ?? hosts[0]!;
    const client = `10.10.10.${7 + Math.floor(roll() * 3)}`;
    const method = host === "api.anthropic.com" || path === "/collect" || host === "pastebin.com" ? "POST" : "GET";
    const base = { client, host, port: 443, method, url: `https://${host}${path}` };
    const fate = roll();
    if (host === "pastebin.com" || (host === "telemetry.example.net" && fate < 0.6)) {
      write({ ts, event: "blocked", ...base, reason: "not_in_allowlist", req_headers: [["Host", host]], req_body: '{"data": 1}' });
    } else if (fate > 0.985) {
      write({ ts, event: "error", ...base, reason: "connect_failed: connection refused" });
    } else {
      const wouldBlock = host === "huggingface.co" || host === "telemetry.example.net" ? { audit: "would_block_in_enforce" } : {};
      write({
        ts, event: "allowed", ...base, status: fate < 0.03 ? 404 : fate < 0.04 ? 529 : 200, bytes: Math.floor(roll() * 90_000) + 200, ...wouldBlock,
        req_headers: [["Host", host], ["User-Agent", "agent/1.4"]], res_headers: [["Content-Type", "application/json"]], res_body: '{"type": "message", "content": []}',
      });
    }
  }
  const ts = now - 300;
  write({ ts, event: "blocked", client: "10.10.10.9", host: "xss.example", port: 443, method: hostileMethod, url: 'https://xss.example/"><script>window.pwned=1</script>', reason: "<b>not_in_allowlist</b>",
    req_headers: [["X-<script>window.pwned=1</script>", "<img src=x onerror=window.pwned=1>\u202edekcah"]], req_body: "<svg onload=window.pwned=1>" });
  lines.push("this is no JSON at all", '{"ts": 1, "event": "allo');
  const items = Array.from({ length: 9000 }, (_, at) => ({ role: at % 2 ? "assistant" : "user", content: `message ${at} ${"lorem ipsum ".repeat(7)}` }));
  write({ ts: ts + 1, event: "allowed", client: "10.10.10.8", host: "api.anthropic.com", port: 443, method: "POST", url: `https://api.anthropic.com${bigBodyPath}`, status: 200, bytes: 512,
    req_headers: [["Host", "api.anthropic.com"], ["Content-Type", "application/json"], ["Authorization", "Bearer shown-only-when-asked"]],
    req_body: JSON.stringify({ messages: items }).slice(0, 1024 * 1024), req_truncated: true,
    res_headers: [["Content-Type", "text/event-stream"]], res_body: 'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1"}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n' });
  return `${lines.join("\n")}\n`;
}
