import { WebSocket } from "ws";

interface Waiter {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One page of a browser, told over the DevTools protocol what to do. */
export class DevTools {
  readonly #socket: WebSocket;
  readonly #waiters = new Map<number, Waiter>();
  #lastId = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      if (Buffer.isBuffer(data)) this.#onMessage(data.toString());
    });
    socket.on("close", () => this.#failAll(new Error("the page is gone")));
    socket.on("error", () => undefined);
  }

  static async attach(url: string): Promise<DevTools> {
    const socket = new WebSocket(url);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", () => resolve());
      socket.once("error", reject);
    });
    return new DevTools(socket);
  }

  /**
   * Runs `task` in the page and returns what its promise resolves with. Only its text gets there: it can use its arguments,
   * which go there as JSON, and what the page has; nothing that surrounds it.
   */
  run<Args extends readonly unknown[], T>(
    task: (...args: Args) => T | Promise<T>,
    ...args: Args
  ): Promise<T> {
    const list = args.map((arg) => JSON.stringify(arg)).join(",");
    return this.evaluate(`(async () => (${task.toString()})(${list}))()`);
  }

  /** The value of an expression in the page, or of the promise that it is. Rejects with what is thrown there. */
  async evaluate<T>(expression: string): Promise<T> {
    const parameters = { expression, awaitPromise: true, returnByValue: true };
    const answer = await this.send("Runtime.evaluate", parameters);
    const { result, exceptionDetails } = answer as EvaluateAnswer<T>;
    if (exceptionDetails === undefined) return result.value;
    const { exception, text } = exceptionDetails;
    throw new Error(`in the page: ${exception?.description ?? text}`);
  }

  /** One command of the protocol. */
  send(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiters.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  close(): void {
    this.#socket.terminate();
  }

  #onMessage(text: string): void {
    const { id, result, error } = JSON.parse(text) as Answer;
    const waiter = this.#waiters.get(id ?? 0);
    if (waiter === undefined) return;
    this.#waiters.delete(id ?? 0);
    if (error === undefined) waiter.resolve(result);
    else waiter.reject(new Error(error.message));
  }

  #failAll(error: Error): void {
    for (const waiter of this.#waiters.values()) waiter.reject(error);
    this.#waiters.clear();
  }
}

interface Answer {
  readonly id?: number;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

interface EvaluateAnswer<T> {
  readonly result: { readonly value: T };
  readonly exceptionDetails?: {
    readonly text: string;
    readonly exception?: { readonly description?: string };
  };
}
