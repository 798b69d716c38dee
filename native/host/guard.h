/* guard.h: keeps the answer whole whatever the kernel library does to the process. */
#ifndef DUALMEM_GUARD_H
#define DUALMEM_GUARD_H

#include "answer.h"

/* Moves the answer to a descriptor of its own and points standard output at standard error, so that nothing a library
 * prints can be taken for an event. Returns the descriptor, -1 on failure. */
int dmx_guard_output(void);

/* From now on a fatal signal writes the `crash` event before the process dies of it, and exit() called by the library
 * leaves an `error` event behind. SIGTERM counts as fatal, so that a caller which ends a hanging worker learns the arm.
 */
void dmx_guard_install(const dmx_answer *answer);

/* Emits the `phase` event and remembers it. arm: -1 for none. */
void dmx_guard_phase(dmx_answer *answer, const char *phase, int arm);
const char *dmx_guard_current_phase(void);
int dmx_guard_current_arm(void);

/* The answer is complete; exit() is ours now. */
void dmx_guard_finished(void);

#endif
