/* decay.c: forgetting, over all bindings.
 *
 * The strengths are streamed in the order of their blocks. A block has one concept, so what decays it is found once for eight:
 * its owner, the owner's cached modulation, and a factor, 128 blocks at a time so that all this stays in L1.
 *
 * While others may update strengths, each word is changed by compare-and-swap, as they do. The processor's locked instruction
 * is what that costs, so two neighbouring strengths take one: 1.05 instead of 2.16 ns a binding in L1. Updates by others are of
 * 32 bits; x86 does an aligned locked access of either width on the whole cache line, so each excludes the other. Four at once
 * (cmpxchg16b, 0.82 ns) would need a question about the processor and assembly. A swap that would change nothing is left
 * out. */
#include "graph/decay.h"

#include <math.h>

#include "parallel/team.h"

#include "store/poison.h"

/* --- one stretch ----------------------------------------------------------------------------------------------------- */

enum {
    CHUNK = 128,      /* blocks: 4 KiB of strengths */
    TASK = 32 * CHUNK, /* blocks: 128 KiB of strengths; 3 us alone in the store, 40 us beside others */
    AHEAD = 512       /* bytes: a locked instruction waits for its line, so the lines are asked for ahead */
};

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)

typedef uint64_t __attribute__((may_alias)) pair_of_strengths;

static inline uint64_t decay_pair(uint64_t bits, float factor) {
    return dm_decay_strength((uint32_t)bits, factor) | (uint64_t)dm_decay_strength((uint32_t)(bits >> 32), factor) << 32;
}

static void scale_block(_Atomic uint32_t *strengths, float factor) {
    pair_of_strengths *pairs = (pair_of_strengths *)(void *)strengths;
    for (uint32_t i = 0; i < DM_BLOCK_ENTRIES / 2; i++) {
        pair_of_strengths before = __atomic_load_n(&pairs[i], __ATOMIC_RELAXED);
        for (;;) {
            uint64_t after = decay_pair(before, factor);
            if (after == before || __atomic_compare_exchange_n(&pairs[i], &before, after, 1, __ATOMIC_RELAXED,
                                                               __ATOMIC_RELAXED)) {
                break;
            }
        }
    }
}

#else

static void scale_block(_Atomic uint32_t *strengths, float factor) {
    for (uint32_t i = 0; i < DM_BLOCK_ENTRIES; i++) {
        uint32_t before = atomic_load_explicit(&strengths[i], memory_order_relaxed);
        for (;;) {
            uint32_t after = dm_decay_strength(before, factor);
            if (after == before || atomic_compare_exchange_weak_explicit(&strengths[i], &before, after, memory_order_relaxed,
                                                                         memory_order_relaxed)) {
                break;
            }
        }
    }
}

#endif

static void scale_shared(_Atomic uint32_t *strengths, const float *factors, uint32_t blocks) {
    for (uint32_t block = 0; block < blocks; block++) {
        _Atomic uint32_t *places = strengths + (size_t)block * DM_BLOCK_ENTRIES;
        __builtin_prefetch((const char *)places + AHEAD, 1);
        scale_block(places, factors[block]);
    }
}

/* The inline block of a concept has the concept's number, and a stretch of them its modulations side by side; other blocks name
 * their owner. No stretch has blocks of both kinds. Fills up to a multiple of eight. */
static void gather_modulations(const dm_store *store, uint32_t begin, uint32_t blocks, float *modulations) {
    const dm_node *concepts = dm_node_at(store, dm_concept_slot(0));
    if (begin < store->bindings.places_pool.inline_count) {
        const dm_node *node = concepts + begin;
#pragma GCC unroll 8
        for (uint32_t i = 0; i < blocks; i++) {
            modulations[i] = dm_float_from_bits(atomic_load_explicit(&node[i].weight, memory_order_relaxed));
        }
    } else {
        const _Atomic uint32_t *owner = store->bindings.owner + begin;
        for (uint32_t i = 0; i < blocks; i++) {
            const dm_node *node = concepts + atomic_load_explicit(&owner[i], memory_order_relaxed);
            modulations[i] = dm_float_from_bits(atomic_load_explicit(&node->weight, memory_order_relaxed));
        }
    }
    for (uint32_t i = blocks; i % 8 != 0; i++) {
        modulations[i] = 0.0f;
    }
}

_Static_assert((int)DM_DECAY_BLOCK == (int)DM_BLOCK_ENTRIES, "a factor for each block");

void dm_decay_blocks(const dm_decay_plan *plan, uint32_t begin, uint32_t end) {
    _Alignas(DM_CACHE_LINE) float modulations[CHUNK];
    _Alignas(DM_CACHE_LINE) float factors[CHUNK];
    for (; begin < end; begin += CHUNK) {
        uint32_t blocks = end - begin < CHUNK ? end - begin : CHUNK;
        gather_modulations(plan->store, begin, blocks, modulations);
        plan->variant->factors(&plan->amount, modulations, blocks, factors);
        _Atomic uint32_t *strengths = &plan->store->bindings.strengths[(size_t)begin * DM_BLOCK_ENTRIES];
        if (plan->exclusive) {
            plan->variant->scale((uint32_t *)(void *)strengths, factors, blocks);
        } else {
            scale_shared(strengths, factors, blocks);
        }
    }
}

/* --- the whole store ------------------------------------------------------------------------------------------------------ */

/* The blocks in use: those inline in the concepts there have been, and those taken from the pool. Between the two lie inline
 * blocks whose memory nothing has touched yet, and decay must not be the first. */
typedef struct stretches {
    dm_decay_plan plan;
    uint32_t inline_end;
    uint32_t pool_begin;
    uint32_t pool_end;
} stretches;

static uint32_t tasks_of(uint32_t blocks) {
    return blocks / TASK + (blocks % TASK != 0);
}

static dm_decay_plan make_plan(dm_store *store, const dm_decay_options *options) {
    double amount = options->lambda_per_second * ((double)options->elapsed_ns / 1e9);
    return (dm_decay_plan){.store = store,
                           .variant = dm_decay_best(),
                           .amount = {options->mode, amount < DM_DECAY_AMOUNT_MAX ? amount : DM_DECAY_AMOUNT_MAX},
                           .exclusive = options->exclusive};
}

static stretches make_stretches(dm_store *store, const dm_decay_options *options) {
    stretches made = {.plan = make_plan(store, options)};
    (void)pthread_mutex_lock(&store->lock);
    made.inline_end = store->concepts.index_count;
    (void)pthread_mutex_unlock(&store->lock);
    (void)pthread_mutex_lock(&store->bindings.pool_lock);
    made.pool_begin = store->bindings.places_pool.inline_count;
    made.pool_end = store->bindings.places_pool.used;
    (void)pthread_mutex_unlock(&store->bindings.pool_lock);
    return made;
}

static void decay_task(void *context, uint32_t task, uint32_t member) {
    const stretches *all = context;
    (void)member;
    uint32_t inline_tasks = tasks_of(all->inline_end);
    uint32_t begin = task < inline_tasks ? task * TASK : all->pool_begin + (task - inline_tasks) * TASK;
    uint32_t end = task < inline_tasks ? all->inline_end : all->pool_end;
    dm_decay_blocks(&all->plan, begin, end - begin < TASK ? end : begin + TASK);
}

static int32_t check_options(const dm_store *store, const dm_decay_options *options, char *error, size_t error_size) {
    if (options->size != sizeof(dm_decay_options)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "options of %zu bytes, this library knows %zu: set .size",
                       options->size, sizeof(dm_decay_options));
    }
    if (options->mode != DM_DECAY_EXPONENTIAL && options->mode != DM_DECAY_LINEAR) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "decay mode %d: want DM_DECAY_EXPONENTIAL or DM_DECAY_LINEAR; nothing was decayed", options->mode);
    }
    if (options->exclusive != 0 && options->exclusive != 1) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size, "exclusive %d is neither 0 nor 1", options->exclusive);
    }
    if (!(options->lambda_per_second >= 0.0) || !isfinite(options->lambda_per_second)) {
        return dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                       "lambda %g per second: want a finite number, 0 or more; nothing was decayed",
                       options->lambda_per_second);
    }
    return store->single_type
               ? dm_fail(DM_ERROR_ARGUMENT, error, error_size, "a single-type store has no bindings that could decay")
               : DM_OK;
}

int32_t dm_store_decay(dm_store *store, const dm_decay_options *options, dm_team *team, char *error, size_t error_size) {
    int32_t status = check_options(store, options, error, error_size);
    if (status == DM_OK) {
        stretches all = make_stretches(store, options);
        uint32_t tasks = tasks_of(all.inline_end) + tasks_of(all.pool_end - all.pool_begin);
        dm_team_run(team, tasks, decay_task, &all);
    }
    return status;
}

/* --- some concepts ------------------------------------------------------------------------------------------------------ */

/* Concepts per task, as in consolidation. */
enum { CONCEPTS_PER_TASK = 64 };

typedef struct chosen_concepts {
    dm_decay_plan plan;
    const uint32_t *slots;
    size_t count;
} chosen_concepts;

/* The concept's lock keeps its blocks in place, and two members of a team from decaying one concept at once. */
static void decay_concept(const dm_decay_plan *plan, uint32_t concept_slot) {
    const dm_bindings *bindings = &plan->store->bindings;
    dm_links *links = dm_links_at(plan->store, concept_slot);
    dm_links_lock(links);
    for (uint32_t block = dm_slot_index(concept_slot); block != DM_BLOCK_NONE;
         block = atomic_load_explicit(&bindings->next[block], memory_order_acquire)) {
        dm_decay_blocks(plan, block, block + 1);
    }
    dm_links_unlock(links);
}

static void decay_some(void *context, uint32_t task, uint32_t member) {
    const chosen_concepts *chosen = context;
    (void)member;
    const size_t begin = (size_t)task * CONCEPTS_PER_TASK;
    const size_t end = chosen->count - begin < CONCEPTS_PER_TASK ? chosen->count : begin + CONCEPTS_PER_TASK;
    for (size_t i = begin; i < end; i++) {
        decay_concept(&chosen->plan, chosen->slots[i]);
    }
}

int32_t dm_store_decay_concepts(dm_store *store, const dm_decay_options *options, const uint32_t *concept_slots, size_t count,
                                dm_team *team, char *error, size_t error_size) {
    int32_t status = check_options(store, options, error, error_size);
    if (status == DM_OK) {
        chosen_concepts chosen = {make_plan(store, options), concept_slots, count};
        dm_team_run(team, (uint32_t)((count + CONCEPTS_PER_TASK - 1) / CONCEPTS_PER_TASK), decay_some, &chosen);
    }
    return status;
}
