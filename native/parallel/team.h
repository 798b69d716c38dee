/* team.h: the threads of one call, from inside.
 *
 * A call cuts its work into tasks whose number and bounds depend on the work alone, never on the team; the team's members take
 * tasks from a shared counter. So what a task computes does not depend on how many threads there are, and a call that joins
 * its tasks' results in the order of the tasks gives the same bits with one thread and with many. */
#ifndef DUALMEM_PARALLEL_TEAM_H
#define DUALMEM_PARALLEL_TEAM_H

#include <stdint.h>

#include "dualmem/dualmem.h"

/* Does task `task`. `member` is 0..dm_team_size - 1, no two at the same time the same: for scratch memory made ahead. */
typedef void dm_team_work(void *context, uint32_t task, uint32_t member);

/* Does tasks 0..tasks - 1, each once, in any order, and returns when all are done; what they wrote is visible then. The caller
 * is member 0 and works too. NULL: the caller alone, in order. Must not be called from within a task of the same team. Does not
 * allocate; locks and may sleep when there is more than one member and more than one task. */
void dm_team_run(dm_team *team, uint32_t tasks, dm_team_work *work, void *context);

#endif
