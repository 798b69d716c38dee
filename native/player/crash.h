/* crash.h: a player that dies says in which operation. */
#ifndef DUALMEM_PLAYER_CRASH_H
#define DUALMEM_PLAYER_CRASH_H

#include "host/answer.h"
#include "trace.h"

/* After dmx_guard_install, whose handler knows phase and arm alone: from now on the `crash` event also names the
 * operation. `trace` is read when it happens; names of kinds may be filled in later. */
void dmp_crash_install(const dmx_answer *answer, const dmp_trace *trace);

#endif
