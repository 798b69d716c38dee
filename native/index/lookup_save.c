/* lookup_save.c: writing a lookup to a file; see lookup_file.h. */
#include <string.h>

#include "index/lookup_file.h"
#include "store/whole_file.h"

#include "store/poison.h"

typedef struct saver {
    dm_lookup *lookup;
    dm_lookup_file_header head;
    uint32_t *rows[DM_LOOKUP_SIDES];
    void *images[DM_LOOKUP_SIDES];
    dm_checksum checksum;
    dm_whole_file file;
} saver;

static int32_t no_memory(char *error, size_t error_size) {
    return dm_fail(DM_ERROR_MEMORY, error, error_size, "no memory for the file of a lookup");
}

static int32_t write_image(saver *state, int i, char *error, size_t error_size) {
    dm_lookup *lookup = state->lookup;
    dm_edition *edition = lookup->sides[i].edition;
    dm_lookup_file_side *to = &state->head.sides[i];
    dm_index_scratch *scratch = NULL;
    if (edition->index == NULL) {
        return DM_OK;
    }
    int32_t status = dm_edition_take(lookup, edition, &scratch, error, error_size);
    if (status != DM_OK) {
        return status;
    }
    to->image_size = dm_index_image_size(edition->index);
    state->images[i] = dm_memory_allocate(&lookup->memory, to->image_size, DM_CACHE_LINE, 0);
    if (state->images[i] != NULL) {
        dm_index_write_image(edition->index, scratch, state->images[i]);
    }
    dm_edition_give(lookup, edition, scratch);
    return state->images[i] != NULL ? DM_OK : no_memory(error, error_size);
}

static int32_t describe(saver *state, int i, char *error, size_t error_size) {
    const dm_lookup_side *side = &state->lookup->sides[i];
    dm_lookup_file_side *to = &state->head.sides[i];
    if (side->table == NULL) {
        return DM_OK;
    }
    state->rows[i] = dm_lookup_file_rows(state->lookup, side, side->edition->slots);
    if (state->rows[i] == NULL) {
        return no_memory(error, error_size);
    }
    to->row_capacity = side->table->row_capacity;
    to->size = atomic_load_explicit(&side->size, memory_order_relaxed);
    to->rows = dm_lookup_rows(side, side->edition->slots).count;
    to->choice = side->edition->choice;
    to->values_crc = dm_lookup_file_crc_of_values(&state->checksum, side->table, state->rows[i]);
    to->slots_crc = dm_lookup_file_crc(&state->checksum, 0, side->edition->slots, to->rows * sizeof(uint32_t));
    return write_image(state, i, error, error_size);
}

/* The ids, which are those of the rows only while the store is as it was when these were held. */
static int32_t describe_nodes(saver *state, char *error, size_t error_size) {
    dm_lookup *lookup = state->lookup;
    (void)pthread_mutex_lock(&lookup->store->lock);
    const int is_current = dm_lookup_is_current(lookup);
    for (int i = 0; i < DM_LOOKUP_SIDES && is_current; i++) {
        if (state->rows[i] != NULL) {
            state->head.sides[i].nodes_crc =
                dm_lookup_file_crc_of_nodes(&state->checksum, lookup->sides[i].table, state->rows[i]);
        }
    }
    (void)pthread_mutex_unlock(&lookup->store->lock);
    return is_current ? DM_OK
                      : dm_fail(DM_ERROR_ARGUMENT, error, error_size,
                                "the store has changed since the lookup was brought up to date; refresh it, then save");
}

static void put(saver *state) {
    dm_lookup_file_header *head = &state->head;
    const dm_lookup_options *options = &state->lookup->options;
    head->dim = state->lookup->store->dim;
    head->single_type = (uint32_t)state->lookup->store->single_type;
    head->method = options->method;
    head->types = options->types;
    head->recall = options->recall;
    head->k = options->k;
    head->similarity = options->similarity;
    head->seed = options->seed;
    dm_lookup_file_lay_out(head);
    head->crc = dm_lookup_file_crc(&state->checksum, 0, head, offsetof(dm_lookup_file_header, crc));
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        const dm_lookup_file_side *side = &head->sides[i];
        if (side->rows > 0) {
            dm_whole_file_write(&state->file, state->lookup->sides[i].edition->slots, side->rows * sizeof(uint32_t),
                                side->slots_at);
            dm_whole_file_write(&state->file, state->images[i], side->image_size, side->image_at);
        }
    }
    dm_whole_file_write(&state->file, head, sizeof(*head), 0);
    dm_whole_file_set_size(&state->file, head->file_size);
}

/* With the lock on changes. */
static int32_t save(saver *state, const char *path, char *error, size_t error_size) {
    int32_t status = DM_OK;
    for (int i = 0; i < DM_LOOKUP_SIDES && status == DM_OK; i++) {
        status = describe(state, i, error, error_size);
    }
    if (status == DM_OK) {
        status = describe_nodes(state, error, error_size);
    }
    if (status != DM_OK) {
        return status;
    }
    dm_whole_file_open(&state->file, path);
    if (state->file.failure == 0) {
        put(state);
    }
    const int failure = dm_whole_file_close(&state->file, path);
    if (failure != 0) {
        char text[64];
        return dm_fail(DM_ERROR_IO, error, error_size, "cannot write %s: %s; an older file there is as it was", path,
                       strerror_r(failure, text, sizeof(text)));
    }
    return DM_OK;
}

int32_t dm_lookup_save(dm_lookup *lookup, const char *path, char *error, size_t error_size) {
    saver state = {.lookup = lookup};
    dm_checksum_begin(&state.checksum);
    (void)pthread_mutex_lock(&lookup->change);
    int32_t status = save(&state, path, error, error_size);
    for (int i = 0; i < DM_LOOKUP_SIDES; i++) {
        dm_memory_free(&lookup->memory, state.rows[i]);
        dm_memory_free(&lookup->memory, state.images[i]);
    }
    (void)pthread_mutex_unlock(&lookup->change);
    return status;
}
