/** Whether a process is there, be it one that has ended and that nobody has asked for its exit. */
export function isRunning(processId: number): boolean {
  try {
    return process.kill(processId, 0);
  } catch {
    return false;
  }
}
