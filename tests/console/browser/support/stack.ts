// The real leash with the real leash-console beside it, an origin, and an agent that is curl.
import { execFile } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { makeOrigin, type Origin } from "./origin";
import { cleanEnvironment, Program } from "./program";
import { until } from "./wait";

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), "../../../..");
const build = process.env["LEASH_BUILD"] ?? join(root, "build");

export const names = { model: "api.example.net", tools: "tools.example.net", denied: "pastebin.example.org" };

// leash sees a hosts file of its own; the rest of the machine stays as it is.
const enter = 'set -e; mount --bind "$1" /etc/hosts; shift; exec "$@"';

export interface Answer {
  status: number;
  body: string;
}

export interface StackOptions {
  seed?: string; // lines that the log begins with
  mode?: string;
  auth?: "token" | "off";
  enforce?: string;
}

export class Stack {
  private constructor(
    readonly directory: string,
    readonly origin: Origin,
    private readonly leash: Program,
    private readonly console: Program,
    readonly proxy: string,
    readonly address: string, // of the console
  ) {}

  static async start(options: StackOptions = {}): Promise<Stack> {
    const directory = await mkdtemp(join(tmpdir(), "leash-console-"));
    const at = (name: string) => join(directory, name);
    for (const name of ["policy", "ca", "logs", "state", "origin"]) await mkdir(at(name));
    await chmod(at("ca"), 0o700);
    await chmod(at("state"), 0o700);
    const origin = await makeOrigin(at("origin"), Object.values(names));
    await writeFile(at("hosts"), `127.0.0.1 localhost ${Object.values(names).join(" ")}\n`);
    await writeFile(at("policy/mode"), `${options.mode ?? "enforce"}\n`);
    await writeFile(at("policy/enforce.yaml"), options.enforce ?? `# what agents may reach\nallow:\n  - host: ${names.model}\n    ports: [${origin.port}]\n    reason: "the model"\n`);
    await writeFile(at("policy/blocklist.yaml"), "block: []\n");
    await writeFile(at("policy/agents.yaml"), "agent_networks: [10.10.10.0/24]\n");
    if (options.seed) await writeFile(at("logs/egress.jsonl"), options.seed);
    const environment = cleanEnvironment();
    const namespace = process.getuid?.() === 0 ? ["unshare", "-m"] : ["unshare", "-r", "-m"];
    const leash = new Program("leash", [
      ...namespace, "sh", "-c", enter, "sh", at("hosts"), join(build, "leash"), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--policy-dir", at("policy"), "--log", at("logs/egress.jsonl"),
      "--ca-dir", at("ca"), "--origin-ca", origin.caFile, "--allow-origin-network", "127.0.0.0/8", "--workers", "1",
    ], environment);
    const proxy = await leash.says(/listening on (127\.0\.0\.1:\d+)/);
    const admin = await leash.says(/admin on (127\.0\.0\.1:\d+)/);
    const console = new Program("leash-console", [
      join(build, "leash-console"), "--listen", "127.0.0.1:0", "--policy-dir", at("policy"), "--log", at("logs/egress.jsonl"), "--admin", admin, "--state-dir", at("state"),
    ], { ...environment, LEASH_CONSOLE_AUTH: options.auth ?? "token", LEASH_CA_DIR: at("ca") });
    const address = await console.says(/console on (http:\/\/127\.0\.0\.1:\d+)/);
    return new Stack(directory, origin, leash, console, proxy, address);
  }

  async token(role: "operator" | "viewer" = "operator"): Promise<string> {
    return (await run(join(build, "leashctl"), ["--policy-dir", join(this.directory, "policy"), "console", "token", "--state-dir", join(this.directory, "state"), ...(role === "viewer" ? ["--viewer"] : [])], { env: cleanEnvironment() })).stdout.trim().split(/\s+/).pop()!;
  }

  // One request of an agent. Status 0: there was no answer.
  async agent(host: string, path = "/", more: string[] = []): Promise<Answer> {
    const { stdout } = await run("curl", [
      "-s", "--max-time", "30", "-x", `http://${this.proxy}`, "--cacert", join(this.directory, "ca/leash-ca-cert.pem"), "-w", "\n%{http_code} %{http_connect}", ...more, `https://${host}:${this.origin.port}${path}`,
    ], { env: cleanEnvironment() }).catch((error: { stdout?: string }) => ({ stdout: error.stdout ?? "" }));
    const cut = stdout.lastIndexOf("\n");
    const [status, connect] = stdout.slice(cut + 1).split(" ").map(Number);
    return { status: status || connect || 0, body: stdout.slice(0, Math.max(0, cut)) };
  }

  async policyFile(name: string): Promise<string> {
    return readFile(join(this.directory, "policy", name), "utf8");
  }

  // As an editor or leashctl would, outside the console.
  async writePolicy(name: string, text: string): Promise<void> {
    const path = join(this.directory, "policy", name);
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }

  async log(): Promise<Record<string, unknown>[]> {
    const text = await readFile(join(this.directory, "logs/egress.jsonl"), "utf8");
    return text.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}")).map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  async logged(what: string, fits: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    return until(`a log line: ${what}`, async () => (await this.log()).find(fits));
  }

  said(): string {
    return `${this.leash.said}\n${this.console.said}`;
  }

  async stop(): Promise<void> {
    await this.console.stop();
    await this.leash.stop();
    await this.origin.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}
