/* lookup_follow.c: from the rows of a store to editions, and from one state of the store to the next.
 *
 * A refresh has three parts. Preparing: the rows of now are held, and where an index is to be made anew it is made;
 * this may fail, and then nothing has happened. Changing: graphs take in the rows that came and mark those that went,
 * new editions take the place of old ones; this cannot fail. Letting go: when the searches have ended that began
 * before. */
#include <sched.h>
#include <string.h>

#include "index/lookup_parts.h"

#include "store/poison.h"

/* --- editions ---------------------------------------------------------------------------------------------------- */

uint32_t dm_lookup_hold(dm_lookup *lookup, const dm_lookup_side *side, uint32_t **slots) {
    const dm_rows_table *table = side->table;
    uint32_t size = 0;
    *slots = dm_memory_allocate(&lookup->memory, table->row_capacity * sizeof(uint32_t), DM_CACHE_LINE, 0);
    if (*slots == NULL) {
        return 0;
    }
    for (uint32_t row = 0; row < table->row_capacity; row++) {
        (*slots)[row] = DM_SLOT_NONE;
    }
    for (uint32_t index = 0; index < table->capacity; index++) {
        uint32_t row = dm_rows_acquire(table, index);
        if (row != DM_ROW_NONE) {
            (*slots)[row] = side->of_concepts ? dm_concept_slot(index) : index;
            size++;
        }
    }
    return size;
}

void dm_lookup_release(const dm_lookup_side *side, const uint32_t *slots) {
    for (uint32_t row = 0; row < side->table->row_capacity; row++) {
        if (slots[row] != DM_SLOT_NONE) {
            dm_rows_release(side->table, row);
        }
    }
}

dm_rows dm_lookup_rows(const dm_lookup_side *side, const uint32_t *slots) {
    const dm_rows_table *table = side->table;
    uint32_t end = table->row_capacity;
    while (end > 0 && slots[end - 1] == DM_SLOT_NONE) {
        end--;
    }
    return (dm_rows){.values = table->values,
                     .stride = table->stride,
                     .inverse_norms = table->inverse_norms,
                     .slots = slots,
                     .count = end,
                     .dim = table->dim};
}

dm_edition *dm_edition_make(dm_lookup *lookup, const dm_lookup_side *side, uint32_t *slots) {
    dm_edition *made = dm_memory_allocate(&lookup->memory, sizeof(*made), DM_CACHE_LINE, 0);
    if (made == NULL) {
        dm_lookup_release(side, slots);
        dm_memory_free(&lookup->memory, slots);
        return NULL;
    }
    made->slots = slots;
    made->choice = (dm_lookup_choice){
        .method = DM_LOOKUP_EXACT, .recall = 1.0, .recall_low = 1.0, .reason = "there are no nodes yet"};
    return made;
}

void dm_edition_destroy(dm_lookup *lookup, const dm_lookup_side *side, dm_edition *edition) {
    if (edition == NULL) {
        return;
    }
    while (edition->idle_count > 0) {
        dm_index_scratch_destroy(edition->idle[--edition->idle_count], &lookup->memory);
    }
    dm_index_destroy(edition->index, &lookup->memory);
    dm_lookup_release(side, edition->slots);
    dm_memory_free(&lookup->memory, edition->slots);
    dm_memory_free(&lookup->memory, edition);
}

/* --- preparing --------------------------------------------------------------------------------------------------- */

/* One side on its way to the store's present state. */
typedef struct step {
    dm_lookup_side *side;
    uint32_t changes;
    uint32_t size;
    uint32_t *slots;           /* as dm_edition's; of a step that changes a graph: rows are held once more by it */
    dm_edition *edition;       /* the new one, or what was put aside for it; NULL: the graph is changed */
    dm_index_scratch *scratch; /* to change the graph with */
} step;

/* A plan is good for about as many rows as it was made for. */
static int is_good_for(const dm_edition *edition, uint32_t size) {
    return edition != NULL && edition->index != NULL && size <= 2 * (uint64_t)edition->choice.planned &&
           2 * (uint64_t)size >= edition->choice.planned;
}

void dm_edition_note_plan(dm_edition *edition, uint32_t planned) {
    const dm_plan *plan = dm_index_plan(edition->index);
    dm_lookup_choice *choice = &edition->choice;
    *choice = (dm_lookup_choice){.method = (int32_t)plan->method,
                                 .effort = plan->effort,
                                 .dims = plan->dims,
                                 .list_count = plan->list_count,
                                 .held_out = plan->held_out,
                                 .planned = planned,
                                 .recall = plan->recall,
                                 .recall_low = plan->recall_low};
    memcpy(choice->costs, plan->costs, sizeof(choice->costs));
    memcpy(choice->reason, plan->reason, sizeof(choice->reason));
}

/* Lists go on as they are while no more than half as many rows came as they were planned for. Among clustered and real
 * rows the recall then is that of new lists (docs/explanation/lookup.md). */
static int32_t follow_lists(dm_lookup *lookup, const step *at, const dm_edition *before, dm_team *team, char *error,
                            size_t error_size) {
    dm_edition *edition = at->edition;
    const dm_rows rows = dm_lookup_rows(at->side, edition->slots);
    uint32_t taken = before->taken;
    for (uint32_t row = 0; row < rows.count; row++) {
        taken += edition->slots[row] != DM_SLOT_NONE && before->slots[row] == DM_SLOT_NONE;
    }
    if (before->choice.method != DM_LOOKUP_LISTS || taken > before->choice.planned / 2) {
        return DM_OK;
    }
    int32_t status = dm_index_follow(before->index, &rows, team, &lookup->memory, &edition->index, error, error_size);
    if (edition->index != NULL) {
        edition->choice = before->choice;
        edition->taken = taken;
    }
    return status;
}

/* Indexes a new edition; nothing to do without rows. A method that was chosen for about as many rows is not chosen
 * again: that can take longer than all else. */
static int32_t index_rows(dm_lookup *lookup, step *at, dm_team *team, char *error, size_t error_size) {
    const dm_lookup_side *side = at->side;
    dm_edition *edition = at->edition;
    const dm_edition *before = is_good_for(side->edition, at->size) ? side->edition : NULL;
    const int32_t method = before != NULL ? before->choice.method : lookup->options.method;
    const dm_index_options options = {.method = (dm_method)method,
                                      .recall = lookup->options.recall,
                                      .k = lookup->options.k,
                                      .capacity = side->table->row_capacity,
                                      .seed = lookup->options.seed,
                                      .isa = lookup->isa,
                                      .similarity = (dm_similarity)lookup->options.similarity};
    if (at->size == 0) {
        return DM_OK;
    }
    int32_t status = before == NULL ? DM_OK : follow_lists(lookup, at, before, team, error, error_size);
    if (status != DM_OK || edition->index != NULL) {
        return status;
    }
    const dm_rows rows = dm_lookup_rows(side, edition->slots);
    status = dm_index_create(&rows, &options, team, &lookup->memory, &edition->index, error, error_size);
    if (status == DM_OK && before != NULL && before->choice.method == DM_LOOKUP_EXACT) {
        edition->choice = before->choice; /* with the reason */
    } else if (status == DM_OK) {
        dm_edition_note_plan(edition, before != NULL ? before->choice.planned : at->size);
    }
    return status;
}

static int can_follow(const dm_edition *edition, uint32_t size) {
    return is_good_for(edition, size) && dm_index_can_change(edition->index);
}

static int32_t prepare(dm_lookup *lookup, step *at, dm_team *team, char *error, size_t error_size) {
    dm_lookup_side *side = at->side;
    at->changes = atomic_load_explicit(&side->table->changes, memory_order_acquire);
    at->size = dm_lookup_hold(lookup, side, &at->slots);
    if (at->slots == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for a lookup over %u rows",
                       side->table->row_capacity);
    }
    if (can_follow(side->edition, at->size)) {
        return dm_edition_take(lookup, side->edition, &at->scratch, error, error_size);
    }
    uint32_t *slots = at->slots;
    at->slots = NULL;
    at->edition = dm_edition_make(lookup, side, slots);
    if (at->edition == NULL) {
        return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for an edition of a lookup");
    }
    return index_rows(lookup, at, team, error, error_size);
}

/* After a failure: as if nothing had been prepared. */
static void put_back(dm_lookup *lookup, step *at) {
    dm_edition_destroy(lookup, at->side, at->edition);
    if (at->scratch != NULL) {
        dm_edition_give(lookup, at->side->edition, at->scratch);
    }
    if (at->slots != NULL) {
        dm_lookup_release(at->side, at->slots);
        dm_memory_free(&lookup->memory, at->slots);
    }
}

/* --- changing a graph --------------------------------------------------------------------------------------------- */

/* A row that came is not in the graph: one that left it was let go of only when it was free there. So neither call can
 * fail. What comes goes in before what goes comes out, so that a node whose embedding was replaced is always there; a
 * search that finds it twice keeps the better one. */
static void change_graph(step *at) {
    dm_edition *edition = at->side->edition;
    const uint32_t rows = at->side->table->row_capacity;
    char error[8];
    for (uint32_t row = 0; row < rows; row++) {
        if (at->slots[row] != DM_SLOT_NONE && edition->slots[row] == DM_SLOT_NONE) {
            edition->slots[row] = at->slots[row]; /* before a search can find it */
            dm_rows_hold(at->side->table, row);
            (void)dm_index_insert(edition->index, at->scratch, row, error, sizeof(error));
        }
    }
    for (uint32_t row = 0; row < rows; row++) {
        if (at->slots[row] == DM_SLOT_NONE && edition->slots[row] != DM_SLOT_NONE) {
            (void)dm_index_remove(edition->index, at->scratch, row, error, sizeof(error));
        }
    }
}

/* Lets go of what went, once no search that may have found it is left. */
static void let_go(const step *at) {
    dm_edition *edition = at->side->edition;
    for (uint32_t row = 0; row < at->side->table->row_capacity; row++) {
        const int was_there = edition->slots[row] != DM_SLOT_NONE;
        if (was_there && at->slots[row] == DM_SLOT_NONE) {
            while (!dm_index_is_free(edition->index, at->scratch, row)) {
                (void)sched_yield(); /* a search that began after the removal; microseconds */
            }
            edition->slots[row] = DM_SLOT_NONE;
            dm_rows_release(at->side->table, row);
        }
    }
}

/* --- a refresh ---------------------------------------------------------------------------------------------------- */

/* New editions take the places of the old ones, which end up in the steps; then waits for the searches that may have
 * those. */
static void exchange(dm_lookup *lookup, step *steps, int count) {
    (void)pthread_mutex_lock(&lookup->lock);
    for (int i = 0; i < count; i++) {
        step *at = &steps[i];
        if (at->edition != NULL) {
            dm_edition *before = at->side->edition;
            at->side->edition = at->edition;
            at->edition = before;
        }
        atomic_store_explicit(&at->side->size, at->size, memory_order_relaxed);
        atomic_store_explicit(&at->side->changes, at->changes, memory_order_release);
    }
    const uint32_t before = lookup->phase;
    lookup->phase = 1 - before;
    while (lookup->searching[before] > 0) {
        (void)pthread_cond_wait(&lookup->ended, &lookup->lock);
    }
    (void)pthread_mutex_unlock(&lookup->lock);
}

/* 1: the side has an edition and the store has not changed since. */
static int is_up_to_date(const dm_lookup_side *side) {
    return side->edition != NULL && atomic_load_explicit(&side->changes, memory_order_acquire) ==
                                        atomic_load_explicit(&side->table->changes, memory_order_acquire);
}

static int32_t refresh(dm_lookup *lookup, dm_team *team, char *error, size_t error_size) {
    step steps[DM_LOOKUP_SIDES] = {{0}};
    int count = 0;
    int32_t status = DM_OK;
    for (int i = 0; i < DM_LOOKUP_SIDES && status == DM_OK; i++) {
        if (lookup->sides[i].table != NULL && !is_up_to_date(&lookup->sides[i])) {
            steps[count].side = &lookup->sides[i];
            status = prepare(lookup, &steps[count++], team, error, error_size);
        }
    }
    if (status != DM_OK || count == 0) {
        for (int i = 0; i < count; i++) {
            put_back(lookup, &steps[i]);
        }
        return status;
    }
    for (int i = 0; i < count; i++) {
        if (steps[i].scratch != NULL) {
            change_graph(&steps[i]);
        }
    }
    exchange(lookup, steps, count);
    for (int i = 0; i < count; i++) {
        if (steps[i].scratch != NULL) {
            let_go(&steps[i]);
        }
        put_back(lookup, &steps[i]); /* the old edition, or what the changes needed */
    }
    return DM_OK;
}

int32_t dm_lookup_refresh(dm_lookup *lookup, dm_team *team, char *error, size_t error_size) {
    (void)pthread_mutex_lock(&lookup->change);
    int32_t status = refresh(lookup, team, error, error_size);
    (void)pthread_mutex_unlock(&lookup->change);
    return status;
}
