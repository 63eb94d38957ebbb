import { assert } from "./assert.ts";
import { reached } from "./points.ts";

/** Says that an item is not as the image has it. `Image` is what the image holds of one. */
export interface Mark<Item, Image> {
  readonly item: Item;
  /** Of the list that holds this mark; the current one's, or the frozen one's. */
  generation: number;
  index: number;
  /** The image may hold the item, so that its end must be told. */
  isImaged: boolean;
  /** As it was when the list was frozen, if it has changed since. */
  preImage: Image | null;
}

/** What a {@link DirtyList} asks of its items. A mark of null: the image holds it as it is. */
export interface Markable<Item, Image> {
  mark: Mark<Item, Image> | null;
  isRemoved: boolean;
}

/** One drained item: its content when the list was frozen, or null if it was removed by then. */
export interface Frozen<Item, Image> {
  readonly item: Item;
  readonly image: Image | null;
}

/**
 * Items that changed since the last completed checkpoint, in the order of their first change, and during a checkpoint
 * beside them those it writes. Which item is in which list stands in the item, so that a change costs no look-up.
 */
export class DirtyList<Item extends Markable<Item, Image>, Image> {
  readonly #capture: (item: Item) => Image;
  #generation = 1;
  #marks: (Mark<Item, Image> | null)[] = [];
  #holes = 0;
  #frozen: (Mark<Item, Image> | null)[] | null = null;
  #drained = 0;

  constructor(capture: (item: Item) => Image) {
    this.#capture = capture;
  }

  /** Must precede every change of an item that existed before. */
  touch(item: Item): void {
    const mark = item.mark;
    if (mark !== null) {
      if (mark.generation === this.#generation) return;
      reached("changed_while_checkpoint_under_way");
      assert(mark.preImage === null, "pre_image_saved_once");
      mark.preImage = this.#capture(item);
    }
    this.#push(item, true);
  }

  /** A new item. */
  add(item: Item): void {
    assert(item.mark === null, "new_items_are_unmarked");
    this.#push(item, false);
  }

  /** The item is gone, after `touch`. What the image never held leaves no trace. */
  remove(item: Item): void {
    assert(item.isRemoved, "removed_items_say_so");
    const mark = item.mark;
    assert(mark !== null && mark.generation === this.#generation, "touched_before_removed");
    if (mark.isImaged) return;
    reached("gone_before_any_checkpoint");
    this.#marks[mark.index] = null;
    item.mark = null;
    this.#holes += 1;
    if (this.#holes > 1024 && this.#holes * 2 > this.#marks.length) {
      reached("dirty_list_compacted");
      this.#compact();
    }
  }

  /** No image holds anything any more: `items`, which are all there are, count as new. */
  forgetImage(items: Iterable<Item>): void {
    assert(this.#frozen === null, "forgotten_between_checkpoints");
    for (const mark of this.#marks) if (mark !== null) mark.item.mark = null;
    this.#marks = [];
    this.#holes = 0;
    for (const item of items) {
      assert(!item.isRemoved, "removed_items_are_not_among_them");
      this.#push(item, false);
    }
  }

  freeze(): void {
    assert(this.#frozen === null, "one_checkpoint_at_a_time");
    this.#frozen = this.#marks;
    this.#drained = 0;
    this.#marks = [];
    this.#holes = 0;
    this.#generation += 1;
  }

  /** Next frozen item, or null at the end. */
  drain(): Frozen<Item, Image> | null {
    const frozen = this.#frozen;
    assert(frozen !== null, "drained_while_frozen");
    while (this.#drained < frozen.length) {
      const mark = frozen[this.#drained] ?? null;
      this.#drained += 1;
      if (mark === null) continue;
      const item = mark.item;
      if (item.mark !== mark) {
        reached("checkpoint_wrote_state_of_its_revision");
        return { item, image: mark.preImage };
      }
      item.mark = null;
      if (item.isRemoved) reached("checkpoint_took_item_out_of_image");
      return { item, image: item.isRemoved ? null : this.#capture(item) };
    }
    return null;
  }

  complete(): void {
    assert(this.#frozen !== null, "completed_while_frozen");
    assert(this.#drained === this.#frozen.length, "completed_after_draining");
    this.#frozen = null;
  }

  /** Everything frozen is dirty again, in its old order, before what changed since. */
  abandon(): void {
    const frozen = this.#frozen;
    assert(frozen !== null, "abandoned_while_frozen");
    reached("checkpoint_abandoned");
    const kept: (Mark<Item, Image> | null)[] = [];
    for (const mark of frozen) {
      // An item that changed since has a mark in the current list already.
      if (mark === null) continue;
      if (mark.item.mark !== null && mark.item.mark !== mark) {
        reached("abandoned_item_had_changed_again");
        continue;
      }
      mark.item.mark = mark;
      mark.preImage = null;
      kept.push(mark);
    }
    this.#frozen = null;
    this.#marks = kept.concat(this.#marks);
    this.#compact();
  }

  #push(item: Item, isImaged: boolean): void {
    const generation = this.#generation;
    const mark = { item, generation, index: this.#marks.length, isImaged, preImage: null };
    item.mark = mark;
    this.#marks.push(mark);
  }

  #compact(): void {
    const marks: Mark<Item, Image>[] = [];
    for (const mark of this.#marks) {
      if (mark === null) continue;
      mark.index = marks.length;
      mark.generation = this.#generation;
      marks.push(mark);
    }
    this.#marks = marks;
    this.#holes = 0;
  }
}
