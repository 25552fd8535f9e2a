// SPDX-License-Identifier: Apache-2.0
// Runs the scenarios of a program and says of each whether it passed, a line each, as
// javascript_clients.py reads them: `ok NAME` or `FAIL NAME: why`. A scenario that does not end
// fails too. Ports come as arguments, one for each node.
import assert from 'node:assert/strict';

const SCENARIO_MS_MAX = 20000;

export const ports = process.argv.slice(2).map(Number);

function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Plays them one by one and ends the process, whatever connections are still open. */
export async function play(scenarios) {
  let failed = 0;
  for (const [name, scenario] of Object.entries(scenarios)) {
    try {
      await within(SCENARIO_MS_MAX, scenario());
      console.log(`ok ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${name}: ${String(error?.stack ?? error).replace(/\s*\n\s*/g, ' | ')}`);
    }
  }
  console.log('played all');
  process.exit(failed ? 1 : 0);
}

/** Waits until `look` answers with something true: for what a server sends by itself. */
export async function until(what, look, milliseconds = 5000) {
  const end = Date.now() + milliseconds;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    assert.ok(Date.now() < end, `${what} did not come`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** How many of `count` attempts went through, all under way at once. */
export async function passed(count, attempt) {
  const outcomes = await Promise.all(Array.from({ length: count }, (_, i) => attempt(i)));
  return outcomes.filter(Boolean).length;
}

/** That a promise is rejected with a text. */
export async function refused(promise, pattern) {
  await assert.rejects(promise, (error) => {
    assert.match(String(error?.message ?? error), pattern);
    return true;
  });
}
