/* team.c: threads that wait for work; see team.h.
 *
 * A member that finds no work looks a while for the next before it sleeps, because waking a thread takes 5 to 50 us, as
 * long as a small scan. It looks for some microseconds only: on a machine with as many busy threads as cores, a member that
 * keeps looking takes the time from one that works. */
#include "parallel/team.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

#include "store/links.h"
#include "store/memory.h"
#include "store/store.h"

#include "store/poison.h"

enum { MOST_THREADS = 256, LOOKS = 400 };

typedef struct member {
    dm_team *team;
    pthread_t thread;
    uint32_t number;
} member;

struct dm_team {
    /* The work, written by the caller while every other member waits. */
    dm_team_work *work;
    void *context;
    uint32_t tasks;
    uint32_t threads;

    /* Each on a line of its own: taken by all, written often. */
    _Alignas(DM_CACHE_LINE) _Atomic uint32_t next_task;
    _Alignas(DM_CACHE_LINE) _Atomic uint32_t round;   /* grows with every call */
    _Alignas(DM_CACHE_LINE) _Atomic uint32_t working; /* members, the caller excepted, that have not finished the round */

    _Alignas(DM_CACHE_LINE) pthread_mutex_t call; /* one call at a time */
    pthread_mutex_t lock;                         /* for the two conditions */
    pthread_cond_t begun;
    pthread_cond_t finished;
    int ending; /* under lock, before the round changes */
    member members[];
};

static void do_tasks(dm_team *team, uint32_t number) {
    for (;;) {
        uint32_t task = atomic_fetch_add_explicit(&team->next_task, 1, memory_order_relaxed);
        if (task >= team->tasks) {
            return;
        }
        team->work(team->context, task, number);
    }
}

/* Waits until *value is not `old` any more (or, with `until_zero`, is 0). */
static void await_change(dm_team *team, const _Atomic uint32_t *value, uint32_t old, int until_zero, pthread_cond_t *condition) {
    for (unsigned spins = 0, looks = 0; looks < LOOKS; looks++, dm_relax(&spins)) {
        uint32_t now = atomic_load_explicit(value, memory_order_acquire);
        if (until_zero ? now == 0 : now != old) {
            return;
        }
    }
    (void)pthread_mutex_lock(&team->lock);
    for (;;) {
        uint32_t now = atomic_load_explicit(value, memory_order_acquire);
        if (until_zero ? now == 0 : now != old) {
            break;
        }
        (void)pthread_cond_wait(condition, &team->lock);
    }
    (void)pthread_mutex_unlock(&team->lock);
}

static void *live(void *argument) {
    const member *self = argument;
    dm_team *team = self->team;
    for (uint32_t round = 0;;) {
        await_change(team, &team->round, round, 0, &team->begun);
        round = atomic_load_explicit(&team->round, memory_order_acquire);
        if (team->ending) {
            return NULL;
        }
        do_tasks(team, self->number);
        if (atomic_fetch_sub_explicit(&team->working, 1, memory_order_acq_rel) == 1) {
            (void)pthread_mutex_lock(&team->lock); /* so that the caller is not between its look and its sleep */
            (void)pthread_cond_signal(&team->finished);
            (void)pthread_mutex_unlock(&team->lock);
        }
    }
}

static void begin_round(dm_team *team) {
    (void)pthread_mutex_lock(&team->lock);
    atomic_fetch_add_explicit(&team->round, 1, memory_order_release);
    (void)pthread_cond_broadcast(&team->begun);
    (void)pthread_mutex_unlock(&team->lock);
}

void dm_team_run(dm_team *team, uint32_t tasks, dm_team_work *work, void *context) {
    if (team == NULL || team->threads == 1 || tasks <= 1) {
        for (uint32_t task = 0; task < tasks; task++) {
            work(context, task, 0);
        }
        return;
    }
    (void)pthread_mutex_lock(&team->call);
    team->work = work;
    team->context = context;
    team->tasks = tasks;
    atomic_store_explicit(&team->next_task, 0, memory_order_relaxed);
    atomic_store_explicit(&team->working, team->threads - 1, memory_order_relaxed);
    begin_round(team);
    do_tasks(team, 0);
    await_change(team, &team->working, 0, 1, &team->finished);
    (void)pthread_mutex_unlock(&team->call);
}

int32_t dm_team_create(uint32_t threads, dm_team **result, char *error, size_t error_size) {
    *result = NULL;
    if (threads < 1 || threads > MOST_THREADS) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "a team of %u threads: want 1..%d", threads, (int)MOST_THREADS);
    }
    dm_memory account = {0};
    dm_team *team = dm_memory_allocate(&account, sizeof(dm_team) + threads * sizeof(member), DM_CACHE_LINE, 0);
    if (team == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for a team of %u threads", threads);
    }
    (void)pthread_mutex_init(&team->call, NULL);
    (void)pthread_mutex_init(&team->lock, NULL);
    (void)pthread_cond_init(&team->begun, NULL);
    (void)pthread_cond_init(&team->finished, NULL);
    team->threads = 1;
    for (uint32_t number = 1; number < threads; number++) {
        member *next = &team->members[number];
        *next = (member){.team = team, .number = number};
        int refused = pthread_create(&next->thread, NULL, live, next);
        if (refused != 0) {
            dm_team_destroy(team);
            return dm_fail(DM_ERROR_MEMORY, error, error_size, "the system started %u of %u threads and refused the next",
                           number - 1, threads - 1);
        }
        team->threads = number + 1;
    }
    *result = team;
    return DM_OK;
}

void dm_team_destroy(dm_team *team) {
    if (team == NULL) {
        return;
    }
    team->ending = 1; /* visible with the round */
    begin_round(team);
    for (uint32_t number = 1; number < team->threads; number++) {
        (void)pthread_join(team->members[number].thread, NULL);
    }
    (void)pthread_mutex_destroy(&team->call);
    (void)pthread_mutex_destroy(&team->lock);
    (void)pthread_cond_destroy(&team->begun);
    (void)pthread_cond_destroy(&team->finished);
    dm_memory account = {0};
    atomic_store_explicit(&account.bytes, sizeof(dm_team) + team->threads * sizeof(member), memory_order_relaxed);
    dm_memory_free(&account, team);
}

uint32_t dm_team_size(const dm_team *team) {
    return team == NULL ? 1 : team->threads;
}
