/** Milliseconds the answer of a client's library may take. */
const PATIENCE = 10_000;

/** The promise's result, or a failure in time: no library's callback that never comes may hang a test. */
export async function within<T>(what: string, promise: Promise<T>, milliseconds = PATIENCE): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${milliseconds} ms: ${what}`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
