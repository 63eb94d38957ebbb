import { describe, expect, test } from "vitest";
import { InvitationWatch } from "./invitation-watch.ts";
import type { ListedMember, MemberList } from "./member-list.ts";

const MEMBER: ListedMember = {
  ...{ name: "4", role: "learner", id: 4, peerAddress: "p", clientAddress: "c" },
  ...{ behind: 0, isActive: true, isSentImage: false },
};

function list(term: number, part: Partial<MemberList> = {}): MemberList {
  return { leader: "1", term, members: [], joining: [], invited: [], ...part };
}

describe("an invitation", () => {
  test("is there while its name is invited, asks, or is a member", () => {
    const watch = new InvitationWatch("4");
    expect(watch.look(list(3, { invited: ["4"] }), 0)).toBe("there");
    expect(watch.look(list(3, { joining: ["4"] }), 1)).toBe("there");
    expect(watch.look(list(3, { members: [MEMBER] }), 2)).toBe("there");
  });

  test("is lost once for every leader that did not give it", () => {
    const watch = new InvitationWatch("4");
    expect(watch.look(list(3), 0)).toBe("lost");
    expect(watch.look(list(3, { invited: ["4"] }), 1)).toBe("there");
    expect(watch.look(list(5, { joining: ["4"] }), 2)).toBe("lost");
    expect(watch.look(list(5, { joining: ["4"] }), 3)).toBe("there");
  });

  test("is withdrawn where the leader that gave it knows nothing of it before it ran out", () => {
    const watch = new InvitationWatch("4");
    watch.look(list(3, { invited: ["4"] }), 0);
    expect(watch.look(list(3, { invited: ["5"] }), 1)).toBe("withdrawn");
    expect(watch.look(list(3), 600_000)).toBe("lost");
  });

  test("was taken up, and its node taken out again, where it was a member in between", () => {
    const watch = new InvitationWatch("4");
    watch.look(list(3, { invited: ["4"] }), 0);
    watch.look(list(3, { members: [MEMBER] }), 1);
    expect(watch.look(list(3), 2)).toBe("takenOut");
    // Who has just begun to lead may not have applied yet that it is one.
    expect(watch.look(list(4), 3)).toBe("lost");
  });
});
