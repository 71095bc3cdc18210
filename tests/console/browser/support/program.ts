// A program that a test started: what it says, and its end.
import { spawn, type ChildProcess } from "node:child_process";
import { until } from "./wait";

export class Program {
  said = "";
  private readonly process: ChildProcess;

  constructor(
    readonly name: string,
    command: string[],
    environment: NodeJS.ProcessEnv,
  ) {
    this.process = spawn(command[0]!, command.slice(1), { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.process.stdout, this.process.stderr]) stream?.on("data", (data: Buffer) => (this.said += data.toString()));
  }

  isRunning(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  // The first group of what it says, once it has said it.
  async says(pattern: RegExp): Promise<string> {
    const found = await until(`${this.name} says ${pattern}`, () => {
      if (!this.isRunning()) throw new Error(`${this.name} ended (${this.process.exitCode}): ${this.said}`);
      return pattern.exec(this.said);
    });
    return found[1] ?? "";
  }

  async stop(): Promise<void> {
    if (!this.isRunning()) return;
    this.process.kill("SIGTERM");
    try {
      await until(`${this.name} ends`, () => !this.isRunning(), 15);
    } catch {
      this.process.kill("SIGKILL");
    }
  }
}

// Without what the environment of the test run says about proxies and leash.
export function cleanEnvironment(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/_proxy$/i.test(name) && !name.startsWith("LEASH_") && name !== "PORT");
  return { ...Object.fromEntries(kept), ...more };
}
