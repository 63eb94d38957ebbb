import type { Member, Membership } from "@quorate/raft";
import type { ConfiguredMember } from "../config.ts";
import { memberById } from "./formation.ts";

/** What {@link MemberAddresses} decides by. */
export interface MemberAddressesOptions {
  readonly configured: readonly ConfiguredMember[];
  /** The members that the ensemble was formed of. */
  readonly founders: Membership;
}

/**
 * Where this node reaches members. Addresses change more often than members do: of a founder the one that the configuration
 * names wins. It was written for that identity alone: who came later, though under the same name, said at which address.
 */
export class MemberAddresses {
  readonly #options: MemberAddressesOptions;

  constructor(options: MemberAddressesOptions) {
    this.#options = options;
  }

  /** The member with the addresses at which it is reached. */
  reachable(member: Member): Member {
    const known = this.#isFounder(member) ? this.#configured(member) : undefined;
    if (known === undefined) return member;
    return { ...member, peerAddress: known.peerAddress, clientAddress: known.clientAddress };
  }

  /** For a node that finds nobody: perhaps somebody else has the name now, where the configuration says. */
  anywhere(member: Member): Member {
    const { peerAddress } = this.reachable(member);
    const addresses = new Set(peerAddress.split("|"));
    for (const address of this.#configured(member)?.peerAddress.split("|") ?? []) {
      addresses.add(address);
    }
    return { ...member, peerAddress: [...addresses].join("|") };
  }

  #isFounder({ id, name }: Member): boolean {
    return memberById(this.#options.founders, id)?.name === name;
  }

  #configured({ name }: Member): ConfiguredMember | undefined {
    return this.#options.configured.find((member) => member.name === name);
  }
}
