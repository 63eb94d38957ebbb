/** As a node looks from outside. */
export interface LogLook {
  /** What changes with every image that takes the place of another one. */
  readonly images: string;
  /** Where the image stands. */
  readonly checkpoint: number;
  /** It sends a snapshot, whose receiver goes on from the log. */
  readonly isSending: boolean;
}

/** Checkpoints that a log is kept for, and one more, for whoever has received a snapshot since the last one. */
const KEPT = 4;

/**
 * Up to where the log of one life of a node is of no use any more, as far as can be seen by a look now and then: a node
 * keeps what follows its last three checkpoints, whatever a snapshot that it sends goes on from, and, behind one that it has
 * received, everything until it has made two more.
 */
export class LogBound {
  #images = "";
  /** Where they stood since nothing was sent or received, as far as they were seen; the last few. */
  #checkpoints: number[] = [];

  look({ images, checkpoint, isSending }: LogLook): void {
    if (isSending || images !== this.#images) this.#checkpoints = [];
    this.#images = images;
    if (this.#checkpoints.at(-1) !== checkpoint) this.#checkpoints.push(checkpoint);
    if (this.#checkpoints.length > KEPT) this.#checkpoints.shift();
  }

  /** Null: too little was seen. */
  get index(): number | null {
    const [oldest] = this.#checkpoints;
    return oldest === undefined || this.#checkpoints.length < KEPT ? null : oldest;
  }
}
