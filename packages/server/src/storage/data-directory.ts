/** Names inside a node's data directory. */
export const IDENTITY_FILE = "identity";
export const LOG_DIRECTORY = "log";
/** Images are directories with this prefix; the identity names the one in force. */
export const IMAGE_PREFIX = "image-";
/** Damaged data that were set aside are in directories with this prefix. */
export const DAMAGED_PREFIX = "damaged-";
/** Takes up space that is given up when the disk is full. */
export const RESERVE_FILE = "reserve";
