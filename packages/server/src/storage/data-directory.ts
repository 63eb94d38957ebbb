/** Inside a node's data directory: who the node is. */
export const IDENTITY_FILE = "identity";
/** Inside a node's data directory: the segments of its log. */
export const LOG_DIRECTORY = "log";
/** Images are directories with this prefix; the identity names the one in force. */
export const IMAGE_PREFIX = "image-";
/** The number of the image in a directory of this name: a later one has a higher number. */
export const imageNumber = (name: string): number => Number(name.slice(IMAGE_PREFIX.length));
export const imageName = (number: number): string => `${IMAGE_PREFIX}${number}`;
/** Damaged data that were set aside are in directories with this prefix. */
export const DAMAGED_PREFIX = "damaged-";
/** Takes up space that is given up when the disk is full. */
export const RESERVE_FILE = "reserve";
