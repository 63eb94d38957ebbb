/** `1 session`, `2 sessions`; several of what takes more than an s: `several`. */
export function counted(count: number, what: string, several: string = `${what}s`): string {
  return `${count} ${count === 1 ? what : several}`;
}
