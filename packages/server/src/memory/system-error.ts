/** As the operating system's calls fail: `code` says why, such as EIO. */
export function systemError(code: string): Error & { readonly code: string } {
  return Object.assign(new Error(code), { code });
}
