// An origin of the test's own, over TLS and in the clear, under names that only leash's hosts file knows.
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Origin {
  port: number;
  caFile: string;
  hits: string[]; // "METHOD host path"
  close: () => Promise<void>;
}

export async function makeOrigin(directory: string, names: readonly string[]): Promise<Origin> {
  const at = (name: string) => join(directory, name);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await run("openssl", ["req", "-x509", ...key, "-keyout", at("ca.key"), "-out", at("ca.pem"), "-days", "30", "-subj", "/CN=origins of the test"]);
  await run("openssl", [
    "req", "-x509", ...key, "-keyout", at("origin.key"), "-out", at("origin.pem"), "-days", "30", "-subj", "/CN=origin", "-CA", at("ca.pem"), "-CAkey", at("ca.key"),
    "-addext", `subjectAltName=${names.map((name) => `DNS:${name}`).join(",")}`, "-addext", "basicConstraints=critical,CA:FALSE",
  ]);
  const hits: string[] = [];
  const server = https.createServer({ key: await readFile(at("origin.key")), cert: await readFile(at("origin.pem")) }, (request, response) => {
    let body = "";
    request.on("data", (data: Buffer) => (body += data.toString()));
    request.on("end", () => {
      hits.push(`${request.method} ${request.headers.host?.split(":")[0]} ${request.url}`);
      answer(request.url ?? "/", body, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    caFile: at("ca.pem"),
    hits,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(url: string, body: string, response: http.ServerResponse): void {
  if (url.startsWith("/moved")) {
    response.writeHead(302, { Location: "/elsewhere?token=hidden" }).end();
    return;
  }
  if (url.startsWith("/missing")) {
    response.writeHead(404, { "Content-Type": "application/json" }).end('{"error":"no such thing"}');
    return;
  }
  const said = { ok: true, path: url, received: body.length, models: [{ id: "m-1", context: 200000 }, { id: "m-2", context: 1000000 }] };
  response.writeHead(200, { "Content-Type": "application/json", "Set-Cookie": "session=secret-cookie" }).end(JSON.stringify(said));
}
